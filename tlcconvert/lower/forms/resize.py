"""PyTorch's resizing of maps in standard ONNX operators: its extents, its coordinates, its filters.

A map may be resized to an extent or by a factor. By a factor, PyTorch's extent is ``floor(n * factor)``, and its
coordinates are scaled by the factor, not by the quotient of the extents:

    | mode | to an extent | by a factor |
    |---|---|---|
    | linear, cubic | Resize | Resize where the factor or its reciprocal is whole; else weighted taps |
    | linear, cubic with aligned corners | Resize | Resize to the extent: the factor has no further part |
    | nearest, nearest-exact | rows gathered | Resize where that picks the same rows; else gathered |
    | antialiased | weighted taps; cubic: Resize | the same |

onnxruntime's Resize is not used where it computes something else: it finds extents in float32, returns a map whose
extent does not change as it is, picks another neighbour where a coordinate is whole, and filters linearly
beyond the border.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from onnxscript import ir

from passes.torch_internals.names import schema_of
from tlcconvert.lower.forms.extents import LONGEST, quotient_of, scaled_extent
from tlcconvert.lower.forms.opset import integers, op
from tlcconvert.lower.forms.taps import Taps, resampled
from tlcconvert.lower.forms.whole_numbers import ceil_divide, numbers

aten = torch.ops.aten

_FLOAT, _INT64 = ir.DataType.FLOAT, ir.DataType.INT64
_CUBIC, _CUBIC_ANTIALIASED = -0.75, -0.5
"""PyTorch's coefficients of the cubic convolution (Keys, 1981)."""
_SMALL = 128
"""Height plus width up to which PyTorch resizes a map by another kernel, whose coordinates are rounded otherwise."""


@dataclass(frozen=True)
class ResizedAxis:
    """One axis of a map that is resized.

    Attributes:
        axis: its position.
        behind: axes after it.
        source, target: extents, int64 [1].
        factor: where the map is resized by a factor.
    """

    axis: int
    behind: int
    source: ir.Value
    target: ir.Value
    factor: float | None

    @property
    def grows(self) -> bool:
        return self.factor is None or self.factor > 1


def resized_axes(
    x: Any, output_size: Sequence[Any] | None, factors: Sequence[float | None] | None
) -> list[ResizedAxis]:
    """The last axes of x, to ``output_size`` or, where that is None, by ``factors``."""
    count = len(output_size if output_size is not None else factors or ())
    first = len(x.shape) - count
    axes = []
    for number in range(count):
        source = op.Shape(x, start=first + number, end=first + number + 1)
        factor = factors[number] if factors else None
        factor = factor if factor is not None and factor > 0 else None
        if output_size is not None:
            target = op.Reshape(output_size[number], integers(1))
        else:
            assert factor is not None
            target = scaled_extent(source, factor)
        axes.append(ResizedAxis(first + number, count - 1 - number, source, target, factor))
    return axes


def nearest(x: Any, axes: Sequence[ResizedAxis], exact: bool) -> Any:
    """``upsample_nearest`` or, ``exact``, ``_upsample_nearest_exact``; any dtype."""
    if all(axis.factor is not None and _resize_picks_the_same(axis.factor, exact) for axis in axes):
        return _resize_by_factors(x, axes, mode="nearest", nearest_mode="floor", coordinates="asymmetric")
    is_small = None
    if len(axes) == 2:
        is_small = op.LessOrEqual(op.Add(axes[0].target, axes[1].target), integers(_SMALL))
    for axis in _cheapest_first(axes):
        rows = _exact_rows(axis, is_small) if exact else _nearest_rows(axis, is_small)
        x = op.Gather(x, op.Min(rows, op.Sub(axis.source, integers(1))), axis=axis.axis)
    return x


def linear(x: Any, axes: Sequence[ResizedAxis], align_corners: bool) -> Any:
    """``upsample_linear1d``, ``upsample_bilinear2d`` and ``upsample_trilinear3d``; float32."""
    return _interpolated(x, axes, align_corners, "linear", _linear_taps)


def cubic(x: Any, axes: Sequence[ResizedAxis], align_corners: bool) -> Any:
    """``upsample_bicubic2d``; float32."""
    return _interpolated(x, axes, align_corners, "cubic", _cubic_taps, cubic_coeff_a=_CUBIC)


def antialiased_linear(x: Any, axes: Sequence[ResizedAxis], align_corners: bool) -> Any:
    """``_upsample_bilinear2d_aa``; float32."""
    for axis in _cheapest_first(axes):
        x = resampled(x, axis.axis, axis.behind, _antialiased_taps(axis, align_corners, 1, _triangle))
    return x


