"""How a person at the command line meets an option."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


class Panel(Enum):
    """The panels of the command's help, in their order."""

    MAIN = ""
    STATISTICS = "Statistics and folding"
    NETWORK = "The network"
    FILE = "The file"
    REPORT = "Verification and report"
    CLASSSR = "ClassSR"


@dataclass(frozen=True)
class Flag:
    """It has a flag of its own.

    Attributes:
        help: the line in the command's help.
        flags: its spellings, a switch that can be turned off as ``--x/--no-x``; by default the name of its field.
        panel: where the help shows it.
        before: the option it stands in front of there, if that is one of another class; by default, classes follow
            each other and fields are in their order.
        metavar: what the help calls the value.
        number: from the number that was typed, or the default, to the value; raises InputError.
        reads: from any other text that was typed to the value; raises InputError.
        least: the smallest number allowed.
        is_usual: whether the short help has it, as it has all of the main panel.
    """

    help: str
    flags: tuple[str, ...] = ()
    panel: Panel = Panel.MAIN
    before: str = ""
    metavar: str | None = None
    number: Callable[[object], object] | None = None
    reads: Callable[[str], object] | None = None
    least: int | None = None
    is_usual: bool = False


@dataclass(frozen=True)
class Positional:
    """It is typed without a flag.

    Attributes:
        help: the line in the command's help.
        metavar: what the help calls it.
    """

    help: str
    metavar: str | None = None


@dataclass(frozen=True)
class ReadOff:
    """The value of ``other``, another option of the command, tells it."""

    other: str
    reads: Callable[..., object]


@dataclass(frozen=True)
class FieldsOf:
    """It gathers the options that are fields of ``group``."""

    group: type


@dataclass(frozen=True)
class PythonOnly:
    """The command line does without it, for a reason."""

    reason: str


Face = Flag | Positional | ReadOff | FieldsOf | PythonOnly
