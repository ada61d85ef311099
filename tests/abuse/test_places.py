"""Disks without room, folders that cannot be written, users who may do little: a sentence, and nothing is lost."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.abuse.command import EXTERNAL, ROOT, Workplace
from tlcconvert.errors import InputError
from tlcconvert.output.write import bytes_at, write_together

IS_ROOT = hasattr(os, "getuid") and os.getuid() == 0
NOBODY = "65534"
MEGABYTE = 1 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if not IS_ROOT or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small tmpfs takes root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_on_a_full_disk_every_file_stays_what_it_was(small_disk: Path) -> None:
    for name in ("first", "second"):
        (small_disk / name).write_bytes(b"before")
    small, large = (
        bytes_at(small_disk / "first", b"after"),
        bytes_at(small_disk / "second", bytes(2 * MEGABYTE)),
    )
    for outputs in ([small, large], [large, small], [bytes_at(small_disk / "third", bytes(2 * MEGABYTE))]):
        with pytest.raises(InputError, match="No space left on device"):
            write_together(outputs)
        assert names(small_disk) == {"first", "second"}
        assert all(path.read_bytes() == b"before" for path in small_disk.iterdir())
    write_together([small])


def fill(disk: Path) -> None:
    with contextlib.suppress(OSError), (disk / "filling").open("wb", buffering=0) as filling:
        while True:
            filling.write(bytes(4096))


@pytest.mark.full
@pytest.mark.parametrize("code", [Workplace.code, EXTERNAL], ids=["one file", "two files"])
def test_a_conversion_to_a_full_disk_ends_in_one_sentence(
    tmp_path: Path, small_disk: Path, code: str
) -> None:
    place = Workplace.at(tmp_path / "place", code)
    out = small_disk / "out.onnx"
    assert place.run("model.pth", "--train-size", "16", "-o", str(out), "--quiet")[0] == 0
    before = {path: path.read_bytes() for path in small_disk.iterdir()}
    fill(small_disk)
    status, _, errors = place.run("model.pth", "--train-size", "20", "-o", str(out), "--quiet")
    assert status == 2
    assert "No space left on device" in errors
    assert errors.count("\n") == 1
    assert {path: path.read_bytes() for path in before} == before
    assert names(small_disk) == {path.name for path in before} | {"filling"}
    assert not list(place.temporary.iterdir())


@pytest.mark.full
def test_without_room_for_temporary_files_what_to_set_is_said(tmp_path: Path, small_disk: Path) -> None:
    (small_disk / "filling").write_bytes(bytes(MEGABYTE - 8 * 4096))
    place = Workplace.at(tmp_path / "place", EXTERNAL, {"TMPDIR": str(small_disk)})
    code, _, errors = place.run("model.pth", "--train-size", "16", "-o", "out.onnx", "--quiet")
    assert code in (0, 2), errors
    assert code == 0 or "TMPDIR" in errors
    assert names(small_disk) == {"filling"}


@pytest.fixture(scope="module")
def without_rights() -> list[str]:
    """A command that starts another as a user who may do nothing but what everyone may."""
    if not IS_ROOT:
        return []
    another_user = ["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]
    root_in_name_only = ["--inh-caps=-all", "--bounding-set=-all"]
    for options in (another_user, root_in_name_only):
        command = ["setpriv", *options]
        probe = [*command, sys.executable, "-c", "import tlcconvert.errors"]
        with contextlib.suppress(OSError):
            if not subprocess.run(probe, cwd=ROOT, capture_output=True, check=False).returncode:
                return command
    pytest.skip("setpriv cannot start this Python without the rights of root")


@pytest.fixture
def anyones_place(without_rights: list[str]) -> Iterator[Workplace]:
    """A workplace whose owner is the user without rights, and no other."""
    owner = int(NOBODY) if NOBODY in without_rights else os.getuid()
    with tempfile.TemporaryDirectory() as folder:
        place = Workplace.at(Path(folder), environment={"HOME": "/nonexistent"})
        for each in (Path(folder), *Path(folder).rglob("*")):
            os.chown(each, owner, -1)
        yield place


ARGUMENTS = ("model.pth", "--train-size", "16", "-o", "out.onnx", "--quiet")


def test_a_folder_one_may_not_write_to_is_refused_before_any_work(
    anyones_place: Workplace, without_rights: list[str]
) -> None:
    place = anyones_place
    place.folder.chmod(0o555)
    code, _, errors = place.run(*ARGUMENTS, prefix=without_rights)
    assert (code, errors) == (2, f"Cannot write to {place.folder}: Permission denied.\n")
    assert place.left() == set()


@pytest.mark.full
@pytest.mark.parametrize("code", [Workplace.code, EXTERNAL], ids=["one file", "two files"])
def test_a_user_without_a_home_or_rights_can_convert(
    anyones_place: Workplace, without_rights: list[str], code: str
) -> None:
    place = replace(anyones_place, code=code)
    assert place.run(*ARGUMENTS, prefix=without_rights) == (0, "", "")
    assert len(place.left()) == (1 if code == Workplace.code else 2)


@pytest.mark.full
def test_a_model_one_may_not_read_is_refused(anyones_place: Workplace, without_rights: list[str]) -> None:
    place = anyones_place
    (place.folder / "model.pth").chmod(0)
    code, _, errors = place.run(*ARGUMENTS, prefix=without_rights)
    assert code == 2
    assert "not readable" in errors
    assert errors.count("\n") == 1
