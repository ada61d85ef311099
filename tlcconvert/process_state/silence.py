"""Warnings and log lines of a conversion kept from the reader, and those of all others left alone.

Python's filters of warnings and its loggers belong to the process. A filter of warnings is therefore one whose
category takes in everything in a silent thread and nothing in any other; log records are dropped by a filter on the
handlers, which are called in the thread that logs.
"""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from tlcconvert.process_state.thread_block import ThreadBlock

_OWN = ("tlcconvert", "passes")
_LOCK = threading.Lock()
_silent = ThreadBlock()
_silent_threads = 0


@contextmanager
def silence() -> Iterator[None]:
    """While active, this thread's warnings and log lines are dropped, save those of our own loggers.

    What fails still raises. Handlers that are attached meanwhile get everything.
    """
    with _silent.entered(), _without_warnings(), _without_log_lines():
        yield


class _TakesInAll(type):
    def __subclasscheck__(cls, subclass: type) -> bool:
        return bool(_silent)


class _AnyWarningOfASilentThread(Warning, metaclass=_TakesInAll):
    """The category of the filter; no warning of it is ever made."""


_FILTER = ("ignore", None, _AnyWarningOfASilentThread, None, 0)


@contextmanager
def _without_warnings() -> Iterator[None]:
    global _silent_threads
    with _LOCK:
        _silent_threads += 1
        # Once more in each block: another thread's catch_warnings may have put an older list of filters back.
        warnings.simplefilter("ignore", _AnyWarningOfASilentThread)
    try:
        yield
    finally:
        with _LOCK:
            _silent_threads -= 1
            if _silent_threads == 0:
                with suppress(ValueError):
                    warnings.filters.remove(_FILTER)  # type: ignore[attr-defined]


class _SilentThreadsDropped(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not _silent or record.name.partition(".")[0] in _OWN


@contextmanager
def _without_log_lines() -> Iterator[None]:
    dropped = _SilentThreadsDropped()
    with ExitStack() as stack:
        for handler in _handlers():
            handler.addFilter(dropped)
            stack.callback(handler.removeFilter, dropped)
        yield


def _handlers() -> set[logging.Handler]:
    """Those of every logger, and the one that is called where there is none."""
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    handlers = {
        handler for logger in loggers if isinstance(logger, logging.Logger) for handler in logger.handlers
    }
    return handlers if logging.lastResort is None else {*handlers, logging.lastResort}
