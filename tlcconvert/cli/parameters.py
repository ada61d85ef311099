"""Makes dataclasses of options the parameters of a command, and what was typed an instance of them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Annotated, Any, TypeVar

import typer

from tlcconvert.errors import InputError
from tlcconvert.options.face import FieldsOf, Flag, Panel, Positional, PythonOnly, ReadOff
from tlcconvert.options.option import Option, options_of

T = TypeVar("T")
Command = Callable[..., None]

USUAL = "usual_options"
"""The attribute of a command that names what its short help shows."""
_PANELS = list(Panel)


def with_parameters_of(*groups: type, besides: Collection[str] = ()) -> Callable[[Command], Command]:
    """A decorator of functions of keyword arguments: typer sees the options of ``groups``, as the help has them.

    Args:
        besides: names of fields the command does without; they keep their defaults.
    """
    options = _in_order_of_help(_typed_options(groups, besides))
    parameters = [_parameter(option) for option in options]

    def decorate(command: Command) -> Command:
        vars(command)["__signature__"] = inspect.Signature(parameters, return_annotation=None)
        vars(command)[USUAL] = frozenset(option.name for option in options if _is_usual(option))
        command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return command

    return decorate


def filled(group: type[T], values: Mapping[str, Any]) -> T:
    """An instance of ``group``, of what was typed.

    Args:
        values: by the name of the option; what is missing keeps its default.

    Raises:
        InputError: a text cannot be read, or ``group`` does not take the values.
    """
    arguments: dict[str, Any] = {}
    for option in options_of(group):
        match option.face:
            case Flag() | Positional() if option.name not in values:
                pass
            case Flag(reads=None) | Positional():
                arguments[option.name] = values[option.name]
            case Flag(reads=reads) if reads is not None and values[option.name] is not None:
                arguments[option.name] = reads(values[option.name])
            case ReadOff(other, reads):
                arguments[option.name] = reads(values[other])
            case FieldsOf(inner):
                arguments[option.name] = filled(inner, values)
            case Flag() | PythonOnly():
                pass
    return group(**arguments)


def _typed_options(groups: Iterable[type], besides: Collection[str]) -> Iterator[Option]:
    for group in groups:
        for option in options_of(group):
            if option.name in besides:
                continue
            if isinstance(option.face, FieldsOf):
                yield from _typed_options([option.face.group], besides)
            elif isinstance(option.face, Flag | Positional):
                yield option


def _in_order_of_help(options: Iterable[Option]) -> list[Option]:
    ordered = sorted(options, key=lambda option: _PANELS.index(_panel(option)))
    for option in list(ordered):
        if isinstance(option.face, Flag) and option.face.before in {other.name for other in ordered}:
            ordered.remove(option)
            ordered.insert([other.name for other in ordered].index(option.face.before), option)
    return ordered


def _is_usual(option: Option) -> bool:
    return not isinstance(option.face, Flag) or option.face.panel is Panel.MAIN or option.face.is_usual


def _panel(option: Option) -> Panel:
    return option.face.panel if isinstance(option.face, Flag) else Panel.MAIN


def _parameter(option: Option) -> inspect.Parameter:
    kind, default = option.type, option.default
    if isinstance(option.face, Flag):
        flag = option.face
        if flag.reads is not None:
            kind, default = str | None, None
        shown = typer.Option(
            *option.flags,
            help=flag.help,
            metavar=flag.metavar,
            min=flag.least,
            parser=None if flag.number is None else _named(flag.number),
            rich_help_panel=flag.panel.value or None,
        )
    else:
        assert isinstance(option.face, Positional)
        shown = typer.Argument(help=option.face.help, metavar=option.face.metavar)
    return inspect.Parameter(
        option.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, shown]
    )


def _named(number: Callable[[object], object]) -> Callable[[object], object]:
    """``number``, whose refusals name the flag."""

    @functools.wraps(number)
    def read(text: object) -> object:
        try:
            return number(text)
        except InputError as error:
            raise typer.BadParameter(str(error)) from error

    return read
