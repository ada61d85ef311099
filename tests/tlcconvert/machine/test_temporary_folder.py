"""Temporary folders of processes that were killed are removed by the next one; those in use are not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tlcconvert.machine.temporary_folder import TemporaryFolder

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def another_process(temporary: Path) -> subprocess.Popen[str]:
    code = (
        "import time; from tlcconvert.machine.temporary_folder import TemporaryFolder;"
        "folder = TemporaryFolder(); (folder.path / 'weights').touch();"
        "print(folder.path, flush=True); time.sleep(99)"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_folder_goes_with_its_last_reference(temporary: Path) -> None:
    folder = TemporaryFolder()
    assert folder.path.is_dir()
    del folder
    assert not list(temporary.iterdir())


def test_what_a_killed_process_left_goes_and_what_a_living_one_uses_stays(temporary: Path) -> None:
    killed, living = another_process(temporary), another_process(temporary)
    assert killed.stdout is not None and living.stdout is not None
    left, used = (Path(process.stdout.readline().strip()) for process in (killed, living) if process.stdout)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    try:
        folder = TemporaryFolder()
        assert not left.exists()
        assert (used / "weights").exists()
        assert folder.path.exists()
    finally:
        living.kill()
        living.wait()


def test_what_is_none_of_its_folders_stays(temporary: Path) -> None:
    begun = temporary / "tlcconvert-begun"
    begun.mkdir()
    (begun / "in-use").touch()
    someones = temporary / "tlcconvert-report"
    someones.mkdir()
    elsewhere = temporary / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "in-use").write_text("1")
    (temporary / "tlcconvert-link").symlink_to(elsewhere)
    TemporaryFolder()
    assert begun.exists() and someones.exists() and elsewhere.exists()
