"""Ways of exporting a network to ONNX that people use."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn
from torch.export import Dim

Export = Callable[[nn.Module, Tensor, Path], None]
"""Writes a network to a file, by the example of one image."""


def _legacy(network: nn.Module, image: Tensor, path: Path, *, opset: int, fixed: bool = False) -> None:
    axes = {0: "batch", 2: "height", 3: "width"}
    torch.onnx.export(
        network,
        (image,),
        path,
        opset_version=opset,
        dynamo=False,
        input_names=["image"],
        output_names=["restored"],
        dynamic_axes=None if fixed else {"image": axes, "restored": axes},
    )


def _dynamo(network: nn.Module, image: Tensor, path: Path, *, opset: int) -> None:
    dynamic = dict.fromkeys((0, 2, 3), Dim.DYNAMIC)
    torch.onnx.export(
        network,
        (image.repeat(2, 1, 1, 1),),
        path,
        opset_version=opset,
        dynamo=True,
        dynamic_shapes=(dynamic,),
        external_data=False,
        verbose=False,
    )


def _simplified(network: nn.Module, image: Tensor, path: Path) -> None:
    import onnxsim

    _legacy(network, image, path, opset=13)
    simplified, is_right = onnxsim.simplify(onnx.load(path))
    assert is_right
    onnx.save(simplified, path)


def _slimmed(network: nn.Module, image: Tensor, path: Path) -> None:
    import onnxslim

    _legacy(network, image, path, opset=13)
    onnx.save(onnxslim.slim(onnx.load(path)), path)


def _half(network: nn.Module, image: Tensor, path: Path) -> None:
    from onnxruntime.transformers.float16 import convert_float_to_float16

    _legacy(network, image, path, opset=13)
    onnx.save(convert_float_to_float16(onnx.load(path)), path)


EXPORTS: dict[str, Export] = {
    "legacy 11": partial(_legacy, opset=11),
    "legacy 13": partial(_legacy, opset=13),
    "legacy 17": partial(_legacy, opset=17),
    "dynamo 18": partial(_dynamo, opset=18),
    "dynamo 23": partial(_dynamo, opset=23),
    "onnxsim": _simplified,
    "onnxslim": _slimmed,
    "float16": _half,
    "fixed size": partial(_legacy, opset=13, fixed=True),
}
"""The number is the opset; simplified files and float16 are made of a legacy export of opset 13."""