def antialiased_cubic(x: Any, axes: Sequence[ResizedAxis], align_corners: bool) -> Any:
    """``_upsample_bicubic2d_aa``; float32."""
    if not align_corners and all(axis.factor is None for axis in axes):
        filtering = {"cubic_coeff_a": _CUBIC_ANTIALIASED, "antialias": 1, "exclude_outside": 1}
        return _resize_to_extents(x, axes, mode="cubic", coordinates="half_pixel", **filtering)
    for axis in _cheapest_first(axes):
        x = resampled(x, axis.axis, axis.behind, _antialiased_taps(axis, align_corners, 2, _cubic_filter))
    return x


def _interpolated(
    x: Any,
    axes: Sequence[ResizedAxis],
    align_corners: bool,
    mode: str,
    taps: Callable[[ResizedAxis], Taps],
    **settings: Any,
) -> Any:
    if align_corners:
        return _resize_to_extents(x, axes, mode=mode, coordinates="align_corners", **settings)
    if all(axis.factor is None for axis in axes):
        return _resize_to_extents(x, axes, mode=mode, coordinates="half_pixel", **settings)
    if all(axis.factor is not None and _is_whole(axis.factor) for axis in axes):
        return _resize_by_factors(x, axes, mode=mode, coordinates="half_pixel", **settings)
    for axis in _cheapest_first(axes):
        x = resampled(x, axis.axis, axis.behind, taps(axis))
    return x


def _cheapest_first(axes: Sequence[ResizedAxis]) -> list[ResizedAxis]:
    """Rows first where the map shrinks, and last where it grows: whole rows are gathered fastest."""
    return list(reversed(axes)) if any(axis.grows for axis in axes) else list(axes)


def _resize_to_extents(
    x: Any, axes: Sequence[ResizedAxis], mode: str, coordinates: str, **settings: Any
) -> Any:
    kept = op.Shape(x, start=0, end=axes[0].axis)
    sizes = op.Concat(kept, *(axis.target for axis in axes), axis=0)
    settings["coordinate_transformation_mode"] = coordinates
    return op.Resize(x, None, None, sizes, mode=mode, **settings)


def _resize_by_factors(
    x: Any, axes: Sequence[ResizedAxis], mode: str, coordinates: str, **settings: Any
) -> Any:
    factors = op.Constant(value_floats=[1.0] * axes[0].axis + [float(axis.factor or 1) for axis in axes])
    settings["coordinate_transformation_mode"] = coordinates
    return op.Resize(x, None, factors, None, mode=mode, **settings)


@functools.cache
def _is_whole(factor: float) -> bool:
    """Whether the factor or its reciprocal is whole, and float32 holds the extents it makes up to 65536 pixels."""
    whole = max(factor, 1 / factor)
    if abs(whole - round(whole)) > 1e-12 * whole:
        return False
    n = np.arange(LONGEST + 1)
    single = np.floor(n.astype(np.float32) * np.float32(factor))
    return bool(np.array_equal(single, np.floor(n * factor)))


@functools.cache
def _resize_picks_the_same(factor: float, exact: bool) -> bool:
    """Whether dividing a position by the factor in float32 and rounding down picks PyTorch's row, up to 65536."""
    if not _is_whole(factor) or (exact and factor < 1):
        return False
    position = np.arange(LONGEST).astype(np.float32)
    centre = position + np.float32(0.5 if exact else 0.0)
    own = np.floor(centre * np.float32(1 / factor))
    return bool(np.array_equal(np.floor(position / np.float32(factor)), own))


def _nearest_rows(axis: ResizedAxis, is_small: Any | None) -> Any:
    """floor(i * scale) in float32, int64 [target]: of ``upsample_nearest``.

    On small maps PyTorch takes the scale for 1 where the extent stays and for 1/2 where it doubles.
    """
    scale = _single_scale(axis)
    for ratio in (1, 2):
        if is_small is not None and axis.factor is not None and ratio < axis.factor < ratio + 1:
            is_whole = op.Equal(axis.target, op.Mul(axis.source, integers(ratio)))
            scale = op.Where(op.And(is_whole, is_small), op.Constant(value_floats=[1 / ratio]), scale)
    position = op.Cast(numbers(axis.target), to=_FLOAT)
    return op.Cast(op.Floor(op.Mul(position, scale)), to=_INT64)


