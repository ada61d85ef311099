"""The memory of what a file computes from sizes alone, such as matrices that bring a grid of windows to pixels.

    python -m benchmarks.matrices_of_sizes 2160x3840 --window 384

A line per operator of a converted graph, on a map of that size: all its float values that depend on the size of the
map and not on what is in it. They are no weights, exist while the file runs, and do not grow with channels or batch.
Values are computed by onnxruntime; their sum is the peak of a runtime that frees none of them.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import onnx
import onnxruntime
import torch
import typer
from torch import Tensor, nn
from torch.export import Dim, export

from passes.statistics import OPERATORS, Operator
from tests.operator_calls import arguments_of, name_of
from tlcconvert.lower.lower import lower
from tlcconvert.options.sizes_as_text import as_static_size

_CHANNELS = 2
_SAMPLES_PER_WINDOW = 12
_EXAMPLE = (2, _CHANNELS, 44, 52)


class _Call(nn.Module):
    """``operator`` as a converted graph calls it, with ``window`` pixels on both sides."""

    def __init__(self, operator: Operator, window: int) -> None:
        super().__init__()
        self.operator, self.window = operator, window

    def forward(self, x: Tensor) -> Tensor:
        ratio = max(1, self.window // _SAMPLES_PER_WINDOW)
        result: Tensor = self.operator.overload(
            *arguments_of(self.operator, x, (self.window, self.window), ratio=ratio)
        )
        return result


def written(operator: Operator, window: int) -> onnx.ModelProto:
    """A portable file of the operator alone, of the input ``x`` [N, C, H, W]."""
    axes = dict.fromkeys((0, 2, 3), Dim.DYNAMIC)
    program = export(_Call(operator, window), (torch.rand(_EXAMPLE),), dynamic_shapes=(axes,))
    return lower(program, 18, ["x"], list(program.graph_signature.user_outputs)).model


def floats_of_sizes(model: onnx.ModelProto, place: str) -> list[str]:
    """The float values computed from sizes and constants alone by the nodes of ``place``."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    of_sizes = {tensor.name for tensor in graph.initializer}
    floats = {
        value.name for value in graph.value_info if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    }
    found = []
    for node in graph.node:
        if node.op_type == "Shape" or all(name in of_sizes for name in node.input if name):
            of_sizes.update(node.output)
            if node.name.startswith(f"{place}/"):
                found += [name for name in node.output if name in floats]
    return found


def computed(model: onnx.ModelProto, names: list[str], size: tuple[int, int]) -> dict[str, np.ndarray]:
    """The values of ``names`` for a map of ``size``."""
    if not names:
        return {}
    asked = onnx.ModelProto()
    asked.CopyFrom(model)
    del asked.graph.output[:]
    asked.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    session = onnxruntime.InferenceSession(asked.SerializeToString(), providers=["CPUExecutionProvider"])
    x = np.zeros((1, _CHANNELS, *size), np.float32)
    return dict(zip(names, session.run(names, {"x": x}), strict=True))


def main(
    size: Annotated[str, typer.Argument(help="Height and width of the map.")] = "2160x3840",
    window: Annotated[int, typer.Option(help="Side of the window on that map.")] = 384,
) -> None:
    """Print a line per operator."""
    for operator in OPERATORS:
        name = name_of(operator)
        model = written(operator, window)
        found = computed(model, floats_of_sizes(model, name), as_static_size(size)).values()
        total = sum(array.nbytes for array in found) / 2**20
        largest = max(found, key=lambda array: array.nbytes, default=np.empty(0))
        print(f"{name:20} {total:8.2f} MiB, the largest {'x'.join(map(str, largest.shape))}", flush=True)


if __name__ == "__main__":
    typer.run(main)
