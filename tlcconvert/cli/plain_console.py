"""A console that prints text as it is: brackets and colons in a name are no markup."""

from __future__ import annotations

from rich.console import Console

_MOST_CHARACTERS = 20_000


def plain_console(*, stderr: bool = False) -> Console:
    """On standard output, or on standard error."""
    return Console(stderr=stderr, markup=False, emoji=False)


def printable(text: str) -> str:
    """``text`` with every character that would do something to a terminal, but line breaks, written out."""
    kept = "\n".join(map(_escaped, text[:_MOST_CHARACTERS].split("\n")))
    return kept if len(text) <= _MOST_CHARACTERS else f"{kept}…"


def _escaped(line: str) -> str:
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in line)
