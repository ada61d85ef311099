"""A silent thread warns and logs to no one; every other thread is heard."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tlcconvert.process_state.silence import silence


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@pytest.fixture
def handler() -> Iterator[Kept]:
    kept = Kept()
    logging.root.addHandler(kept)
    yield kept
    logging.root.removeHandler(kept)


def in_another_thread(work: Callable[[], None]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def say(words: str) -> Callable[[], None]:
    def saying() -> None:
        for logger in ("onnx_ir", "onnxscript", "a_server", "tlcconvert.capture"):
            logging.getLogger(logger).warning("%s by %s", words, logger)
        warnings.warn(words, UserWarning, stacklevel=1)

    return saying


def test_only_the_silent_thread_is_silent(handler: Kept) -> None:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with silence():
            say("silent")()
            in_another_thread(say("elsewhere"))
        say("after")()
    assert [str(warning.message) for warning in warned] == ["elsewhere", "after"]
    assert [message for message in handler.messages if not message.endswith("tlcconvert.capture")] == [
        f"{words} by {logger}"
        for words in ("elsewhere", "after")
        for logger in ("onnx_ir", "onnxscript", "a_server")
    ]


def test_our_own_log_lines_are_always_heard(handler: Kept) -> None:
    with silence():
        logging.getLogger("passes.localize").warning("left global")
        logging.getLogger("passes_of_someone_else").warning("noise")
    assert handler.messages == ["left global"]


def test_warnings_that_are_errors_are_dropped_too() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with silence():
            warnings.warn("noise", FutureWarning, stacklevel=1)
            with silence():
                pass
            warnings.warn("noise", FutureWarning, stacklevel=1)
        with pytest.raises(FutureWarning):
            warnings.warn("heard", FutureWarning, stacklevel=1)


def test_nothing_is_left_behind_even_after_an_error(handler: Kept) -> None:
    def fail() -> None:
        with silence(), silence():
            raise ZeroDivisionError

    before = list(warnings.filters), logging.root.manager.disable, list(handler.filters)
    with pytest.raises(ZeroDivisionError):
        fail()
    assert (list(warnings.filters), logging.root.manager.disable, list(handler.filters)) == before


def test_two_threads_may_be_silent_at_a_time_and_leave_in_any_order(handler: Kept) -> None:
    before = list(warnings.filters)
    entered, may_leave = threading.Event(), threading.Event()

    def stay() -> None:
        with silence():
            entered.set()
            may_leave.wait(10)
            warnings.warn("noise", UserWarning, stacklevel=1)
            logging.getLogger("torch").error("noise")

    other = threading.Thread(target=stay)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with ExitStack() as first:
            first.enter_context(silence())
            other.start()
            assert entered.wait(10)
        say("heard")()
        may_leave.set()
        other.join()
    assert [str(warning.message) for warning in warned] == ["heard"]
    assert "noise" not in handler.messages
    assert list(warnings.filters) == before
