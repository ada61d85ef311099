"""Random programs of affine operations, built node by node so that hundreds of them take seconds.

An instruction is ``(operation, first operand, second operand, choice)``; operands are indices into the values
made so far, taken modulo their number, so every list of instructions is a program and a failing one shrinks.
Weights are float64: a folded program must then equal the original far below any rounding a fold could hide
in.
"""

from __future__ import annotations

import operator
import random
from collections.abc import Callable
from typing import Any

import sympy
import torch
from torch import fx, nn
from torch._dispatch.python import enable_python_dispatcher
from torch.export import ExportedProgram

from passes.program import add_parameter, fake_mode, refresh
from tests.passes.fold.programs import CONVOLUTIONS, capture

CHANNELS = 4
OPERATIONS: dict[str, Callable[..., fx.Node | None]] = {}
Instruction = tuple[str, int, int, int]
_aten = torch.ops.aten
_END = 2**63 - 1


class _Start(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.relu()


def empty_program() -> ExportedProgram:
    """A program of one ReLU on float64 [N, 4, H, W]."""
    return capture(_Start(), CHANNELS, torch.float64)


def rebuild(program: ExportedProgram, instructions: list[Instruction], outputs: int, seed: int) -> None:
    """Makes ``program``, from :func:`empty_program`, compute what ``instructions`` say."""
    graph = program.graph
    (end,) = graph.find_nodes(op="output")
    start = next(node for node in graph.nodes if node.target is _aten.relu.default)
    specs = program.graph_signature.output_specs
    end.args = ((start,),)
    del specs[1:]
    specs[0].arg.name = start.name
    refresh(program)
    builder = Builder(program, end, [start], seed)
    for operation, first, second, choice in instructions:
        builder.apply(operation, first, second, choice)
    chosen = builder.values[-outputs:]
    end.args = (tuple(chosen),)
    specs[:] = [type(specs[0])(specs[0].kind, type(specs[0].arg)(name=node.name), None) for node in chosen]
    refresh(program)


def macs_per_pixel(program: ExportedProgram) -> float:
    """Multiply-adds of the convolutions per input pixel of a very large image."""
    extent, total = 10**6, 0.0
    for node in program.graph.nodes:
        if node.target in CONVOLUTIONS:
            size = [_at(dimension, extent) for dimension in node.meta["val"].shape[2:]]
            total += node.args[1].meta["val"].numel() * size[0] * size[1] / extent**2
    return total


def _at(dimension: Any, extent: int) -> int:
    expression = dimension.node.expr if isinstance(dimension, torch.SymInt) else sympy.Integer(dimension)
    return int(expression.xreplace(dict.fromkeys(expression.free_symbols, extent)))


class Builder:
    """Appends operations to a program; ``values`` are the 4-D activations made so far."""

    def __init__(self, program: ExportedProgram, end: fx.Node, values: list[fx.Node], seed: int) -> None:
        self.program, self.end, self.values = program, end, values
        self.generator = torch.Generator().manual_seed(seed)

    def apply(self, operation: str, first: int, second: int, choice: int) -> None:
        a, b = (self.values[-1 - index % len(self.values)] for index in (first, second))
        made = OPERATIONS[operation](self, a, b, random.Random(choice))
        if made is not None:
            self.values.append(made)

    def call(self, target: Any, *args: Any, **kwargs: Any) -> fx.Node:
        with self.program.graph.inserting_before(self.end):
            node = self.program.graph.call_function(target, args, kwargs)
        with fake_mode(self.program), enable_python_dispatcher(), torch.no_grad():
            fakes = fx.map_arg((args, kwargs), lambda source: source.meta["val"])
            node.meta["val"] = target(*fakes[0], **fakes[1])
        return node

    def constant(self, *shape: int, keep: float = 1.0) -> fx.Node:
        tensor = torch.randn(shape, generator=self.generator, dtype=torch.float64)
        tensor *= torch.rand(shape, generator=self.generator) < keep
        return add_parameter(self.program, "w", tensor)

    def same_shape(self, a: fx.Node, b: fx.Node) -> fx.Node | None:
        """``b``, or the newest other value whose shape is that of ``a``."""
        wanted = [str(size) for size in a.meta["val"].shape]
        fits = [v for v in (b, *reversed(self.values)) if [str(s) for s in v.meta["val"].shape] == wanted]
        return next((v for v in fits if v is not a), a)


def _operation(make: Callable[[Builder, fx.Node, fx.Node, random.Random], fx.Node | None]) -> None:
    OPERATIONS[make.__name__.removeprefix("_")] = make


def _channels(node: fx.Node) -> int:
    return node.meta["val"].shape[1]


@_operation
def _convolution(build: Builder, a: fx.Node, b: fx.Node, choose: random.Random) -> fx.Node:
    inputs = _channels(a)
    groups = choose.choice([1, 1, 1, 2, inputs])
    groups = groups if inputs % groups == 0 else 1
    outputs = choose.choice([inputs, inputs, CHANNELS, 2 * CHANNELS, groups])
    outputs = outputs if outputs % groups == 0 else groups
    size = [choose.choice([1, 1, 3, 3, 2]) for _ in range(2)]
    dilation = [choose.choice([1, 1, 1, 2]) for _ in range(2)]
    weight = build.constant(outputs, inputs // groups, *size, keep=choose.choice([1, 1, 1, 0.5, 0]))
    bias = build.constant(outputs) if choose.random() < 0.4 else None
    stride = choose.choice([[1, 1]] * 6 + [[2, 2], [1, 2]])
    if stride == [1, 1] and choose.random() < 0.2:
        return build.call(_aten.conv2d.padding, a, weight, bias, stride, "same", dilation, groups)
    full = [(size[i] - 1) * dilation[i] // 2 for i in range(2)]
    padding = choose.choice([full, full, full, [0, 0], [2, 1]])
    return build.call(_aten.conv2d.default, a, weight, bias, stride, padding, dilation, groups)


@_operation
def _point(build: Builder, a: fx.Node, b: fx.Node, choose: random.Random) -> fx.Node:
    outputs = choose.choice([CHANNELS, 3 * CHANNELS])
    bias = build.constant(outputs) if choose.random() < 0.3 else None
    return build.call(_aten.conv2d.default, a, build.constant(outputs, _channels(a), 1, 1), bias)


@_operation
def _point_padded_by_its_bias(build: Builder, a: fx.Node, b: fx.Node, choose: random.Random) -> fx.Node:
    bias = build.constant(CHANNELS)
    point = build.call(_aten.conv2d.default, a, build.constant(CHANNELS, _channels(a), 1, 1), bias)
    value = build.call(_aten.pad.default, point, [1, 1, 1, 1], "constant", 0.0)
    border = build.call(_aten.view.default, bias, [1, CHANNELS, 1, 1])
    for dimension, start, end in choose.choice(
        [[(2, 0, 1), (2, -1, _END), (3, 0, 1), (3, -1, _END)]] * 3 + [[(2, 0, 1)]]
    ):
        piece = build.call(_aten.slice.Tensor, value, dimension, start, end)
        filled = build.call(_aten.copy.default, piece, border)
        value = build.call(_aten.slice_scatter.default, value, filled, dimension, start, end)
    return build.call(_aten.conv2d.default, value, build.constant(CHANNELS, CHANNELS, 3, 3))


@_operation
def _batch_norm(build: Builder, a: fx.Node, b: fx.Node, choose: random.Random) -> fx.Node:
    weight, bias, mean = (build.constant(_channels(a)) for _ in range(3))
    variance = add_parameter(build.program, "v", torch.rand(_channels(a), dtype=torch.float64) + 0.5)
    target = _aten._native_batch_norm_legit_no_training.default
    norm = build.call(target, a, weight, bias, mean, variance, 0.1, 1e-5)
    return build.call(operator.getitem, norm, 0)


@_operation
def _add(build: Builder, a: fx.Node, b: fx.Node, choose: random.Random) -> fx.Node:
    other = build.same_shape(a, b)
    return build.call(choose.choice([_aten.add.Tensor, _aten.add.Tensor, _aten.sub.Tensor]), a, other)


@_operation
def _scaled_residual(build: Builder, a: fx.Node, b: fx.Node, choose: random.Random) -> fx.Node:
    scaled = build.call(_aten.mul.Tensor, a, build.constant(1, _channels(a), 1, 1))
    return build.call(_aten.add.Tensor, build.same_shape(a, b), scaled)


@_operation
def _shift(build: Builder, a: fx.Node, b: fx.Node, choose: random.Random) -> fx.Node:
    constant = choose.choice([0.5, build.constant(_channels(a), 1, 1)])
    return build.call(choose.choice([_aten.add.Tensor, _aten.mul.Tensor]), a, constant)


@_operation
def _divide(build: Builder, a: fx.Node, b: fx.Node, choose: random.Random) -> fx.Node:
    return build.call(_aten.div.Tensor, build.call(_aten.neg.default, a), 3.0)


@_operation
def _concatenate(build: Builder, a: fx.Node, b: fx.Node, choose: random.Random) -> fx.Node | None:
    other = build.same_shape(a, b)
    return build.call(_aten.cat.default, [a, other], 1) if _channels(a) <= 2 * CHANNELS else None


@_operation
def _half(build: Builder, a: fx.Node, b: fx.Node, choose: random.Random) -> fx.Node | None:
    if _channels(a) < 2:
        return None
    parts = build.call(_aten.split.Tensor, a, _channels(a) // 2, 1)
    return build.call(operator.getitem, parts, choose.choice([0, 1]))


@_operation
def _channel_slice(build: Builder, a: fx.Node, b: fx.Node, choose: random.Random) -> fx.Node | None:
    return build.call(_aten.slice.Tensor, a, 1, 1, _END) if _channels(a) > 1 else None


@_operation
def _average_pool(build: Builder, a: fx.Node, b: fx.Node, choose: random.Random) -> fx.Node:
    stride, padding, counts = choose.choice(
        [(1, 1, True), (1, 0, True), (2, 0, True), (1, 1, False), (2, 1, True)]
    )
    return build.call(_aten.avg_pool2d.default, a, [3, 3], [stride] * 2, [padding] * 2, False, counts)


@_operation
def _pad(build: Builder, a: fx.Node, b: fx.Node, choose: random.Random) -> fx.Node:
    amounts = choose.choice([[1, 1, 1, 1], [0, 1, 0, 1], [2, 0, 1, 1]])
    return build.call(_aten.pad.default, a, amounts, "constant", choose.choice([0.0, 0.0, 0.7]))


@_operation
def _crop(build: Builder, a: fx.Node, b: fx.Node, choose: random.Random) -> fx.Node:
    dimension = choose.choice([2, 3])
    start, end, step = choose.choice([(1, -1, 1), (1, _END, 1), (0, -1, 1), (0, _END, 2), (1, _END, 2)])
    return build.call(_aten.slice.Tensor, a, dimension, start, end, step)


@_operation
def _overwrite_border(build: Builder, a: fx.Node, b: fx.Node, choose: random.Random) -> fx.Node:
    dimension = choose.choice([2, 3])
    start, end = choose.choice([(0, 1), (-1, _END), (0, 2), (-2, _END)])
    piece = build.call(_aten.slice.Tensor, a, dimension, start, end)
    filled = build.call(
        _aten.copy.default, piece, choose.choice([build.constant(_channels(a), 1, 1), build.constant(1)])
    )
    return build.call(_aten.slice_scatter.default, a, filled, dimension, start, end)


@_operation
def _relu(build: Builder, a: fx.Node, b: fx.Node, choose: random.Random) -> fx.Node:
    return build.call(_aten.relu.default, a)


@_operation
def _reflect(build: Builder, a: fx.Node, b: fx.Node, choose: random.Random) -> fx.Node:
    return build.call(_aten.pad.default, a, [1, 1, 1, 1], "reflect")


@_operation
def _transposed(build: Builder, a: fx.Node, b: fx.Node, choose: random.Random) -> fx.Node:
    groups = 2 if _channels(a) % 2 == 0 and choose.random() < 0.5 else 1
    weight = build.constant(_channels(a), CHANNELS // groups, 2, 2)
    return build.call(_aten.conv_transpose2d.input, a, weight, None, [2, 2], [0, 0], [0, 0], groups)
