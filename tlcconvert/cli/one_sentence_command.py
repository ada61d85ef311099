"""A command whose every failure is one sentence on standard error: wrong usage too."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from typer.core import TyperCommand
from typer.exceptions import Abort, TyperException

from tlcconvert.machine import termination
from tlcconvert.shown_name import shown_text

_WRONG_USAGE = 2
_INTERRUPTED = 130
_MOST_CHARACTERS = 600


class OneSentenceCommand(TyperCommand):
    """Typer's command without its boxes around errors; its help is as it was."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Runs the command with ``args`` and, in standalone mode, exits with its code."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, False, windows_expand_args, **extra)
        try:
            code = super().main(args, prog_name, complete_var, False, windows_expand_args, **extra) or 0
        except TyperException as error:
            print(_sentence(error.format_message()), file=sys.stderr)
            sys.exit(_WRONG_USAGE)
        except Abort:
            code = _INTERRUPTED
        if code == _INTERRUPTED:
            print(termination.sentence(), file=sys.stderr)
            code = termination.exit_code()
        sys.exit(code)


def _sentence(message: str) -> str:
    text = shown_text(message.replace("Value error, ", ""), _MOST_CHARACTERS)
    return text if text.endswith((".", "…", "?")) else f"{text}."
