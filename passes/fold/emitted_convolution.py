"""The cheapest single convolution that computes an affine form.

From the form's kernel are recovered, in this order: taps on the rim that are zero (trimmed), a lattice of
taps (dilation), and blocks of channels that do not meet (groups). The padding follows from the form's extent:
with ``reach = dilation * (taps - 1) + 1``, before = -offset and before + after = surplus + reach - stride. A
negative padding is a crop in front of the convolution, one that differs at the two ends a pad in front of it,
and any other is the convolution's own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from passes.fold.affine_form import Axis, Form, resolved


@dataclass(frozen=True)
class EmittedConvolution:
    """A convolution of the root; tensors are float64.

    Attributes:
        weight: [O, C / groups, rows, columns].
        bias: [O], or None where it is zero.
        stride, dilation: rows, columns.
        before, after: padding with zeros at the two ends of rows, columns.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None
    stride: tuple[int, int]
    dilation: tuple[int, int]
    before: tuple[int, int]
    after: tuple[int, int]
    groups: int

    @property
    def macs(self) -> int:
        """Multiply-adds per pixel of the result."""
        return self.weight.numel()

    @property
    def crop(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Pixels to cut off the root first: (before, after) of rows, of columns."""
        rows, columns = ((max(-b, 0), max(-a, 0)) for b, a in zip(self.before, self.after, strict=True))
        return rows, columns

    @property
    def pad(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Zeros to add after cropping: (before, after) of rows, of columns."""
        rows, columns = ((max(b, 0), max(a, 0)) for b, a in zip(self.before, self.after, strict=True))
        return rows, columns

    @property
    def pads_itself(self) -> bool:
        """Whether the zeros are as many at both ends, so that they are the convolution's own padding."""
        return all(before == after for before, after in self.pad)

    @property
    def operations(self) -> int:
        """Operations it takes: a slice per cropped axis, a pad unless it pads itself, the convolution."""
        return sum(any(ends) for ends in self.crop) + (not self.pads_itself) + 1

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """The convolution of ``x`` float64 [N, C, H, W]."""
        x = F.pad(x, (self.before[1], self.after[1], self.before[0], self.after[0]))
        return F.conv2d(x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


def emitted_convolution(form: Form) -> EmittedConvolution:
    """The cheapest convolution that computes ``form``.

    Raises:
        NotAffineError: a border of the form is not natural.
    """
    form = resolved(form)
    kernel, groups = _finest_groups(form.kernel, form.groups)
    rows, columns = (_fitted(axis, kernel, 2 + i) for i, axis in enumerate(form.axes))
    kernel = kernel[
        :, :, rows.start : rows.stop : rows.dilation, columns.start : columns.stop : columns.dilation
    ]
    return EmittedConvolution(
        weight=kernel.contiguous(),
        bias=form.bias if bool(form.bias.any()) else None,
        stride=(form.axes[0].stride, form.axes[1].stride),
        dilation=(rows.dilation, columns.dilation),
        before=(rows.before, columns.before),
        after=(rows.after, columns.after),
        groups=groups,
    )


@dataclass(frozen=True)
class _FittedAxis:
    start: int
    stop: int
    dilation: int
    before: int
    after: int


def _fitted(axis: Axis, kernel: torch.Tensor, dimension: int) -> _FittedAxis:
    """Which taps of one kernel axis to keep, and the padding that puts them where they were."""
    planes = kernel.unbind(dimension)
    taps = [tap for tap, plane in enumerate(planes) if bool(plane.any())]
    if not taps:
        return _fitted_constant(axis)
    start, reach = taps[0], taps[-1] - taps[0] + 1
    dilation = math.gcd(*(tap - start for tap in taps)) or 1
    before = -(axis.offset + start)
    return _FittedAxis(start, taps[-1] + 1, dilation, before, axis.surplus + reach - axis.stride - before)


def _fitted_constant(axis: Axis) -> _FittedAxis:
    """A kernel of zeros reads nothing, so its one tap may lie anywhere: where the padding is most even."""
    total = axis.surplus + 1 - axis.stride
    return _FittedAxis(0, 1, 1, total // 2, total - total // 2)


def _finest_groups(kernel: torch.Tensor, groups: int) -> tuple[torch.Tensor, int]:
    """``kernel`` [O, C / groups, ..] split into as many groups as its zeros allow."""
    outputs, inputs = kernel.shape[0] // groups, kernel.shape[1]
    connected = kernel.ne(0).flatten(2).any(dim=2).reshape(groups, outputs, inputs)
    if bool(connected.all()):
        return kernel, groups
    for parts in range(math.gcd(outputs, inputs), 1, -1):
        if outputs % parts or inputs % parts:
            continue
        blocks = (
            connected.reshape(groups, parts, outputs // parts, parts, inputs // parts).any(dim=4).any(dim=2)
        )
        if bool(blocks.any(dim=0).logical_and(~torch.eye(parts, dtype=torch.bool)).any()):
            continue
        split = kernel.reshape(groups, parts, outputs // parts, parts, inputs // parts, *kernel.shape[2:])
        own = torch.stack([split[:, i, :, i] for i in range(parts)], dim=1)
        return own.reshape(kernel.shape[0], inputs // parts, *kernel.shape[2:]), groups * parts
    return kernel, groups
