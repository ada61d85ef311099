"""``tlc::local_max`` in standard ONNX operators: maxima over 1, 2, 4 ... min(2^j, k) pixels.

The window sets the number of steps; where k = min(window, size) is smaller, the last ones shift by 0 and
change nothing.
"""

from __future__ import annotations

from onnxscript import FLOAT
from onnxscript.onnx_types import TensorType

from tlcconvert.lower.forms.box_sum import COLUMNS, ROWS, effective
from tlcconvert.lower.forms.opset import integers, op


def local_max(x: FLOAT, window_height: int, window_width: int) -> FLOAT:
    """Interior of maxima [N, C, H-kh+1, W-kw+1], exact."""
    return op.Identity(_max_along(_max_along(x, ROWS, window_height), COLUMNS, window_width))


def _max_along(x: TensorType, axis: int, window: int) -> TensorType:
    k = effective(x, axis, window)
    size = op.Shape(x, start=axis, end=axis + 1)
    interior_of_one, covered, length = op.Add(size, integers(1)), integers(1), 1
    maxima = x
    while length < window:
        length *= 2
        now_covered = op.Min(integers(length), k)
        shift = op.Sub(now_covered, covered)
        interior = op.Sub(interior_of_one, now_covered)
        early = op.Slice(maxima, integers(0), interior, integers(axis))
        late = op.Slice(maxima, shift, integers(2**62), integers(axis))
        maxima, covered = op.Max(early, late), now_covered
    return maxima
