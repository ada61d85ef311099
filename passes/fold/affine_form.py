"""An affine region of one activation, written as one convolution: the form and its algebra.

A value v of shape [N, O, h, w] that is affine in a root x of shape [N, C, H, W] has the form

    v[o, i, j] = bias[o] + sum over c, m, n of kernel[o, c, m, n] * x0[c, s_i*i + t_i + m, s_j*j + t_j + n]

where x0 is x continued by zeros, s the stride and t the offset per axis, and h = (H + surplus) // s. Floors
of integer divisions compose, so the extent of any chain of convolutions, pads and crops stays of that shape
and two extents are equal for every H exactly when their integers are.

A pad with a constant is not of that form until shown to be: what it writes is kept as *strips*, painted over
the form in order. A strip is natural where no tap with a nonzero weight meets x and the strip's values are
the bias; a form all of whose strips are natural is just the form (:func:`resolved`). This is what tells a
biased 1x1 before a zero-padded 3x3 (refused) from the same pair padded with the bias (exact).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch

_NATURAL = 1e-9


class NotAffineError(ValueError):
    """A value has no form in the root; the message is the reason, for a person."""


@dataclass(frozen=True)
class Axis:
    """Where one axis of the value lies on the same axis of the root, in root pixels.

    Attributes:
        stride: root pixels per pixel of the value.
        offset: root index under the first tap of the first pixel.
        surplus: the value has ``(root extent + surplus) // stride`` pixels.
    """

    stride: int = 1
    offset: int = 0
    surplus: int = 0

    def padded(self, before: int, after: int) -> Axis:
        """The axis after adding pixels on both ends; negative counts crop."""
        added = self.stride * (before + after)
        return Axis(self.stride, self.offset - self.stride * before, self.surplus + added)

    def strided(self, stride: int, reach: int) -> Axis:
        """The axis after a window that spans ``reach`` pixels moves in steps of ``stride``."""
        return Axis(self.stride * stride, self.offset, self.surplus + self.stride * (stride - reach))

    def same_grid(self, other: Axis) -> bool:
        """Whether both have the same stride and, for every root, the same extent."""
        return self.stride == other.stride and self.surplus == other.surplus


@dataclass(frozen=True)
class Strip:
    """Rows (axis 0) or columns (axis 1) at one end of the value, overwritten by ``values`` [O]."""

    axis: int
    at_end: bool
    width: int
    values: torch.Tensor


@dataclass(frozen=True)
class Form:
    """See the module docstring.

    Attributes:
        kernel: float64 [O, C / groups, rows, columns].
        bias: float64 [O].
        groups: as in a grouped convolution.
        axes: rows, then columns.
        strips: constant borders in painting order, not known to be natural.
        convolves: whether a convolution lies between root and value.
    """

    kernel: torch.Tensor
    bias: torch.Tensor
    groups: int
    axes: tuple[Axis, Axis] = (Axis(), Axis())
    strips: tuple[Strip, ...] = ()
    convolves: bool = False

    @property
    def channels(self) -> int:
        """Number of channels of the value."""
        return self.kernel.shape[0]

    @property
    def root_channels(self) -> int:
        """Number of channels of the root."""
        return self.kernel.shape[1] * self.groups


def identity(channels: int) -> Form:
    """The form of the root itself."""
    kernel = torch.ones(channels, 1, 1, 1, dtype=torch.float64)
    return Form(kernel, torch.zeros(channels, dtype=torch.float64), groups=channels)


def scaled(form: Form, scale: torch.Tensor, shift: torch.Tensor) -> Form:
    """``form * scale + shift``, both broadcastable to [O]."""
    strips = tuple(replace(strip, values=strip.values * scale + shift) for strip in form.strips)
    scale = scale.expand(form.channels)
    kernel = form.kernel * scale[:, None, None, None]
    return replace(form, kernel=kernel, bias=form.bias * scale + shift, strips=strips)


def padded(form: Form, rows: tuple[int, int], columns: tuple[int, int], value: float) -> Form:
    """``form`` with pixels of ``value`` added before and after each axis; negative counts crop."""
    strips = list(form.strips)
    values = torch.full_like(form.bias, value)
    for axis, ends in enumerate((rows, columns)):
        strips = [
            replace(strip, width=strip.width + ends[strip.at_end]) if strip.axis == axis else strip
            for strip in strips
        ]
        strips += [Strip(axis, bool(end), count, values) for end, count in enumerate(ends) if count > 0]
    axes = (form.axes[0].padded(*rows), form.axes[1].padded(*columns))
    return replace(form, axes=axes, strips=tuple(strip for strip in strips if strip.width > 0))


def painted(form: Form, axis: int, at_end: bool, width: int, values: torch.Tensor) -> Form:
    """``form`` with ``width`` rows or columns at one end overwritten by ``values`` [O] or [1]."""
    hidden = [
        strip
        for strip in form.strips
        if (strip.axis, strip.at_end) == (axis, at_end) and strip.width <= width
    ]
    kept = tuple(strip for strip in form.strips if all(strip is not other for other in hidden))
    return replace(form, strips=(*kept, Strip(axis, at_end, width, values.expand(form.channels))))


def resolved(form: Form) -> Form:
    """The form without its strips, each shown to be natural.

    Raises:
        NotAffineError: a strip is not what the form continues to.
    """
    for strip in form.strips:
        scale = max(1.0, float(form.bias.abs().max()), float(strip.values.abs().max()))
        if float((strip.values - form.bias).abs().max()) > _NATURAL * scale:
            raise NotAffineError(
                "its border is padded with a constant that is not the bias of the value it pads, "
                "which no single convolution reproduces"
            )
        if _meets_root(form, strip):
            raise NotAffineError(
                "it pads a value whose convolution would still reach into the image there, "
                "which no single convolution reproduces"
            )
    return replace(form, strips=())


def _meets_root(form: Form, strip: Strip) -> bool:
    taps = form.kernel.ne(0).any(dim=0).any(dim=0).any(dim=1 - strip.axis).nonzero().flatten()
    if not len(taps):
        return False
    axis = form.axes[strip.axis]
    if not strip.at_end:
        return axis.stride * (strip.width - 1) + axis.offset + int(taps[-1]) >= 0
    # The extent is at least (H + surplus - stride + 1) / stride; the strip begins width before it.
    first = axis.surplus - axis.stride + 1 - axis.stride * strip.width + axis.offset
    return first + int(taps[0]) < 0


def subsampled(form: Form, axis: int, step: int) -> Form:
    """Every ``step``-th row or column of ``form``, from the first."""
    form = resolved(form)
    axes = list(form.axes)
    axes[axis] = axes[axis].strided(step, reach=1)
    return replace(form, axes=(axes[0], axes[1]))


def convolved(
    form: Form,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    stride: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
    limit: int,
) -> Form:
    """A convolution without padding of ``form``, by ``weight`` float64 [O, M / groups, rows, columns].

    Raises:
        NotAffineError: the border of ``form`` does not allow it, or the composed kernel would hold more than
        ``limit`` weights.
    """
    form = resolved(form)
    steps = tuple(axis.stride * d for axis, d in zip(form.axes, dilation, strict=True))
    kernel, composed_groups = _composed(form, weight, groups, (steps[0], steps[1]), limit)
    response = weight.sum(dim=(2, 3)).reshape(groups, -1, weight.shape[1]) @ form.bias.reshape(groups, -1, 1)
    total = response.flatten() if bias is None else response.flatten() + bias
    rows, columns = (
        axis.strided(stride[i], reach=dilation[i] * (weight.shape[2 + i] - 1) + 1)
        for i, axis in enumerate(form.axes)
    )
    return Form(kernel, total, composed_groups, (rows, columns), convolves=True)


def added(left: Form, right: Form, sign: float, limit: int) -> Form:
    """``left + sign * right``.

    Raises:
        NotAffineError: they lie on different pixel grids, have different borders, or the sum holds more than
        ``limit`` weights.
    """
    left, right = _alike(left, right)
    groups = math.gcd(left.groups, right.groups)
    first, last = [], []
    for i in range(2):
        spans = [
            (form.axes[i].offset, form.axes[i].offset + form.kernel.shape[2 + i]) for form in (left, right)
        ]
        first.append(min(start for start, _ in spans))
        last.append(max(stop for _, stop in spans))
    size = (last[0] - first[0], last[1] - first[1])
    _within(limit, left.channels * left.root_channels // groups * size[0] * size[1])
    kernel = left.kernel.new_zeros(left.channels, left.root_channels // groups, *size)
    for form, factor in ((left, 1.0), (right, sign)):
        at = [form.axes[i].offset - first[i] for i in range(2)]
        part = kernel[:, :, at[0] : at[0] + form.kernel.shape[2], at[1] : at[1] + form.kernel.shape[3]]
        part += factor * regrouped(form.kernel, form.groups, groups)
    axes = (replace(left.axes[0], offset=first[0]), replace(left.axes[1], offset=first[1]))
    strips = tuple(
        replace(a, values=a.values + sign * b.values) for a, b in zip(left.strips, right.strips, strict=True)
    )
    bias = left.bias + sign * right.bias
    return Form(kernel, bias, groups, axes, strips, left.convolves or right.convolves)


def _alike(left: Form, right: Form) -> tuple[Form, Form]:
    if not all(a.same_grid(b) for a, b in zip(left.axes, right.axes, strict=True)):
        raise NotAffineError("the branches that meet have different strides or sizes")
    borders = [[(strip.axis, strip.at_end, strip.width) for strip in form.strips] for form in (left, right)]
    return (left, right) if borders[0] == borders[1] else (resolved(left), resolved(right))


def concatenated(forms: list[Form], limit: int) -> Form:
    """The channels of ``forms``, one after the other.

    Raises:
        NotAffineError: they lie on different pixel grids, a border is not natural, or the kernel would exceed
        ``limit`` weights.
    """
    parts = [resolved(form) for form in forms]
    total, before = sum(part.channels for part in parts), 0
    whole: Form | None = None
    for part in parts:
        spread = _placed(part, total, before, limit)
        whole = spread if whole is None else added(whole, spread, 1.0, limit)
        before += part.channels
    assert whole is not None
    return whole


def _placed(form: Form, total: int, before: int, limit: int) -> Form:
    rows, columns = form.kernel.shape[2:]
    _within(limit, total * form.root_channels * rows * columns)
    kernel = form.kernel.new_zeros(total, form.root_channels, rows, columns)
    kernel[before : before + form.channels] = regrouped(form.kernel, form.groups, 1)
    bias = form.bias.new_zeros(total)
    bias[before : before + form.channels] = form.bias
    return replace(form, kernel=kernel, bias=bias, groups=1)


def selected(form: Form, start: int, stop: int, limit: int) -> Form:
    """Channels ``start`` to ``stop`` (exclusive) of ``form``.

    Raises:
        NotAffineError: the kernel over all root channels would hold more than ``limit`` weights.
    """
    if (start, stop) == (0, form.channels):
        return form
    rows, columns = form.kernel.shape[2:]
    _within(limit, (stop - start) * form.root_channels * rows * columns)
    kernel = form.kernel.new_zeros(stop - start, form.root_channels, rows, columns)
    outputs, inputs = form.channels // form.groups, form.kernel.shape[1]
    for row, channel in enumerate(range(start, stop)):
        group = channel // outputs
        kernel[row, group * inputs : (group + 1) * inputs] = form.kernel[channel]
    strips = tuple(replace(strip, values=strip.values[start:stop]) for strip in form.strips)
    return replace(form, kernel=kernel, bias=form.bias[start:stop], groups=1, strips=strips)


def regrouped(kernel: torch.Tensor, groups: int, coarser: int) -> torch.Tensor:
    """A kernel of ``groups`` as one of ``coarser`` groups, a divisor, with the zeros written out."""
    if groups == coarser:
        return kernel
    merged = groups // coarser
    outputs, inputs, rows, columns = kernel.shape[0] // groups, *kernel.shape[1:]
    blocks = kernel.reshape(coarser, merged, outputs, inputs, rows, columns)
    wide = kernel.new_zeros(coarser, merged, outputs, merged, inputs, rows, columns)
    for i in range(merged):
        wide[:, i, :, i] = blocks[:, i]
    return wide.reshape(coarser * merged * outputs, merged * inputs, rows, columns)


def _within(limit: int, weights: int) -> None:
    if weights > limit:
        raise NotAffineError(
            f"the composed kernel would hold {weights:,} weights, more than the convolutions around it "
            f"can pay for ({limit:,})"
        )


def _composed(
    form: Form, weight: torch.Tensor, groups: int, steps: tuple[int, int], limit: int
) -> tuple[torch.Tensor, int]:
    """``sum over j of weight[.., j] * form.kernel`` shifted by ``steps * j``, and its number of groups.

    One of the two being depthwise keeps the groups of the other; otherwise both are written with their common
    groups.
    """
    size = tuple((weight.shape[2 + i] - 1) * steps[i] + form.kernel.shape[2 + i] for i in range(2))
    if weight.shape[1] == 1:
        copies, common = weight.shape[0] // form.channels, form.groups
        inner = form.kernel.repeat_interleave(copies, dim=0)
        taps = weight[:, 0, :, :]
        parts = (
            inner * taps[:, None, None, None, m, n]
            for m in range(taps.shape[1])
            for n in range(taps.shape[2])
        )
        inputs = inner.shape[1]
    elif form.groups == form.channels == form.root_channels:
        common, inputs = groups, weight.shape[1]
        inner = _per_input(form.kernel, weight.shape[0], groups)
        parts = (
            inner * weight[:, :, m, n, None, None]
            for m in range(weight.shape[2])
            for n in range(weight.shape[3])
        )
    else:
        common = math.gcd(form.groups, groups)
        inputs = form.root_channels // common
        _within(limit, weight.shape[0] * inputs * size[0] * size[1])
        inner = regrouped(form.kernel, form.groups, common).reshape(common, form.channels // common, -1)
        outer = regrouped(weight, groups, common).reshape(
            common, weight.shape[0] // common, -1, *weight.shape[2:]
        )
        shape = (weight.shape[0], inputs, *form.kernel.shape[2:])
        parts = (
            torch.bmm(outer[..., m, n], inner).reshape(shape)
            for m in range(weight.shape[2])
            for n in range(weight.shape[3])
        )
    _within(limit, weight.shape[0] * inputs * size[0] * size[1])
    kernel = weight.new_zeros(weight.shape[0], inputs, *size)
    places = ((m * steps[0], n * steps[1]) for m in range(weight.shape[2]) for n in range(weight.shape[3]))
    for (row, column), part in zip(places, parts, strict=True):
        kernel[:, :, row : row + part.shape[2], column : column + part.shape[3]] += part
    return kernel, common


def _per_input(kernel: torch.Tensor, outputs: int, groups: int) -> torch.Tensor:
    """A depthwise kernel [M, 1, ..] laid out as the inputs [O, M / groups, ..] of a grouped kernel."""
    blocks = kernel[:, 0].reshape(groups, -1, *kernel.shape[2:])
    return blocks.repeat_interleave(outputs // groups, dim=0)