def _exact_rows(axis: ResizedAxis, is_small: Any | None) -> Any:
    """floor((i + 1/2) * scale), int64 [target]: of ``_upsample_nearest_exact``.

    Where that is a whole number the rounding decides: PyTorch rounds the product on small maps, and beyond
    the product less a half (one fused multiply-add).
    """
    scale = _single_scale(axis)
    half = op.Constant(value_floats=[0.5])
    rounded = op.Mul(op.Add(op.Cast(numbers(axis.target), to=_FLOAT), half), scale)
    if is_small is not None:
        rounded = op.Where(is_small, rounded, op.Add(_less_a_half(axis, scale), half))
    return op.Cast(op.Floor(rounded), to=_INT64)


def _less_a_half(axis: ResizedAxis, scale: Any) -> Any:
    """(i + 1/2) * scale - 1/2, rounded to float32 once: whole numbers of 2^-41 until then."""
    scale = op.Cast(op.Mul(scale, op.Constant(value_floats=[2.0**40])), to=_INT64)
    product = op.Sub(op.Mul(_odd_numbers(axis), scale), integers(2**40))
    return op.Mul(op.Cast(product, to=_FLOAT), op.Constant(value_floats=[2.0**-41]))


def _single_scale(axis: ResizedAxis) -> Any:
    """Source pixels per target pixel, float32 [1], rounded as PyTorch rounds it."""
    if axis.factor is not None:
        return op.Constant(value_floats=[1.0 / axis.factor])
    return op.Div(op.Cast(axis.source, to=_FLOAT), op.Cast(axis.target, to=_FLOAT))


@dataclass(frozen=True)
class _Scale:
    """Source pixels per target pixel as a quotient, both int64 [1]: float32 holds no position exactly."""

    numerator: ir.Value
    denominator: ir.Value

    @classmethod
    def of(cls, axis: ResizedAxis, align_corners: bool) -> _Scale:
        if align_corners:
            one = integers(1)
            steps = op.Sub(axis.target, one)
            has_steps = op.Min(steps, one)
            return cls(op.Mul(op.Sub(axis.source, one), has_steps), op.Max(steps, one))
        if axis.factor is None:
            return cls(axis.source, axis.target)
        numerator, denominator = quotient_of(1.0 / axis.factor)
        return cls(integers(numerator), integers(denominator))

    @property
    def larger(self) -> ir.Value:
        return cast(ir.Value, op.Max(self.numerator, self.denominator))


def _odd_numbers(axis: ResizedAxis) -> Any:
    """2i + 1, int64 [target]."""
    return op.Add(_doubled(numbers(axis.target)), integers(1))


def _doubled(value: Any) -> Any:
    return op.Mul(value, integers(2))


def _part(numerator: Any, denominator: Any) -> Any:
    """The quotient of whole numbers, float32."""
    return op.Div(op.Cast(numerator, to=_FLOAT), op.Cast(denominator, to=_FLOAT))


def _linear_taps(axis: ResizedAxis) -> Taps:
    first, behind = _positions(axis)
    weights = op.Concat(op.Sub(_floats(1.0), behind), behind, axis=1)
    return _clamped(axis, first, [0, 1], weights)


def _cubic_taps(axis: ResizedAxis) -> Taps:
    first, behind = _positions(axis)
    steps = [-1, 0, 1, 2]
    distance = op.Abs(op.Sub(behind, _floats(*steps)))
    return _clamped(axis, first, steps, _keys(distance, _CUBIC))


def _positions(axis: ResizedAxis) -> tuple[Any, Any]:
    """(i + 1/2) * scale - 1/2, never below -1/2: its whole part int64 [target], and the rest float32 [target, 1].

    Linear taps before the first row are the first row, whatever their weights.
    """
    scale = _Scale.of(axis, False)
    one = _doubled(scale.denominator)
    position = op.Sub(op.Mul(_odd_numbers(axis), scale.numerator), scale.denominator)
    first = op.Sub(op.Div(op.Add(position, one), one), integers(1))
    return first, _column(_part(op.Sub(position, op.Mul(first, one)), one))


def _clamped(axis: ResizedAxis, first: Any, steps: list[int], weights: Any) -> Taps:
    """Taps at ``steps`` from ``first``; those outside the map repeat its border."""
    rows = op.Add(_column(first), integers(*steps))
    inside = op.Min(op.Max(rows, integers(0)), op.Sub(axis.source, integers(1)))
    return Taps(inside, weights, len(steps))


