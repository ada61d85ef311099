"""What is no regular file is refused at once, without waiting for what may never come."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tests.abuse.strangers_files import LoadingProcess


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".pt2"])
def test_a_pipe_that_nobody_writes_to(tmp_path: Path, loading: LoadingProcess, suffix: str) -> None:
    path = tmp_path / f"pipe{suffix}"
    os.mkfifo(path)
    outcome = loading.load(path)
    outcome.assert_refused(0)
    assert "is a pipe" in outcome.said
    assert outcome.seconds < 1


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/stdin", "/dev/random", "/dev/full"])
def test_a_device(loading: LoadingProcess, device: str) -> None:
    outcome = loading.load(Path(device))
    outcome.assert_refused(0)
    assert outcome.seconds < 1


def test_a_socket(tmp_path: Path, loading: LoadingProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.pth")
        loading.load(tmp_path / "socket.pth").assert_refused(0)


def test_links_to_them_and_to_nothing(tmp_path: Path, loading: LoadingProcess) -> None:
    for number, target in enumerate(["/dev/zero", "nowhere", "link2", "."]):
        (tmp_path / f"link{number}").symlink_to(target)
        loading.load(tmp_path / f"link{number}").assert_refused(0)


@pytest.mark.parametrize("name", ["a" * 5_000, "a\x1b[31mb", "a\nb"])
def test_a_name_that_cannot_be_shown_as_it_is(tmp_path: Path, loading: LoadingProcess, name: str) -> None:
    outcome = loading.load(tmp_path / name)
    outcome.assert_refused(0)
    assert len(outcome.said) < 500


def test_a_sparse_file(tmp_path: Path, loading: LoadingProcess) -> None:
    path = tmp_path / "sparse.pth"
    for start in (b"", b"PK\x03\x04", b"\x80\x02", b"\x10\0\0\0\0\0\0\0{"):
        path.write_bytes(start)
        os.truncate(path, 64 << 20)
        loading.load(path).assert_refused(0)


def test_a_file_that_looks_like_python_source_or_text(tmp_path: Path, loading: LoadingProcess) -> None:
    for content in (
        b"import os\n" * 99,
        b"<!DOCTYPE html>",
        b"version https://git-lfs.github.com/spec/v1\n",
        b"\n",
    ):
        (tmp_path / "text.pth").write_bytes(content)
        loading.load(tmp_path / "text.pth").assert_refused(len(content))
