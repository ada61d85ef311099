"""Being told to stop: Ctrl-C, SIGTERM and SIGHUP end a command alike, with one sentence and nothing left behind.

Each raises KeyboardInterrupt in the main thread, so that everything on the way is cleared up. Where that takes long,
because the thread is inside a library that does not return, or where a library has swallowed the exception, a second
thread removes what was made for a while and ends the process.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from types import FrameType
from typing import Any, NoReturn

from tlcconvert.machine.temporary_paths import remove_all

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
_SIGNALS = {int(getattr(signal, name)): name for name in _NAMES if hasattr(signal, name)}
_GRACE = 5.0
"""Seconds the main thread has to clear up by itself."""
_SHOW_CURSOR = b"\x1b[?25h"


@dataclass
class _Stop:
    """What has happened so far: the signal that came first, and whether it came too late to matter."""

    signal: int = 0
    is_done: bool = False


_STOP = _Stop()


def obey_signals() -> None:
    """From here on the process stops as described above. A signal that was ignored stays so (``nohup``)."""
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    if os.name == "nt":
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    os.register_at_fork(before=_hold, after_in_parent=_let_go, after_in_child=_leave_to_parent)
    threading.Thread(target=_end_in_time, args=(reading,), daemon=True).start()
    sys.unraisablehook = _without_interrupts


def work_is_done() -> None:
    """The output is in place: a signal from here on changes nothing about that, nor the exit code."""
    _STOP.is_done = True


def ignore_signals() -> None:
    """While the interpreter ends, which gives signals their default back: the exit code is known by then."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def was_stopped() -> bool:
    """Whether a signal has come in time, even if the exception it raised was swallowed."""
    return bool(_STOP.signal) and not _STOP.is_done


def raise_if_stopped() -> None:
    """Raises KeyboardInterrupt once more where it was swallowed."""
    if was_stopped():
        raise KeyboardInterrupt


def exit_code() -> int:
    """128 and the number of the signal: 130 for Ctrl-C, 143 for SIGTERM."""
    return 128 + (_STOP.signal or int(signal.SIGINT))


def sentence() -> str:
    """What is said of it."""
    return f"{_said_of(_STOP.signal)}; nothing was written."


def leave(code: int) -> NoReturn:
    """Ends the process at once: libraries that were stopped halfway do not all survive their own tidying up."""
    remove_all()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


def _said_of(number: int) -> str:
    return "Interrupted" if number in (0, signal.SIGINT) else f"Stopped by {_SIGNALS[number]}"


def _interrupt(number: int, _: FrameType | None) -> None:
    if _STOP.signal or _STOP.is_done:
        return  # clearing up already
    _STOP.signal = number
    raise KeyboardInterrupt


def _hold() -> None:
    """A signal to a child just forked waits until the child no longer answers to the parent's thread."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


def _let_go() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


def _leave_to_parent() -> None:
    """A forked child ends as any process does."""
    signal.set_wakeup_fd(-1)
    for number in _SIGNALS:
        if signal.getsignal(number) is _interrupt:
            signal.signal(number, signal.SIG_DFL)
    _let_go()


def _end_in_time(reading: int) -> None:
    number = 0
    while number not in _SIGNALS:
        number = os.read(reading, 1)[0]
    time.sleep(_GRACE)
    if _STOP.is_done:
        return
    remove_all()
    end = _SHOW_CURSOR if os.isatty(2) else b""
    with contextlib.suppress(OSError):
        os.write(2, f"{_said_of(number)}; nothing was written.\n".encode() + end)
    os._exit(128 + number)


def _without_interrupts(unraisable: Any) -> None:
    """Python reports an exception in a finalizer; of an interrupt there is nothing to report."""
    if not issubclass(unraisable.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)
