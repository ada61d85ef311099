"""``avg_pool2d`` in standard ONNX operators, with every divisor PyTorch knows.

    sum over the kernel, zeros beyond the border    /    divisor

Where the divisor is the kernel's area, ONNX has the same pool. It has none with a divisor of its own, and runtimes
count differently where kernels hang over the border (``ceil_mode``). There the sums are divided by

    divisor_override                                     where it is given
    min(start + k, n + p) - start, per axis              pixels and padding, ``count_include_pad``
    min(start + k, n) - max(start, 0), per axis          pixels
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from onnxscript import ir

from tlcconvert.lower.forms.opset import integers, op
from tlcconvert.lower.forms.whole_numbers import ceil_divide, numbers

_FLOAT = ir.DataType.FLOAT


@dataclass(frozen=True)
class _Axis:
    """Kernel, stride and padding along one axis, in pixels; extent int64 [1]."""

    extent: ir.Value
    kernel: int
    stride: int
    padding: int

    def windows(self) -> Any:
        """How many kernels there are in ``ceil_mode``: the last begins in the map or in the padding before it."""
        room = op.Add(self.extent, integers(2 * self.padding - self.kernel))
        count = op.Add(ceil_divide(room, integers(self.stride)), integers(1))
        begin = op.Mul(op.Sub(count, integers(1)), integers(self.stride))
        is_outside = op.GreaterOrEqual(begin, op.Add(self.extent, integers(self.padding)))
        return op.Sub(count, op.Cast(is_outside, to=ir.DataType.INT64))

    def members(self, count: Any, count_padding: bool) -> Any:
        """What each of ``count`` kernels is divided by along this axis, float32 [count]."""
        start = op.Sub(op.Mul(numbers(count), integers(self.stride)), integers(self.padding))
        beyond = op.Add(self.extent, integers(self.padding)) if count_padding else self.extent
        end = op.Min(op.Add(start, integers(self.kernel)), beyond)
        first = start if count_padding else op.Max(start, integers(0))
        return op.Cast(op.Sub(end, first), to=_FLOAT)


def average_pool(
    x: Any,
    kernel_size: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0, 0),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:
    """``aten::avg_pool2d`` of x [..., H, W], float32."""
    if len(x.shape) == 3:
        pooled = average_pool(
            op.Unsqueeze(x, integers(0)),
            kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override,
        )  # fmt: skip
        return op.Squeeze(pooled, integers(0))
    kernel, strides, pads = (_pair(values) for values in (kernel_size, stride or kernel_size, padding))
    if not ceil_mode and divisor_override is None:
        include = int(count_include_pad)
        return op.AveragePool(
            x, kernel_shape=kernel, strides=strides, pads=[*pads, *pads], count_include_pad=include
        )
    axes = [
        _Axis(op.Shape(x, start=2 + number, end=3 + number), kernel[number], strides[number], pads[number])
        for number in range(2)
    ]
    means = _of_padded(x, axes, ceil_mode)
    counts = [op.Shape(means, start=2, end=3), op.Shape(means, start=3, end=4)]
    area = op.Constant(value_float=float(kernel[0] * kernel[1]))
    if divisor_override is not None:
        return op.Mul(means, op.Constant(value_float=kernel[0] * kernel[1] / divisor_override))
    rows, columns = (axis.members(count, count_include_pad) for axis, count in zip(axes, counts, strict=True))
    return op.Mul(means, op.Div(area, op.Mul(op.Unsqueeze(rows, integers(1)), columns)))


def _of_padded(x: Any, axes: Sequence[_Axis], ceil_mode: bool) -> Any:
    """The mean of each kernel over the map with zeros around it."""
    before = [axis.padding for axis in axes]
    after = [axis.padding + (axis.stride - 1 if ceil_mode else 0) for axis in axes]
    padded = op.Pad(x, integers(0, 0, *before, 0, 0, *after)) if any(after) else x
    kernel, strides = [axis.kernel for axis in axes], [axis.stride for axis in axes]
    means = op.AveragePool(padded, kernel_shape=kernel, strides=strides)
    if not ceil_mode:
        return means
    ends = op.Concat(*(axis.windows() for axis in axes), axis=0)
    return op.Slice(means, integers(0, 0), ends, integers(2, 3))


def _pair(values: Any) -> list[int]:
    given = [values] if isinstance(values, int) else list(values)
    return given * 2 if len(given) == 1 else given
