"""ONNX's own tests of its operators: each passes, or what is not computed is refused by name."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx.backend.test.case.node import collect_testcases

from tlcconvert.errors import InputError
from tlcconvert.onnx_input.network.onnx_network import OnnxNetwork
from tlcconvert.onnx_input.network.refusals import refuse_what_is_not_computed
from tlcconvert.onnx_input.operators import OPERATORS
from tlcconvert.onnx_input.reading.model_file import ModelFile, in_one_form
from tlcconvert.onnx_input.values.sizes import Sizes, tensor_of

_DTYPES = {"float32", "float64", "int64", "int32", "bool", "uint8", "int8", "int16"}

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    CASES = {case.name: case for case in collect_testcases(None)}

_OPERATORS = [name for name in CASES if "_expanded" not in name]
_REFUSED_AT_SOME_VALUES = {
    "test_if": "decides by the values of an image",
    "test_reduce_max_empty_set": "reduces no elements",
    "test_reduce_max_empty_set_bool": "reduces no elements",
    "test_reduce_min_empty_set": "reduces no elements",
    "test_resize_downsample_scales_linear_align_corners": "scales that are no whole numbers",
    "test_resize_downsample_scales_cubic_align_corners": "scales that are no whole numbers",
    "test_affine_grid_3d_align_corners_expanded": "decides by the values of an image",
    **{name: "is in training mode" for name in CASES if name.startswith("test_training_dropout")},
}


def model_of(name: str) -> ModelFile:
    """The case's model, as of the nearest opset that is read."""
    model = onnx.ModelProto.FromString(CASES[name].model.SerializeToString())
    for opset in model.opset_import:
        if not opset.domain:
            opset.version = min(max(opset.version, 7), 24)
    file = in_one_form(model, Path(f"{name}.onnx"))
    refuse_what_is_not_computed(file.model.graph, file.opsets)
    return file


def is_numeric(arrays: Sequence[Any]) -> bool:
    return all(isinstance(array, np.ndarray | np.generic) and array.dtype.name in _DTYPES for array in arrays)


def results(file: ModelFile, inputs: Sequence[Any], *, constant: bool) -> list[torch.Tensor]:
    """Of the network; with ``constant`` every input but the first is a weight."""
    names = [value.name for value in file.model.graph.input]
    tensors = dict(zip(names, (torch.from_numpy(np.array(array)) for array in inputs), strict=True))
    given = dict(list(tensors.items())[1:]) if constant else {}
    network = OnnxNetwork(file.model.graph, file.opsets, given)
    read = {name: tensor for name, tensor in tensors.items() if name not in given}
    with torch.no_grad():
        values = network._run(network.plan, dict(read))
    return [tensor_of(value) if isinstance(value, Sizes) else value for value in values]


def check(name: str, *, constant: bool) -> None:
    try:
        file = model_of(name)
    except InputError as error:
        pytest.skip(str(error))
    case = CASES[name]
    for inputs, outputs in case.data_sets:
        if not is_numeric(inputs) or not is_numeric(outputs):
            pytest.skip("types that are not read")
        if name in _REFUSED_AT_SOME_VALUES:
            with pytest.raises(InputError, match=_REFUSED_AT_SOME_VALUES[name]):
                results(file, inputs, constant=constant)
            return
        computed = results(file, inputs, constant=constant)
        for own, expected in zip(computed, outputs, strict=True):
            assert own.numpy().dtype == np.asarray(expected).dtype
            assert tuple(own.shape) == np.shape(expected)
            np.testing.assert_allclose(own.numpy(), expected, rtol=case.rtol, atol=max(case.atol, 1e-6))


@pytest.mark.parametrize("name", _OPERATORS)
def test_an_operator_computes_what_onnx_says(name: str) -> None:
    check(name, constant=False)


@pytest.mark.full
@pytest.mark.parametrize("name", _OPERATORS)
def test_an_operator_computes_it_of_constants(name: str) -> None:
    check(name, constant=True)


@pytest.mark.full
@pytest.mark.parametrize("name", sorted(CASES.keys() - {*_OPERATORS}))
@pytest.mark.parametrize("constant", [False, True])
def test_an_operator_written_in_others_computes_the_same(name: str, constant: bool) -> None:
    check(name, constant=constant)


def operators_of(names: Sequence[str]) -> Iterator[str]:
    for name in names:
        try:
            yield from (node.op_type for node in model_of(name).model.graph.node)
        except InputError:
            continue


def test_nearly_every_operator_has_a_case_of_its_own() -> None:
    without = {"GlobalLpPool", "Scatter", "com.microsoft.Gelu", "DeformConv", "Upsample"}
    assert {*OPERATORS} - {*operators_of(_OPERATORS)} <= without
