"""One conversion in its own process, ended when it takes too long or too much memory."""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

from benchmarks.coverage.row import Row, Status

_POLL_SECONDS = 0.2
_PATIENCE = 10
_GIGABYTE = 2**30
_LAST_CHARACTERS = 300


def convert_apart(name: str, seconds: float, gigabytes: float) -> Row:
    """The row of the subject called ``name``; a process over a limit, or one that dies, is a failed row.

    Args:
        seconds: processor time the process may take, and a tenth of the time on the clock.
        gigabytes: memory it may have resident.
    """
    # A server that has imported everything once forks each process: the imports take longer than a small conversion.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["benchmarks.coverage.conversion"])
    with tempfile.TemporaryDirectory() as folder:
        output, errors = Path(folder, "row"), Path(folder, "errors")
        process = context.Process(target=_convert, args=(name, output, errors))
        process.start()
        try:
            over = _watch(process, seconds, gigabytes)
        finally:
            process.kill()
            process.join()
        if over:
            return Row(name, Status.FAILED, over)
        if not output.exists():
            last = errors.read_text(errors="replace").strip()[-_LAST_CHARACTERS:] if errors.exists() else ""
            return Row(name, Status.FAILED, f"the process ended with code {process.exitcode}: {last}")
        return Row.of_line(output.read_text())


def _watch(process: BaseProcess, seconds: float, gigabytes: float) -> str:
    """Waits for the process to end; returns the limit it went over, if it did."""
    deadline = time.monotonic() + _PATIENCE * seconds
    while process.is_alive():
        if _processor_seconds(process.pid) > seconds or time.monotonic() > deadline:
            return f"not done within {seconds:g} s"
        if _resident(process.pid) > gigabytes * _GIGABYTE:
            return f"more than {gigabytes:g} GB of memory"
        time.sleep(_POLL_SECONDS)
    return ""


def _processor_seconds(pid: int | None) -> float:
    """Time a process has run so far, in user and in kernel mode; 0 once it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(pid: int | None) -> int:
    """Bytes a process has in memory; 0 once it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def _convert(name: str, output: Path, errors: Path) -> None:
    """Runs in the new process, on one thread; what it prints goes to ``errors``."""
    import torch

    from benchmarks.coverage.conversion import row_of
    from benchmarks.coverage.subjects import SUBJECTS

    stream = os.open(errors, os.O_WRONLY | os.O_CREAT)
    for standard in (sys.stdout, sys.stderr):
        os.dup2(stream, standard.fileno())
    torch.set_num_threads(1)
    subject = next(subject for subject in SUBJECTS if subject.name == name)
    output.write_text(row_of(subject).line())
