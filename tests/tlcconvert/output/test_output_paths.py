"""Where output may go: never over an input or another output, never in place of what is no file."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from tlcconvert.errors import InputError
from tlcconvert.output.output_paths import destination_of, is_same_file, refuse_conflicts


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.pth"
    path.write_bytes(b"weights")
    return path


def spelled_otherwise(file: Path, spelling: str) -> Path:
    if spelling == "as it is":
        return file
    if spelling == "by dots":
        (file.parent / "folder").mkdir()
        return file.parent / "folder" / ".." / file.name
    if spelling == "through a link to its folder":
        (file.parent / "folder").symlink_to(file.parent)
        return file.parent / "folder" / file.name
    other = file.parent / "other"
    if spelling == "by a link":
        other.symlink_to(file)
    elif spelling == "by a hard link":
        other.hardlink_to(file)
    else:
        assert spelling == "relative"
        return Path(os.path.relpath(file))
    return other


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize(
    "spelling",
    ["as it is", "by dots", "through a link to its folder", "by a link", "by a hard link", "relative"],
)
def test_one_file_is_recognised_however_it_is_spelled(file: Path, spelling: str, exists: bool) -> None:
    other = spelled_otherwise(file, spelling)
    if not exists and spelling != "by a hard link":
        file.unlink()
    assert is_same_file(file, other)
    assert is_same_file(other, file)


def test_other_files_are_not_taken_for_one(file: Path, tmp_path: Path) -> None:
    (tmp_path / "copy.pth").write_bytes(file.read_bytes())
    for other in ("copy.pth", "missing.pth", "missing/model.pth", "x" * 300):
        assert not is_same_file(file, tmp_path / other)


def test_case_matters_where_the_file_system_says_so(tmp_path: Path) -> None:
    (tmp_path / "probe").touch()
    ignores_case = (tmp_path / "PROBE").exists()
    assert is_same_file(tmp_path / "out.onnx", tmp_path / "OUT.onnx") == ignores_case
    assert [path.name for path in tmp_path.iterdir()] == ["probe"]


def test_case_does_not_matter_where_the_file_system_ignores_it(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    chattr = subprocess.run(["chattr", "+F", str(folder)], capture_output=True, check=False)
    if chattr.returncode:
        pytest.skip("this file system has no folder that ignores case")
    assert is_same_file(folder / "out.onnx", folder / "OUT.onnx")


def test_a_conflict_names_both_options(file: Path) -> None:
    with pytest.raises(InputError, match=r"--json .* is the same file as MODEL"):
        refuse_conflicts({"-o": file.with_name("o"), "--json": file}, {"MODEL": file, "--weights": None})
    with pytest.raises(InputError, match=r"-o .* is the same file as --json"):
        refuse_conflicts({"-o": file, "--json": file, "--calibrate": None}, {})
    refuse_conflicts({"-o": file.with_name("o")}, {"MODEL": file, "--weights": file})


@pytest.mark.parametrize("through_a_link", [False, True])
@pytest.mark.parametrize(
    "what", ["device", "terminal", "output", "descriptor", "pipe", "socket", "folder", "loop"]
)
def test_what_is_no_regular_file_is_not_replaced(tmp_path: Path, what: str, through_a_link: bool) -> None:
    place = tmp_path / "place"
    if what == "device":
        place = Path("/dev/null")
    elif what == "terminal":
        place = Path("/dev/tty")
    elif what == "output":
        place = Path("/dev/stdout")
    elif what == "descriptor":
        place = Path("/proc/self/fd/1")
    elif what == "pipe":
        os.mkfifo(place)
    elif what == "socket":
        socket.socket(socket.AF_UNIX).bind(os.path.relpath(place))
    elif what == "folder":
        place.mkdir()
    else:
        place.symlink_to(place)
    if through_a_link:
        (tmp_path / "link").symlink_to(place)
        place = tmp_path / "link"
    with pytest.raises(InputError, match=r"no regular file|is a directory|symbolic link"):
        destination_of(place)


@pytest.mark.parametrize("name", ["n" * 256, "a\0b"])
def test_a_name_no_file_can_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="Cannot write"):
        destination_of(tmp_path / name)


def test_a_link_to_a_file_that_is_not_there_yet_leads_to_it(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "later")
    assert destination_of(tmp_path / "link") == tmp_path.resolve() / "later"
    (tmp_path / "lost").symlink_to(tmp_path / "missing" / "later")
    with pytest.raises(InputError, match="does not exist"):
        destination_of(tmp_path / "lost")
