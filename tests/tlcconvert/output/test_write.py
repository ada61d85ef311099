"""An output file is either complete or unchanged, and so are several together."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tlcconvert.errors import InputError
from tlcconvert.machine import unnamed_file
from tlcconvert.output.write import Output, bytes_at, check_writable, write_bytes, write_together


@pytest.fixture(params=["unnamed", "hidden name"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to make a file that is not there yet."""
    if request.param == "hidden name":
        monkeypatch.setattr(unnamed_file, "_without_name", lambda folder: None)
    return str(request.param)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.usefixtures("kind")
def test_content_arrives_whole_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    assert write_bytes(b"model", tmp_path / "out.onnx") == 5
    assert (tmp_path / "out.onnx").read_bytes() == b"model"
    assert names(tmp_path) == ["out.onnx"]


@pytest.mark.usefixtures("kind")
def test_a_failed_write_leaves_an_existing_file_untouched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.onnx"
    path.write_bytes(b"before")

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(InputError, match="No space left on device"):
        write_bytes(b"after", path)
    assert path.read_bytes() == b"before"
    assert names(tmp_path) == ["out.onnx"]


def test_nothing_has_a_name_in_the_folder_before_it_is_complete(tmp_path: Path) -> None:
    """A process that is killed while it writes leaves nothing."""
    if unnamed_file._without_name(tmp_path) is None:
        pytest.skip("this file system has no files without a name")
    seen: list[list[str]] = []
    write_together([Output(tmp_path / "out", lambda stream: seen.append(names(tmp_path)))])
    assert seen == [[]]


@pytest.mark.parametrize("place", ["", "missing/out.onnx"])
def test_a_place_that_cannot_be_written_is_refused_before_any_work(tmp_path: Path, place: str) -> None:
    with pytest.raises(InputError, match="directory"):
        check_writable(tmp_path / place)


@pytest.mark.usefixtures("kind")
def test_a_new_file_gets_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    write_bytes(b"model", tmp_path / "out.onnx")
    (tmp_path / "plain").touch()
    assert (tmp_path / "out.onnx").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.usefixtures("kind")
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664, 0o444, 0o755])
def test_a_file_keeps_the_mode_of_the_one_it_replaces(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "out.onnx"
    path.write_bytes(b"before")
    path.chmod(mode)
    write_bytes(b"after", path)
    assert path.read_bytes() == b"after"
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root gives files away")
def test_a_file_keeps_the_owner_of_the_one_it_replaces(tmp_path: Path) -> None:
    path = tmp_path / "out.onnx"
    path.touch()
    os.chown(path, 1234, 2345)
    write_bytes(b"after", path)
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 2345)


@pytest.mark.parametrize("exists", [True, False])
def test_a_symbolic_link_stays_one_and_its_target_is_written(tmp_path: Path, exists: bool) -> None:
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "model", tmp_path / "link.onnx"
    if exists:
        target.write_bytes(b"before")
    link.symlink_to(target)
    write_bytes(b"after", link)
    assert link.is_symlink()
    assert target.read_bytes() == b"after"
    assert names(tmp_path / "elsewhere") == ["model"]


@pytest.mark.parametrize(
    "name", [b"n" * 245, b"n" * 255, "ü".encode() * 127, b"\xff\xfe\x80", b"a\nb\x1b[31m"]
)
@pytest.mark.usefixtures("kind")
def test_every_name_the_file_system_takes_can_be_written(tmp_path: Path, name: bytes) -> None:
    path = tmp_path / os.fsdecode(name)
    check_writable(path)
    write_bytes(b"model", path)
    assert os.listdir(os.fsencode(tmp_path)) == [name]


@pytest.mark.usefixtures("kind")
@pytest.mark.parametrize("existing", [(), ("first",), ("second",), ("first", "second", "third")])
@pytest.mark.parametrize("failing", ["first", "second", "third"])
def test_files_that_belong_together_are_written_all_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, existing: tuple[str, ...], failing: str
) -> None:
    for name in existing:
        (tmp_path / name).write_text(f"{name} before")
    before = {path: (path.read_text(), path.stat().st_ino) for path in tmp_path.iterdir()}
    replace = os.replace

    def fails(source: Path, destination: Path) -> None:
        content = source.read_text()
        if destination.name == failing and content.endswith("after"):
            raise OSError(5, "Input/output error")
        replace(source, destination)

    monkeypatch.setattr(os, "replace", fails)
    outputs = [bytes_at(tmp_path / name, f"{name} after".encode()) for name in ("first", "second", "third")]
    was_called: list[bool] = []
    with pytest.raises(InputError, match=f"{failing}: Input/output error"):
        write_together(outputs, written=lambda: was_called.append(True))
    assert {path: (path.read_text(), path.stat().st_ino) for path in tmp_path.iterdir()} == before
    assert not was_called


@pytest.mark.parametrize("existing", [True, False])
def test_an_interrupt_between_two_names_takes_the_first_back(tmp_path: Path, existing: bool) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    if existing:
        first.write_bytes(b"before")

    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_together([bytes_at(first, b"1"), bytes_at(second, b"2")], written=interrupted)
    assert names(tmp_path) == (["first"] if existing else [])
    assert not existing or first.read_bytes() == b"before"


def test_two_outputs_that_are_one_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "first").write_bytes(b"before")
    (tmp_path / "second").hardlink_to(tmp_path / "first")
    with pytest.raises(InputError, match="one file"):
        write_together([bytes_at(tmp_path / "first", b"1"), bytes_at(tmp_path / "second", b"2")])
    assert (tmp_path / "first").read_bytes() == b"before"
