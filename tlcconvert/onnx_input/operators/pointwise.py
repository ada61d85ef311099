"""Operators on every element for itself. Inputs of one element may come as Python numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tlcconvert.onnx_input.operators.registry import operator
from tlcconvert.onnx_input.values.node import Node

_UNARY: dict[str, Callable[[Tensor], Tensor]] = {
    "Abs": torch.abs,
    "Acos": torch.acos,
    "Acosh": torch.acosh,
    "Asin": torch.asin,
    "Asinh": torch.asinh,
    "Atan": torch.atan,
    "Atanh": torch.atanh,
    "BitwiseNot": torch.bitwise_not,
    "Ceil": torch.ceil,
    "Cos": torch.cos,
    "Cosh": torch.cosh,
    "Erf": torch.erf,
    "Exp": torch.exp,
    "Floor": torch.floor,
    "HardSwish": F.hardswish,
    "IsNaN": torch.isnan,
    "Log": torch.log,
    "Mish": F.mish,
    "Neg": torch.neg,
    "Not": torch.logical_not,
    "Reciprocal": torch.reciprocal,
    "Relu": F.relu,
    "Round": torch.round,
    "Sigmoid": torch.sigmoid,
    "Sign": torch.sign,
    "Sin": torch.sin,
    "Sinh": torch.sinh,
    "Softsign": F.softsign,
    "Sqrt": torch.sqrt,
    "Tan": torch.tan,
    "Tanh": torch.tanh,
}
"""``f(x)``; Round takes halves to the even number, as ONNX does."""


def _register_unary(kind: str, function: Callable[[Tensor], Tensor]) -> None:
    @operator(kind)
    def _unary(node: Node, x: Tensor) -> Tensor:
        return function(x)


for _kind, _function in _UNARY.items():
    _register_unary(_kind, _function)

_BINARY: dict[str, Callable[[Any, Any], Tensor]] = {
    "Add": lambda a, b: a + b,
    "Sub": lambda a, b: a - b,
    "Mul": lambda a, b: a * b,
    "And": lambda a, b: a & b,
    "Or": lambda a, b: a | b,
    "Xor": lambda a, b: a ^ b,
    "BitwiseAnd": lambda a, b: a & b,
    "BitwiseOr": lambda a, b: a | b,
    "BitwiseXor": lambda a, b: a ^ b,
    "Equal": lambda a, b: a == b,
    "Less": lambda a, b: a < b,
    "LessOrEqual": lambda a, b: a <= b,
    "Greater": lambda a, b: a > b,
    "GreaterOrEqual": lambda a, b: a >= b,
}
"""``f(a, b)``, broadcast from the right as PyTorch does."""


def _in_old_layout(node: Node, a: Any, b: Any) -> Any:
    """Opset 6 lines ``b`` up with ``a`` from ``axis`` on."""
    axis = node.get("axis")
    if axis is None or not isinstance(a, Tensor) or not isinstance(b, Tensor):
        return b
    behind = a.dim() - axis % a.dim() - b.dim()
    return b.reshape(*b.shape, *[1] * behind)


def _register_binary(kind: str, function: Callable[[Any, Any], Tensor]) -> None:
    @operator(kind, pointwise=True)
    def _binary(node: Node, a: Any, b: Any) -> Tensor:
        return function(a, _in_old_layout(node, a, b))


for _kind, _both in _BINARY.items():
    _register_binary(_kind, _both)


@operator("Div", pointwise=True)
def div(node: Node, a: Any, b: Any) -> Tensor:
    """``a / b``; of whole numbers, truncated towards 0."""
    b = _in_old_layout(node, a, b)
    data = a if isinstance(a, Tensor) else b
    if data.is_floating_point():
        return a / b
    a = a if isinstance(a, Tensor) else torch.tensor(a, dtype=data.dtype)
    return torch.div(a, b, rounding_mode="trunc")


@operator("Mod", pointwise=True)
def mod(node: Node, a: Any, b: Any) -> Tensor:
    """The remainder, with the sign of ``b``; with ``fmod=1`` with that of ``a``."""
    return torch.fmod(a, b) if node.get("fmod", 0) else torch.remainder(a, b)


@operator("Pow", pointwise=True)
def power(node: Node, a: Any, b: Any) -> Tensor:
    """``a ** b`` in the type of ``a``."""
    b = _in_old_layout(node, a, b)
    raised = torch.pow(a, b)
    return raised.to(a.dtype) if isinstance(a, Tensor) else raised


def _bit_shift(a: Tensor, b: Tensor, *, to_the_left: bool) -> Tensor:
    return a << b if to_the_left else a >> b


@operator("BitShift")
def bit_shift(node: Node, a: Tensor, b: Tensor) -> Tensor:
    """Towards ``direction``."""
    return _bit_shift(a, b, to_the_left=node.get("direction") == "LEFT")


def _larger(a: Any, b: Any) -> Any:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return torch.maximum(a, b)
    return torch.clamp(a, min=b) if isinstance(a, Tensor) else torch.clamp(b, min=a)


def _smaller(a: Any, b: Any) -> Any:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return torch.minimum(a, b)
    return torch.clamp(a, max=b) if isinstance(a, Tensor) else torch.clamp(b, max=a)


@operator("Max")
def maximum(node: Node, *inputs: Tensor) -> Tensor:
    """The largest of any number of inputs, broadcast."""
    return reduce(_larger, inputs)


@operator("Min")
def minimum(node: Node, *inputs: Tensor) -> Tensor:
    """The smallest of any number of inputs, broadcast."""
    return reduce(_smaller, inputs)


@operator("Sum")
def total(node: Node, *inputs: Tensor) -> Tensor:
    """Of any number of inputs, broadcast."""
    return reduce(torch.add, inputs)


@operator("Mean")
def mean(node: Node, *inputs: Tensor) -> Tensor:
    """Of any number of inputs, broadcast."""
    return reduce(torch.add, inputs) / len(inputs)


@operator("Where", pointwise=True)
def where(node: Node, condition: Any, a: Any, b: Any) -> Tensor:
    """``a`` where ``condition`` is true, else ``b``."""
    known = next((value.dtype for value in (a, b) if isinstance(value, Tensor)), None)
    if not isinstance(condition, Tensor):
        condition = torch.tensor(bool(condition))
    chosen = torch.where(condition, a, b)
    return chosen if known is None else chosen.to(known)


@operator("Clip", pointwise=True)
def clip(node: Node, x: Tensor, low: Any = None, high: Any = None) -> Tensor:
    """Bounds are inputs from opset 11 on, attributes before; ``high`` wins where they cross."""
    low = node.get("min") if low is None else low
    high = node.get("max") if high is None else high
    low, high = _finite_bound(low), _finite_bound(high)
    if low is None and high is None:
        return x
    if high is None and not isinstance(low, Tensor) and low == 0:
        return F.relu(x)
    if isinstance(low, Tensor) or isinstance(high, Tensor):
        raised = x if low is None else _larger(x, low)
        return raised if high is None else _smaller(raised, high)
    return torch.clamp(x, low, high)


def _finite_bound(bound: Any) -> Any:
    """None for a bound that no float32 exceeds."""
    if isinstance(bound, float) and abs(bound) >= 3.4028234663852886e38:
        return None
    return bound


@operator("LeakyRelu")
def leaky_relu(node: Node, x: Tensor) -> Tensor:
    """``alpha * x`` where x < 0."""
    return F.leaky_relu(x, node.get("alpha", 0.01))


@operator("PRelu")
def prelu(node: Node, x: Tensor, slope: Tensor) -> Tensor:
    """``slope * x`` where x < 0, broadcast from the right: [C, 1, 1] and [1, C, 1, 1] are slopes per channel."""
    slopes = slope.numel()
    if x.dim() > 1 and (slopes == 1 or (slopes == x.shape[1] and _axis_of(slope, x.dim()) == 1)):
        return F.prelu(x, slope.reshape(-1))
    return torch.where(x < 0, slope * x, x)


def _axis_of(slope: Tensor, rank: int) -> int:
    """The one axis of ``rank`` along which ``slope`` varies, or -1."""
    long = [axis for axis, extent in enumerate(slope.shape) if extent != 1]
    return long[0] + rank - slope.dim() if len(long) == 1 else -1


@operator("Elu")
def elu(node: Node, x: Tensor) -> Tensor:
    """``alpha * (exp(x) - 1)`` where x < 0."""
    return F.elu(x, node.get("alpha", 1.0))


@operator("Celu")
def celu(node: Node, x: Tensor) -> Tensor:
    """``max(0, x) + min(0, alpha * (exp(x / alpha) - 1))``."""
    return F.celu(x, node.get("alpha", 1.0))


@operator("Selu")
def selu(node: Node, x: Tensor) -> Tensor:
    """``gamma * x``, and ``gamma * alpha * (exp(x) - 1)`` where x <= 0."""
    alpha, gamma = node.get("alpha", 1.67326319217681884765625), node.get("gamma", 1.05070102214813232421875)
    return gamma * torch.where(x > 0, x, alpha * torch.expm1(torch.clamp(x, max=0)))


@operator("Gelu", "com.microsoft.Gelu")
def gelu(node: Node, x: Tensor) -> Tensor:
    """``x * Phi(x)``, or with ``approximate="tanh"`` its approximation."""
    return F.gelu(x, approximate=node.get("approximate", "none"))


@operator("Swish")
def swish(node: Node, x: Tensor) -> Tensor:
    """``x * sigmoid(alpha * x)``."""
    alpha = node.get("alpha", 1.0)
    return F.silu(x) if alpha == 1 else x * torch.sigmoid(alpha * x)


@operator("HardSigmoid")
def hard_sigmoid(node: Node, x: Tensor) -> Tensor:
    """``clamp(alpha * x + beta, 0, 1)``; PyTorch's own slope is 1/6."""
    alpha, beta = node.get("alpha", 0.2), node.get("beta", 0.5)
    if math.isclose(alpha, 1 / 6, rel_tol=1e-6) and beta == 0.5:
        return F.hardsigmoid(x)
    return torch.clamp(alpha * x + beta, 0, 1)


@operator("Softplus")
def softplus(node: Node, x: Tensor) -> Tensor:
    """``log(exp(x) + 1)``."""
    return F.softplus(x)


@operator("ThresholdedRelu")
def thresholded_relu(node: Node, x: Tensor) -> Tensor:
    """``x`` where x > alpha, else 0."""
    return F.threshold(x, node.get("alpha", 1.0), 0.0)


@operator("Shrink")
def shrink(node: Node, x: Tensor) -> Tensor:
    """``x + bias`` below ``-lambd``, ``x - bias`` above ``lambd``, else 0."""
    bias, limit = node.get("bias", 0.0), node.get("lambd", 0.5)
    zero = torch.zeros_like(x)
    return torch.where(x < -limit, x + bias, torch.where(x > limit, x - bias, zero))


@operator("IsInf")
def is_inf(node: Node, x: Tensor) -> Tensor:
    """Whether x is one of the infinities that are to be detected."""
    negative, positive = node.get("detect_negative", 1), node.get("detect_positive", 1)
    return (x == math.inf) & bool(positive) | (x == -math.inf) & bool(negative)
