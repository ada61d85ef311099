"""The commands beside the main one. The first word tells: what names none of them is the model (``./diagnose``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module


@dataclass(frozen=True)
class Subcommand:
    """One command.

    Attributes:
        usage: what follows its name.
        summary: its line in the help of the main command.
        module: has its typer application, ``app``; imported when it is called.
    """

    usage: str
    summary: str
    module: str


SUBCOMMANDS = {
    "diagnose": Subcommand(
        "MODEL IMAGES...",
        "Whether local statistics help, from images alone.",
        "tlcconvert.cli.diagnose",
    ),
    "tune": Subcommand(
        "MODEL DEGRADED CLEAN",
        "The best window, from images and clean ones.",
        "tlcconvert.cli.tune",
    ),
}
_MAIN = "tlcconvert.cli.command"


def run(arguments: Sequence[str]) -> None:
    """Runs the command that ``arguments`` name, and exits."""
    word, *rest = arguments or ("",)
    if word in SUBCOMMANDS:
        import_module(SUBCOMMANDS[word].module).app(rest, prog_name=f"tlcconvert {word}")
    else:
        import_module(_MAIN).app(list(arguments))
