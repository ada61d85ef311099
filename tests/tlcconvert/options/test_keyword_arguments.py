"""The fields of a dataclass as keyword arguments: what Python shows of them, and what arrives."""

from __future__ import annotations

import inspect
import pydoc
from dataclasses import KW_ONLY, dataclass
from typing import Annotated, get_type_hints

import pytest

import tlcconvert
from tlcconvert.options import Options
from tlcconvert.options.face import PythonOnly
from tlcconvert.options.keyword_arguments import taking
from tlcconvert.options.option import explained, options_of


@explained
@dataclass(frozen=True)
class Toy:
    """What a toy is asked for.

    Raises:
        ValueError: never.
    """

    size: Annotated[int, "in pixels.", PythonOnly("a toy")] = 4
    _: KW_ONLY
    color: Annotated[str, "a word.", PythonOnly("a toy")] = "red"


@taking(Toy)
def painted(network: str, options: Toy) -> tuple[str, int, str]:
    """Paints.

    Args:
        network: the canvas.

    Raises:
        KeyError: no such color.
    """
    return network, options.size, options.color


def test_fields_are_arguments() -> None:
    assert painted("net") == ("net", 4, "red")
    assert painted("net", 5, color="blue") == painted(network="net", size=5, color="blue")
    with pytest.raises(TypeError, match="colour"):
        painted("net", colour="blue")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="positional"):
        painted("net", 5, "blue")  # type: ignore[misc]


def test_signature_and_documentation_show_the_fields() -> None:
    assert str(inspect.signature(painted)) == (
        "(network: str, size: int = 4, *, color: str = 'red') -> tuple[str, int, str]"
    )
    assert inspect.getdoc(painted) == (
        "Paints.\n\nArgs:\n    network: the canvas.\n    size: in pixels.\n    color: a word.\n\n"
        "Raises:\n    KeyError: no such color."
    )
    assert get_type_hints(painted)["color"] is str
    assert Toy.__doc__ == (
        "What a toy is asked for.\n\nAttributes:\n    size: in pixels.\n    color: a word.\n\n"
        "Raises:\n    ValueError: never."
    )
    assert str(inspect.signature(Toy)) == "(size: int = 4, *, color: str = 'red') -> None"


def test_convert_shows_every_option() -> None:
    network, *others = inspect.signature(tlcconvert.convert).parameters.values()
    assert network.name == "network"
    shown = [(parameter.name, parameter.annotation, parameter.default) for parameter in others]
    assert shown == [(option.name, option.type, option.default) for option in options_of(Options)]
    page = pydoc.plain(pydoc.render_doc(tlcconvert.convert))
    assert all(f" {option.name}: {option.meaning[:20]}" in page for option in options_of(Options))
    assert page.index("network: any") < page.index("train_size: height") < page.index("Raises:")
    assert "Flag(" not in page
