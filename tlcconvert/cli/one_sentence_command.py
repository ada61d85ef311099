"""A command whose every failure is one sentence on standard error: wrong usage too."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from typing import Any

from typer.core import TyperCommand
from typer.exceptions import Abort, TyperException

from tlcconvert.cli.parameters import USUAL
from tlcconvert.machine import termination
from tlcconvert.shown_name import shown_text

_WRONG_USAGE = 2
_INTERRUPTED = 130
_MOST_CHARACTERS = 600
_HELP_ALL = "--help-all"


class OneSentenceCommand(TyperCommand):
    """Typer's command without its boxes around errors; its help fits a screen, and ``--help-all`` has the rest."""

    def get_help_option_names(self, ctx: Any) -> list[str]:
        """Both ask for help; :meth:`format_help` tells them apart."""
        return ["--help", _HELP_ALL]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Remembers which help is asked for: that option ends the parsing."""
        ctx.meta[_HELP_ALL] = _HELP_ALL in args
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Prints the options that are usual, or all."""
        if ctx.meta.get(_HELP_ALL):
            super().format_help(ctx, formatter)
            return
        usual: Collection[str] = getattr(self.callback, USUAL, ())
        options, boxes = self.params, self.rich_markup_mode
        self.params, self.rich_markup_mode = [option for option in options if option.name in usual], None
        try:
            super().format_help(ctx, formatter)
        finally:
            more = len(options) - len(self.params)
            self.params, self.rich_markup_mode = options, boxes
        formatter.write_paragraph()
        formatter.write_text(f"{more} more options: {ctx.command_path} {_HELP_ALL}")

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