def _antialiased_taps(
    axis: ResizedAxis, align_corners: bool, radius: int, weigh: Callable[[Any], Any]
) -> Taps:
    """The filter stretched by the scale where the map shrinks, cut at the border and normalised again.

    Args:
        radius: of the filter, in pixels of the larger map.
        weigh: the filter's value at distances >= 0, float32.
    """
    scale = _Scale.of(axis, align_corners)
    one, support = _doubled(scale.denominator), op.Mul(scale.larger, integers(2 * radius))
    centre = op.Mul(_odd_numbers(axis), scale.numerator)
    rounded = op.Add(centre, scale.denominator)
    first = op.Max(op.Div(op.Sub(rounded, support), one), integers(0))
    end = op.Min(op.Div(op.Add(rounded, support), one), axis.source)
    rows = op.Add(_column(first), _steps(axis, align_corners, radius, scale))
    middle = op.Mul(op.Add(_doubled(rows), integers(1)), scale.denominator)
    distance = op.Abs(_part(op.Sub(middle, _column(centre)), _doubled(scale.larger)))
    weights = op.Where(op.Less(rows, _column(end)), weigh(distance), _floats(0.0))
    weights = op.Div(weights, op.ReduceSum(weights, integers(1), keepdims=1))
    return Taps(op.Min(rows, op.Sub(axis.source, integers(1))), weights)


def _steps(axis: ResizedAxis, align_corners: bool, radius: int, scale: _Scale) -> Any:
    """0, 1, ... up to the most taps a pixel can have."""
    if axis.factor is not None and not align_corners:
        most = 2 * math.ceil(radius * max(1.0, 1.0 / axis.factor)) + 1
        return integers(*range(most))
    reach = ceil_divide(op.Mul(scale.larger, integers(radius)), scale.denominator)
    return numbers(op.Add(_doubled(reach), integers(1)))


def _column(value: Any) -> Any:
    return op.Unsqueeze(value, integers(1))


def _floats(*values: float) -> Any:
    return op.Constant(value_floats=[float(value) for value in values])


def _triangle(distance: Any) -> Any:
    return op.Max(op.Sub(_floats(1.0), distance), _floats(0.0))


def _cubic_filter(distance: Any) -> Any:
    return _keys(distance, _CUBIC_ANTIALIASED)


def _keys(distance: Any, a: float) -> Any:
    """The cubic convolution kernel with coefficient ``a`` at ``distance`` >= 0 (Keys, 1981); 0 from 2 on."""
    near = _polynomial(distance, [a + 2, -(a + 3), 0.0, 1.0])
    far = _polynomial(distance, [a, -5 * a, 8 * a, -4 * a])
    far = op.Where(op.Less(distance, _floats(2.0)), far, _floats(0.0))
    return op.Where(op.LessOrEqual(distance, _floats(1.0)), near, far)


def _polynomial(value: Any, coefficients: list[float]) -> Any:
    """The first coefficient is that of the highest power."""
    result = _floats(coefficients[0])
    for coefficient in coefficients[1:]:
        result = op.Add(op.Mul(result, value), _floats(coefficient))
    return result


def _translation(overload: Any, resize: Callable[..., Any], *settings: Any) -> Callable[..., Any]:
    """``resize`` as the ONNX form of ``overload``, whichever way that names its extents and factors."""
    names = [argument.name for argument in schema_of(overload).arguments]

    def lowered(*given: Any, **named: Any) -> Any:
        values: dict[str, Any] = {**dict.fromkeys(names), **dict(zip(names, given, strict=False)), **named}
        factors = values.get("scale_factors") or [values[name] for name in names if name.startswith("scales")]
        corners = [values["align_corners"]] if "align_corners" in values else []
        x = values[names[0]]
        return resize(x, resized_axes(x, values["output_size"], factors), *corners, *settings)

    return lowered


_FORMS: dict[Any, tuple[Any, ...]] = {
    **dict.fromkeys((aten.upsample_nearest1d, aten.upsample_nearest2d), (nearest, False)),
    **dict.fromkeys((aten._upsample_nearest_exact1d, aten._upsample_nearest_exact2d), (nearest, True)),
    **dict.fromkeys((aten.upsample_linear1d, aten.upsample_bilinear2d), (linear,)),
    aten.upsample_bicubic2d: (cubic,),
    aten._upsample_bilinear2d_aa: (antialiased_linear,),
    aten._upsample_bicubic2d_aa: (antialiased_cubic,),
}

RESIZES: dict[Callable[..., Any], Callable[..., Any]] = {
    overload: _translation(overload, *form)
    for packet, form in _FORMS.items()
    for overload in (packet.vec, packet.default)
}
"""The ONNX form of each of PyTorch's operators that resize a map along one or two axes."""
