"""An output file is either complete or unchanged."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tlcconvert.errors import InputError
from tlcconvert.write import check_writable, write_bytes


def test_content_arrives_whole_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    assert write_bytes(b"model", tmp_path / "out.onnx") == 5
    assert (tmp_path / "out.onnx").read_bytes() == b"model"
    assert [path.name for path in tmp_path.iterdir()] == ["out.onnx"]


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
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.onnx"]


@pytest.mark.parametrize("place", ["", "missing/out.onnx"])
def test_a_place_that_cannot_be_written_is_refused_before_any_work(tmp_path: Path, place: str) -> None:
    with pytest.raises(InputError, match="directory"):
        check_writable(tmp_path / place)


def test_a_file_gets_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    write_bytes(b"model", tmp_path / "out.onnx")
    (tmp_path / "plain").touch()
    assert (tmp_path / "out.onnx").stat().st_mode == (tmp_path / "plain").stat().st_mode
