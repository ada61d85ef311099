"""What can stop a conversion. Each error is one sentence for a person, and carries the exit code it ends in."""

from __future__ import annotations


class ConversionError(Exception):
    """A conversion that cannot go on; ``exit_code`` is what the command line returns."""

    exit_code = 2


class InputError(ConversionError):
    """The file, option or module handed over cannot be used."""


class CaptureError(ConversionError):
    """The network runs, but no graph with symbolic batch, height and width reproduces it."""

    exit_code = 3


class ParityError(ConversionError):
    """The converted network does not compute what it must; nothing was written."""

    exit_code = 4


class StrictError(ConversionError):
    """A global statistic was left in place although ``strict`` was asked for."""

    exit_code = 5


def first_line(error: BaseException) -> str:
    """The type of an error and the first line of what it says, without a full stop."""
    lines = (str(error).strip() or type(error).__name__).splitlines()
    return f"{type(error).__name__}: {lines[0].rstrip('.')}"
