"""``tlc::replicate``, its product and ``tlc::nearest`` in ATen: edge pads and selections by integers."""

from __future__ import annotations

import torch
from torch import Tensor

from passes.decompose.axis import COLUMNS, ROWS, numbers, size

aten = torch.ops.aten


def replicate(interior: Tensor, height: int, width: int) -> Tensor:
    """Interior [N, C, h, w] edge-padded to [N, C, height, width], the odd row and column at the end."""
    missing_rows, missing_columns = height - size(interior, ROWS), width - size(interior, COLUMNS)
    top, left = missing_rows // 2, missing_columns // 2
    return aten.replication_pad2d.default(interior, [left, missing_columns - left, top, missing_rows - top])


def replicated_product(x: Tensor, interior: Tensor) -> Tensor:
    """x [N, C, H, W] times interior [N, C, h, w] edge-padded to its size."""
    return aten.mul.Tensor(x, replicate(interior, size(x, ROWS), size(x, COLUMNS)))


def nearest(x: Tensor, height: int, width: int) -> Tensor:
    """x [N, C, H, W] resampled to [N, C, height, width]; row i takes row floor((i + 1/2) * H / height)."""
    return _resample(_resample(x, ROWS, height), COLUMNS, width)


def _resample(x: Tensor, axis: int, target: int) -> Tensor:
    centre = aten.add.Tensor(aten.mul.Tensor(numbers(target), 2), 1)
    scaled = aten.mul.Tensor(centre, size(x, axis))
    return aten.index_select.default(x, axis, aten.div.Tensor_mode(scaled, 2 * target, rounding_mode="floor"))
