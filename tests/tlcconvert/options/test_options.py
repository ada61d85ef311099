"""The options of a conversion: each is one field, with all that is said of it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tlcconvert.errors import InputError
from tlcconvert.options import Options, RoutingOptions
from tlcconvert.options.face import FieldsOf, PythonOnly
from tlcconvert.options.option import asked_for, options_of

GROUPS = (Options, RoutingOptions)


@pytest.mark.parametrize("group", GROUPS)
def test_every_field_says_what_it_means(group: type) -> None:
    for option in options_of(group):
        assert option.meaning.endswith("."), option.name
        assert f"    {option.name}: {option.meaning[:20]}" in (group.__doc__ or "")


def test_every_gathered_group_is_checked_here() -> None:
    inner = [option.face.group for option in options_of(Options) if isinstance(option.face, FieldsOf)]
    assert {Options, *inner} == set(GROUPS)


def test_what_only_python_has_says_why() -> None:
    only = {option.name: option.face for option in options_of(Options) if isinstance(option.face, PythonOnly)}
    assert set(only) == {"extra_inputs", "pixels", "without", "progress"}
    assert all(face.reason for face in only.values())


def test_a_train_size_is_one_number_or_two() -> None:
    assert Options(256) == Options((256, 256))
    assert Options(256).train_size == (256, 256)


def test_sequences_of_every_kind_are_read_once_and_kept() -> None:
    options = Options(32, verify_sizes=[(8, 9)], without=iter(["gelu"]))  # type: ignore[arg-type]
    assert (options.verify_sizes, options.without) == (((8, 9),), ("gelu",))


def test_no_routing_is_the_default_routing() -> None:
    assert Options(32, routing=None) == Options(32, routing=RoutingOptions()) == Options(32)


def test_options_are_judged_when_they_are_made() -> None:
    with pytest.raises(InputError, match="between 1 and"):
        Options(0)


def test_what_was_asked_for_is_named_as_it_is_typed() -> None:
    options = Options(32, fold_branches=False, fast=True, static_size=(8, 8), without=["gelu"])
    assert asked_for(options) == ["--train-size", "--no-fold", "--fast", "--static", "without="]
    assert asked_for(options, besides=("train_size", "fast")) == ["--no-fold", "--static", "without="]
    assert asked_for(Options(localize_statistics=False)) == ["--no-localize"]
    assert asked_for(RoutingOptions(patch_size=32)) == ["--patch-size"]


def test_options_are_read_without_what_takes_seconds_to_import() -> None:
    code = (
        "import sys, tlcconvert.cli.request; from tlcconvert.options import Options; Options(32);"
        "assert not {'torch', 'typer', 'onnx', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
