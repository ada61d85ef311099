"""Tries work on a stranger's weights in a process of its own, with bounds on its memory and time.

A state dict of a few kilobytes can ask for a network of any size, and how much a network takes to build and run is
known only after building and running it. A process can be stopped at any time, whatever it is doing, and takes
nothing with it.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from tlcconvert.machine.out_of_memory import is_out_of_memory
from tlcconvert.process_state.silence import silence

_MOST_ANSWER_BYTES = 1 << 16
_SECONDS = 40
_BYTES_PER_SECOND = 16 << 20
_CLOCK = 5  # times as long by the clock: other processes may have most of the processor
_SPARE_BYTES = 256 << 20


class TrialFailed(Exception):
    """The process was stopped or crashed; the text says which bound it met."""


def tried(work: Callable[[], str], weight_bytes: int) -> str:
    """What ``work`` returns, from a copy of this process.

    Three times ``weight_bytes`` and 256 MB of memory more than now, 40 seconds of processor time and one more per
    16 MB of weights. Where the system cannot copy a process and bound its memory, which
    Linux can, ``work`` is done here.

    Args:
        work: returns at most 64 KB of text, and raises nothing.
        weight_bytes: of the weights in memory, in float32.

    Raises:
        TrialFailed: a bound was met, or the process crashed.
    """
    if sys.platform != "linux":
        return work()
    memory = 3 * weight_bytes + _SPARE_BYTES
    seconds = _SECONDS + weight_bytes // _BYTES_PER_SECOND
    reading, writing = os.pipe()
    # Python warns of copies of a process with threads: this one has this thread alone, and waits for no other.
    with silence():
        process = os.fork()
    if process == 0:
        _work_in_copy(work, writing, memory, seconds)
    os.close(writing)
    try:
        answer = _answer(reading, time.monotonic() + _CLOCK * seconds)
    finally:
        os.close(reading)
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
    if answer[:1] == b"+":
        return answer[1:].decode()
    if answer == b"-memory" or os.waitstatus_to_exitcode(status) == -signal.SIGABRT:
        raise TrialFailed(f"it takes more than {memory >> 20} MB of memory")
    if os.waitstatus_to_exitcode(status) in (-signal.SIGKILL, -signal.SIGXCPU):
        raise TrialFailed(f"it takes more than {seconds} seconds")
    raise TrialFailed("it crashes")


def _answer(reading: int, deadline: float) -> bytes:
    answer = b""
    while len(answer) <= _MOST_ANSWER_BYTES:
        ready, _, _ = select.select([reading], [], [], max(deadline - time.monotonic(), 0))
        part = os.read(reading, _MOST_ANSWER_BYTES) if ready else b""
        if not part:
            break
        answer += part
    return answer


def _work_in_copy(work: Callable[[], str], writing: int, memory: int, seconds: int) -> None:
    """Never returns: this is the copy."""
    try:
        _bound(memory, seconds)
        # Threads of the original are not here, and their pool must not be waited for.
        torch.set_num_threads(1)
        answer = b"+" + work().encode(errors="replace")
    except BaseException as error:
        answer = b"-memory" if is_out_of_memory(error) else b"-"
    with contextlib.suppress(OSError):
        os.write(writing, answer[:_MOST_ANSWER_BYTES])
    os._exit(0)


def _bound(memory: int, seconds: int) -> None:
    import resource

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for bound, most in ((resource.RLIMIT_DATA, _data_bytes() + memory), (resource.RLIMIT_CPU, seconds)):
        _, hard = resource.getrlimit(bound)
        soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(bound, (soft, hard))


def _data_bytes() -> int:
    """Private memory this process may write to, in bytes: what RLIMIT_DATA bounds."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmData:")) << 10
