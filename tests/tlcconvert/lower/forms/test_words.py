"""Both vocabularies have every word, and every operator is written in both."""

from __future__ import annotations

import torch

from passes.statistics import OPERATORS
from passes.words import aten
from passes.words.words import Words
from tlcconvert.lower.forms import ON_A_CPU, OVERRIDES, PORTABLE
from tlcconvert.lower.forms.words import Onnx

WORDS = {name for name in vars(Words) if not name.startswith("_")}


def test_each_word_means_something_in_aten_and_in_onnx() -> None:
    assert not [word for word in WORDS if not callable(getattr(aten, word, None))]
    assert not [word for word in WORDS if not callable(getattr(Onnx, word, None))]


def test_onnx_says_nothing_that_aten_cannot() -> None:
    assert {name for name, value in vars(Onnx).items() if callable(value) and name[0] != "_"} <= WORDS


def test_every_registered_operator_has_a_row_and_is_lowered_for_every_runtime() -> None:
    names = {name for name in torch._C._dispatch_get_all_op_names() if name.startswith("tlc::")}
    overloads = {operator.overload for operator in OPERATORS}
    assert {str(overload).removesuffix(".default").replace(".", "::") for overload in overloads} == names
    assert overloads <= PORTABLE.keys() & ON_A_CPU.keys()


def test_only_an_operator_without_a_formula_has_another_algorithm_in_onnx() -> None:
    assert {operator.overload for operator in OPERATORS if operator.formula is None} == {*OVERRIDES}
