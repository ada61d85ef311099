"""How text that came from a stranger is shown: keys and names in a file, file names, errors that quote them.

A terminal obeys escape sequences in what is printed on it, and a name may be megabytes long.
"""

from __future__ import annotations

from pathlib import PurePath
from reprlib import Repr

MOST_CHARACTERS = 300

_BOUNDED = Repr()
_BOUNDED.maxstring = _BOUNDED.maxother = _BOUNDED.maxlong = MOST_CHARACTERS


def shown(name: object) -> str:
    """``name`` as its ``repr``, every character of it printable, at most 300 of them.

    A path that is plain text of that length is shown as it is, for it is what the person typed.
    """
    if isinstance(name, PurePath):
        name = str(name)
        if name.isprintable() and len(name) <= MOST_CHARACTERS:
            return name
    try:
        text = _BOUNDED.repr(name)
    except ValueError:  # an integer of more digits than Python writes
        text = f"<{type(name).__name__}>"
    return shown_text(text)


def shown_text(text: object, most: int = MOST_CHARACTERS) -> str:
    """``text``, such as an error, as one line of at most ``most`` printable characters, without quotes."""
    line = " ".join(str(text).split())[: most + 1]
    escaped = "".join(character if character.isprintable() else repr(character)[1:-1] for character in line)
    return escaped if len(escaped) <= most else escaped[: most - 1] + "…"
