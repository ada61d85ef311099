"""Fields of dataclasses as parameters of the command: each is there, and what is typed arrives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from tlcconvert.cli import command as cli
from tlcconvert.cli.parameters import filled, with_parameters_of
from tlcconvert.cli.request import Request
from tlcconvert.errors import InputError
from tlcconvert.options import Options
from tlcconvert.options.face import FieldsOf, Flag, Panel, Positional, ReadOff
from tlcconvert.options.numbers_as_text import whole_number
from tlcconvert.options.option import Option, options_of
from tlcconvert.tuning.plan import Plan

NEEDED = ["--train-size", "64", "-o", "out.onnx"]
COMPANIONS = {
    "factory": [],
    "weights": ["--model", "a:b"],
    "costs": ["--knobs"],
    "calibrate": ["--knobs"],
    "io": ["--dtype", "float16"],
    "images": ["--report", "report.html"],
}
"""What an option needs beside it, where that is not a model file or nothing."""
TEXTS = {
    "train_size": "256x384",
    "static_size": "72x128",
    "verify_sizes": "64x64,2x31x40",
    "target": "openvino",
    "dtype": "float16",
    "io": "float16",
    "opset": "20",
    "base_ratio": "2.5",
    "pinned": "alpha=1",
}
"""What is typed, where "3" is no value."""


def fields_of(group: type) -> Iterator[Option]:
    """Those of the groups inside it too."""
    for option in options_of(group):
        if isinstance(option.face, FieldsOf):
            yield from fields_of(option.face.group)
        else:
            yield option


FIELDS = [*fields_of(Request), *fields_of(Options)]
FLAGS = [option for option in FIELDS if isinstance(option.face, Flag)]


def test_every_option_of_the_command_is_a_field_and_every_field_with_a_face_an_option() -> None:
    typed = [option.name for option in FIELDS if isinstance(option.face, Flag | Positional)]
    assert len(set(typed)) == len(typed)
    assert {parameter.name for parameter in get_command(cli.app).params} == set(typed)
    assert all(option.face.other in typed for option in FIELDS if isinstance(option.face, ReadOff))


def test_the_help_has_the_panels_in_their_order_and_no_option_twice() -> None:
    text = CliRunner().invoke(cli.app, ["--help-all"], env={"COLUMNS": "200", "TERMINAL_WIDTH": "200"}).output
    places = [text.index(f"─ {panel.value} ─") for panel in Panel if panel.value]
    assert places == sorted(places)
    panels = text[text.index("─ Options ─") :]
    for option in FLAGS:
        names = option.flags[-1].split("/")
        assert all(panels.count(f" {name} ") == 1 for name in names), option.name


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The fields of what the command would run, by name."""
    seen: dict[str, Any] = {}

    def record(request: Request, options: Options, errors: object) -> None:
        for group in (request, options, options.routing):
            seen.update({option.name: getattr(group, option.name) for option in options_of(type(group))})
        del seen["routing"]

    monkeypatch.setattr(cli, "run", record)
    monkeypatch.setattr(cli, "read_plan", lambda path: Plan("", (64, 64), 1.5, ()))
    return seen


@pytest.mark.parametrize("option", FLAGS, ids=lambda option: option.name)
def test_what_is_typed_arrives_at_its_field(typed: dict[str, Any], option: Option) -> None:
    companions = COMPANIONS.get(option.name, [])
    model = [] if option.name in ("factory", "weights") else ["model.pth"]
    without = [*model, *NEEDED, *companions]
    value = [] if isinstance(option.default, bool) else [TEXTS.get(option.name, "3")]
    assert CliRunner().invoke(cli.app, [*without, option.departure, *value]).exit_code == 0, option.name
    after = dict(typed)
    if option.name not in ("train_size", "output", "factory"):
        assert CliRunner().invoke(cli.app, without).exit_code == 0
        assert {name for name in typed if typed[name] != after[name]} == {option.name}
    assert after[option.name] != option.default


@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    [
        ([], "train_size", (64, 64)),
        (["--train-size", "256x384"], "train_size", (256, 384)),
        (["--static", "72x128"], "static_size", (72, 128)),
        (["--verify-sizes", "64x64,2x31x40"], "verify_sizes", ((64, 64), (2, 31, 40))),
        ([], "verify_sizes", ()),
        (["--base-ratio", "2"], "base_ratio", 2.0),
        (["--output-index", "-1"], "output_index", -1),
        ([], "exported_program", False),
        (["-o", "out.pt2"], "exported_program", True),
        (["--knobs", "--costs", "c.json"], "costs", Path("c.json")),
    ],
)
def test_text_is_read(typed: dict[str, Any], arguments: list[str], name: str, value: object) -> None:
    assert CliRunner().invoke(cli.app, ["model.pth", *NEEDED, *arguments]).exit_code == 0
    assert typed[name] == value


@dataclass(frozen=True)
class Paint:
    coats: Annotated[int, Flag("How often.", panel=Panel.FILE, metavar="N", number=whole_number)] = 1
    dry: Annotated[bool, Flag("Let it dry.", ("--dry/--no-dry",), Panel.FILE, before="coats")] = True


@dataclass(frozen=True)
class Wall:
    color: Annotated[str, Flag("A word.", reads=str.upper)] = "RED"
    paint: Annotated[Paint, FieldsOf(Paint)] = Paint()


def test_one_field_is_an_option() -> None:
    app, walls = typer.Typer(add_completion=False), []

    @app.command()
    @with_parameters_of(Wall)
    def command(**values: Any) -> None:
        walls.append(filled(Wall, values))

    assert CliRunner().invoke(app, []).exit_code == 0
    assert CliRunner().invoke(app, ["--color", "blue", "--no-dry", "--coats", "3"]).exit_code == 0
    assert walls == [Wall(), Wall("BLUE", Paint(3, dry=False))]
    refused = CliRunner().invoke(app, ["--coats", "many"])
    assert refused.exit_code == 2
    assert "--coats" in refused.stderr and "whole number" in refused.stderr
    assert [parameter.name for parameter in get_command(app).params] == ["color", "dry", "coats"]


def test_a_group_that_does_not_take_its_values_says_so() -> None:
    values = dict.fromkeys((option.name for option in FIELDS), None)
    with pytest.raises(InputError, match="Name one network"):
        filled(Request, values)
