"""One axis cut into cells, the runs of pixels that the same windows cover, in standard ONNX operators.

An axis of ``size`` pixels has n = ceil(size / k) windows of k = min(window, size) pixels. They start every
ceil((size - k) / (n - 1)) pixels, the last one at size - k. A cell begins wherever a window begins or ends. Sums over
cells are sums over their parts, so an axis may be cut in more places: at every multiple of ``longest``.
"""

from __future__ import annotations

from dataclasses import dataclass

from onnxscript import ir

from tlcconvert.lower.forms.opset import integers, op
from tlcconvert.lower.forms.whole_numbers import ceil_divide, covered, numbers
from tlcconvert.lower.forms.window_cells import mean_over_windows


@dataclass(frozen=True)
class Axis:
    """The cells of an axis with n windows.

    Attributes:
        starts: int64 [cells, 1], the first pixel of each cell.
        ends: int64 [cells, 1], the pixel after its last one.
        number: int64 scalar, the number of cells.
        covered: float32 [n, cells], 1 where the window covers the cell.
        mean: float32 [cells, n], averages over the windows that cover the cell.
    """

    starts: ir.Value
    ends: ir.Value
    number: ir.Value
    covered: ir.Value
    mean: ir.Value


def window_axis(size: ir.Value, window: int, longest: ir.Value | None = None) -> Axis:
    """The cells of an axis of ``size`` (int64 [1]) pixels, at most ``longest`` (int64 scalar) of them in a cell."""
    k = op.Min(size, integers(window))
    n = ceil_divide(size, k)
    free = op.Sub(size, k)
    step = ceil_divide(free, op.Max(op.Sub(n, integers(1)), integers(1)))
    windows = op.Min(op.Mul(numbers(n), step), free)
    multiples = [] if longest is None else [op.Range(op.Constant(value_int=0), op.Squeeze(size), longest)]
    cuts, *_ = op.Unique(op.Concat(windows, op.Add(windows, k), *multiples, axis=0), sorted=1)
    starts = op.Slice(cuts, integers(0), integers(-1))
    ends = op.Slice(cuts, integers(1), integers(2**62))
    is_covered = covered(starts, op.Unsqueeze(windows, integers(1)), k)
    return Axis(
        op.Unsqueeze(starts, integers(1)),
        op.Unsqueeze(ends, integers(1)),
        op.Size(starts),
        is_covered,
        mean_over_windows(is_covered),
    )
