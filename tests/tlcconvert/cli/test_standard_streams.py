"""Standard output and error that never fail."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PRINTS = """
import os, sys
from tlcconvert.cli.standard_streams import secure_standard_streams
secure_standard_streams()
for stream in (sys.stdout, sys.stderr):
    print("ü√\\udcff" * 10000, file=stream)
    stream.flush()
    print("last", file=stream)
"""


def run(code: str, **streams: object) -> subprocess.CompletedProcess[bytes]:
    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": 60, **streams}
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, **settings)  # type: ignore[call-overload]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_every_character_is_printed_somehow(encoding: str) -> None:
    done = run(PRINTS, env={**os.environ, "PYTHONIOENCODING": encoding})
    assert done.returncode == 0
    for stream in (done.stdout, done.stderr):
        assert stream.decode(encoding).endswith("last\n")
        assert b"\\udcff" in stream


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_full_disk_drops_what_is_printed(stream: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = run(PRINTS, **{stream: full})
    assert done.returncode == 0
    assert (done.stderr if stream == "stdout" else done.stdout).endswith(b"last\n")


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_reader_that_has_gone_drops_what_is_printed(stream: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    assert run(PRINTS, **{stream: writing}).returncode == 0
    os.close(writing)


@pytest.mark.parametrize("closed", ["0>&- 1>&- 2>&-", "1>&-", "2>&-"])
def test_a_file_opened_later_does_not_take_the_place_of_a_closed_stream(closed: str, tmp_path: Path) -> None:
    opens = f"file = open({str(tmp_path / 'file')!r}, 'w')\nassert file.fileno() > 2\n"
    code = PRINTS.replace("for stream", f"{opens}for stream")
    shell = ["sh", "-c", f'exec {closed}; exec "$0" "$@"', sys.executable, "-c", code]
    assert subprocess.run(shell, cwd=ROOT, check=False, timeout=60).returncode == 0
    assert (tmp_path / "file").read_bytes() == b""


def test_a_slow_reader_gets_everything() -> None:
    code = PRINTS.replace("for stream", "os.set_blocking(1, False)\nfor stream")
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=-3)
    assert process.stdout is not None
    read = b""
    while block := os.read(process.stdout.fileno(), 1000):
        read += block
    assert process.wait(60) == 0
    assert read.endswith(b"last\n")
    assert read.count("√".encode()) == 10000


def test_a_terminal_said_to_have_no_columns_is_printed_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "0")
    prints = PRINTS + "from rich.console import Console\nConsole().print('everything')\n"
    assert run(prints).stdout.endswith(b"everything\n")
