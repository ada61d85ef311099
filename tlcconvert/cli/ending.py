"""How a command ends that cannot go on: one sentence on standard error, and the exit code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

from tlcconvert.cli.plain_console import printable
from tlcconvert.errors import ConversionError
from tlcconvert.machine import termination
from tlcconvert.machine.out_of_memory import OutOfMemory, is_out_of_memory
from tlcconvert.shown_name import shown_text

_UNEXPECTED = 1


@contextmanager
def one_sentence(errors: Console, *, debug: bool) -> Iterator[None]:
    """Whatever fails inside is printed to ``errors`` and becomes ``typer.Exit``; with ``debug``, a traceback too."""
    try:
        yield
    except typer.Exit:
        raise
    except BaseException as error:
        if debug:
            errors.print_exception()
        if isinstance(error, KeyboardInterrupt) or termination.was_stopped():
            raise KeyboardInterrupt from error
        message, code = _ending(error)
        errors.print(printable(message), style="red", highlight=False, soft_wrap=True)
        raise typer.Exit(code) from error


def _ending(error: BaseException) -> tuple[str, int]:
    """What is said of an error, and the exit code."""
    if isinstance(error, ConversionError):
        return str(error), error.exit_code
    if is_out_of_memory(error):  # before the conversion or after it
        return str(OutOfMemory(error)), OutOfMemory.exit_code
    text = shown_text(error) or "no message"
    return f"Unexpected {type(error).__name__}: {text} (--debug shows where).", _UNEXPECTED
