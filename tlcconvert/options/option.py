"""Reads the fields of a dataclass of options: each has in one place all that is said of it.

A field is ``name: Annotated[type, meaning, face] = default``; its face is one of :mod:`tlcconvert.options.face`, the
meaning may be left out.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Collection
from dataclasses import MISSING, dataclass, fields
from typing import Any, TypeVar, get_args, get_origin

from tlcconvert.options.face import Face, Flag
from tlcconvert.options.given import Given

T = TypeVar("T")

_WIDTH = 110


@dataclass(frozen=True)
class Option:
    """One option.

    Attributes:
        name: of the field, and of the keyword argument.
        type: of what a caller gives.
        default: as a caller would give it, or ``inspect.Parameter.empty``.
        meaning: for who reads the documentation of the Python function; ``""`` where nobody does.
        face: how the command line has it.
    """

    name: str
    type: Any
    default: object
    meaning: str
    face: Face

    @property
    def flags(self) -> tuple[str, ...]:
        """Its spellings on the command line; none where it has no flag."""
        if not isinstance(self.face, Flag):
            return ()
        return self.face.flags or (f"--{self.name.replace('_', '-')}",)

    @property
    def departure(self) -> str:
        """What is typed for another value than the default: ``--fast``, ``--no-fold``; in Python ``without=``."""
        if not self.flags:
            return f"{self.name}="
        on, _, off = self.flags[-1].partition("/")
        return off if self.default is True else on


def options_of(group: type) -> tuple[Option, ...]:
    """The fields of ``group``, a dataclass, in their order."""
    annotations = inspect.get_annotations(group, eval_str=True)
    options = []
    for field in fields(group):
        given, *said = get_args(annotations[field.name])
        (face,) = (part for part in said if isinstance(part, Face))
        options.append(
            Option(
                name=field.name,
                type=get_args(given)[0] if get_origin(given) is Given else given,
                default=inspect.Parameter.empty if field.default is MISSING else field.default,
                meaning=next((part for part in said if isinstance(part, str)), ""),
                face=face,
            )
        )
    return tuple(options)


def asked_for(options: object, besides: Collection[str] = ()) -> list[str]:
    """How what differs from the defaults in ``options`` is typed; without the fields named in ``besides``."""
    return [
        option.departure
        for option in options_of(type(options))
        if option.name not in besides and getattr(options, option.name) != option.default
    ]


def documented(documentation: str | None, group: type, heading: str = "") -> str:
    """``documentation`` with a paragraph per option of ``group``, before what it raises."""
    said, raises, rest = inspect.cleandoc(documentation or "").partition("\n\nRaises:")
    meanings = "\n".join(
        textwrap.fill(
            f"{option.name}: {option.meaning}", _WIDTH, initial_indent=4 * " ", subsequent_indent=8 * " "
        )
        for option in options_of(group)
    )
    return f"{said}\n{heading}{meanings}{raises}{rest}"


def explained(group: type[T]) -> type[T]:
    """A class decorator: docstring and signature show what the fields mean and take."""
    group.__doc__ = documented(group.__doc__, group, heading="\nAttributes:\n")
    types = {option.name: option.type for option in options_of(group)}
    vars(group)["__init__"].__annotations__ = {**types, "return": None}
    return group
