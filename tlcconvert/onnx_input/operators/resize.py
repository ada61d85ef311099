"""Resizing: by PyTorch's interpolation where it computes what the attributes say, else axis by axis by places.

place(i) = where pixel i of the result lies in the input        coordinate_transformation_mode
result   = sum over taps k of weight_k(place) * input[floor(place) + k]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tlcconvert.errors import InputError
from tlcconvert.onnx_input.operators.registry import operator
from tlcconvert.onnx_input.values.node import Node, Value
from tlcconvert.onnx_input.values.quotient import Quotient, quotient_of
from tlcconvert.onnx_input.values.sizes import Sizes

_COORDINATES = (
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
    "tf_half_pixel_for_nn",
)
_INTERPOLATIONS = {1: ("linear", "linear"), 2: ("bilinear", "bicubic"), 3: ("trilinear", "")}


@dataclass(frozen=True)
class _Axis:
    """One axis to resize: its number, its extent before and after, and the factor between pixels' places."""

    number: int
    before: Any
    after: Any
    factor: Quotient


def _refused(node: Node) -> str:
    if node.get("antialias", 0):
        return "antialias is not computed: PyTorch's differs"
    if node.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        return "keep_aspect_ratio_policy is not computed"
    coordinates = node.get("coordinate_transformation_mode", "half_pixel")
    if coordinates not in _COORDINATES:
        return f"coordinate_transformation_mode {coordinates!r:.40} is not computed"
    return ""


@operator("Resize", sizes=(2, 3), refusal=_refused)
def resize(node: Node, x: Tensor, roi: Value = None, scales: Value = None, extents: Value = None) -> Tensor:
    """By ``scales``, where the result has floor(extent * scale) pixels, or to ``extents``."""
    if node.opset < 11:
        # Inputs are x and scales, and pixels keep their corners.
        return _upsampled(node, x, roi)
    coordinates = node.get("coordinate_transformation_mode", "half_pixel")
    return _resized(node, x, _axes(node, x, scales, extents), coordinates, is_scaled=_are_given(scales))


@operator("Upsample", sizes=(1,))
def upsample(node: Node, x: Tensor, scales: Value = None) -> Tensor:
    """By ``scales``; the pixel i of the result lies at i / scale."""
    return _upsampled(node, x, scales)


def _upsampled(node: Node, x: Tensor, scales: Value) -> Tensor:
    given = scales if scales is not None else node.get("scales")
    if isinstance(given, Tensor):
        given = given.tolist()
    factors = given.items if isinstance(given, Sizes) else list(given)
    axes = [_scaled_axis(number, x.shape[number], factor) for number, factor in enumerate(factors)]
    old = Node(
        node.kind, node.name, node.inputs, node.outputs, {"nearest_mode": "floor", **node.attributes}, 11
    )
    return _resized(old, x, axes, "asymmetric", is_scaled=True)


def _are_given(scales: Value) -> bool:
    return isinstance(scales, Sizes) and bool(scales.items)


def _axes(node: Node, x: Tensor, scales: Value, extents: Value) -> list[_Axis]:
    numbers = [axis % x.dim() for axis in node.get("axes") or range(x.dim())]
    if _are_given(scales):
        assert isinstance(scales, Sizes)
        return [_scaled_axis(n, x.shape[n], scale) for n, scale in zip(numbers, scales.items, strict=True)]
    wanted = node.ints("", extents) or []
    return [
        _Axis(number, x.shape[number], after, Quotient(after, x.shape[number]))
        for number, after in zip(numbers, wanted, strict=True)
    ]


def _scaled_axis(number: int, before: Any, scale: Any) -> _Axis:
    factor = quotient_of(scale)
    return _Axis(number, before, (Quotient(before) * factor).floor, factor)


def _resized(node: Node, x: Tensor, axes: list[_Axis], coordinates: str, *, is_scaled: bool) -> Tensor:
    changed = [axis for axis in axes if not _is_kept(axis, is_scaled)]
    if is_scaled and coordinates == "align_corners" and any(axis.factor.denominator != 1 for axis in changed):
        # ONNX's reference takes the extent before it is rounded, onnxruntime the one after.
        raise InputError(
            f"Node {node.name!r:.200} (Resize) aligns corners with scales that are no whole numbers."
        )
    if not changed:
        return x
    own = _by_interpolation(node, x, changed, coordinates, is_scaled)
    if own is not None:
        return own
    for axis in changed:
        x = _along(node, x, axis, coordinates)
    return x


def _is_kept(axis: _Axis, is_scaled: bool) -> bool:
    """Whether every pixel stays; one that a scale moves may leave the axis as long as it was."""
    over, under = axis.factor.numerator, axis.factor.denominator
    if isinstance(over, int) and isinstance(under, int):
        return over == under
    return not is_scaled and axis.before is axis.after


def _by_interpolation(
    node: Node, x: Tensor, axes: list[_Axis], coordinates: str, is_scaled: bool
) -> Tensor | None:
    """``F.interpolate``, or None where it computes something else."""
    space = x.dim() - 2
    if space not in _INTERPOLATIONS or min(axis.number for axis in axes) < 2 or not x.is_floating_point():
        return None
    mode = _torch_mode(node, axes, coordinates, space)
    if mode is None:
        return None
    if is_scaled and any(_may_keep_its_extent(axis.factor) for axis in axes):
        return None
    by_axis = {axis.number: axis for axis in axes}
    corners = (
        {"align_corners": coordinates == "align_corners"} if "linear" in mode or mode == "bicubic" else {}
    )
    if is_scaled:
        factors = [_number(by_axis[n].factor) if n in by_axis else 1.0 for n in range(2, x.dim())]
        return F.interpolate(x, scale_factor=factors, mode=mode, recompute_scale_factor=False, **corners)
    extents = [by_axis[n].after if n in by_axis else x.shape[n] for n in range(2, x.dim())]
    return F.interpolate(x, size=extents, mode=mode, **corners)


def _may_keep_its_extent(factor: Quotient) -> bool:
    """Whether a short axis keeps its extent, floor(2 * 1.25), where PyTorch copies what ONNX resamples."""
    over, under = factor.numerator, factor.denominator
    return bool(over > under and 2 * over < 3 * under)


def _number(factor: Quotient) -> Any:
    return factor.numerator / factor.denominator


def _torch_mode(node: Node, axes: list[_Axis], coordinates: str, space: int) -> str | None:
    mode = node.get("mode", "nearest")
    if mode == "nearest":
        rounding = node.get("nearest_mode", "round_prefer_floor")
        if coordinates == "asymmetric" and rounding == "floor":
            return "nearest"
        # Between pixels the two round differently; by whole factors no pixel lies there.
        whole = all(
            isinstance(axis.factor.denominator, int) and axis.factor.denominator == 1 for axis in axes
        )
        centred = coordinates in ("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric")
        return "nearest-exact" if centred and rounding.startswith("round") and whole else None
    if node.get("exclude_outside", 0):
        return None
    linear, cubic = _INTERPOLATIONS[space]
    if coordinates not in ("half_pixel", "pytorch_half_pixel", "align_corners"):
        return None
    if coordinates == "pytorch_half_pixel" and any(isinstance(a.after, int) and a.after == 1 for a in axes):
        return None
    if mode == "linear":
        return linear
    is_usual = node.get("cubic_coeff_a", -0.75) == -0.75
    return cubic if cubic == "bicubic" and is_usual else None


def _along(node: Node, x: Tensor, axis: _Axis, coordinates: str) -> Tensor:
    """One axis, by the places of its pixels."""
    places = _places(axis, coordinates)
    mode = node.get("mode", "nearest")
    if mode == "nearest":
        nearest = _rounded(places, node.get("nearest_mode", "round_prefer_floor"))
        return x.index_select(axis.number, nearest.clamp(0, axis.before - 1))
    first = places.floor()
    taps, weights = (
        _linear(places - first)
        if mode == "linear"
        else _cubic(places - first, node.get("cubic_coeff_a", -0.75))
    )
    sources = [first.long() + tap for tap in taps]
    if node.get("exclude_outside", 0):
        inside = [(source >= 0) & (source < axis.before) for source in sources]
        weights = [weight * kept for weight, kept in zip(weights, inside, strict=True)]
        total = torch.stack(weights).sum(0)
        weights = [weight / total for weight in weights]
    behind = [1] * (x.dim() - 1 - axis.number)
    parts = [
        x.index_select(axis.number, source.clamp(0, axis.before - 1))
        * weight.to(x.dtype).reshape(-1, *behind)
        for source, weight in zip(sources, weights, strict=True)
    ]
    return torch.stack(parts).sum(0)


def _places(axis: _Axis, coordinates: str) -> Tensor:
    pixels = torch.arange(axis.after, dtype=torch.float64)
    over: Any = axis.factor.denominator
    under: Any = axis.factor.numerator
    if coordinates == "asymmetric":
        return pixels * over / under
    if coordinates == "align_corners":
        return pixels * (axis.before - 1) / torch.sym_max(axis.after - 1, 1)
    if coordinates == "tf_half_pixel_for_nn":
        return (pixels + 0.5) * over / under
    places = (pixels + 0.5) * over / under - 0.5
    if coordinates == "half_pixel_symmetric":
        # The result is centred: what its cut-off fraction of a pixel would take is left out on both sides alike.
        missing = 1 - axis.after * over / (axis.before * under)
        return places + axis.before / 2 * missing
    if coordinates == "pytorch_half_pixel" and isinstance(axis.after, int) and axis.after == 1:
        return torch.zeros_like(places)
    return places


def _rounded(places: Tensor, mode: str) -> Tensor:
    if mode == "floor":
        return places.floor().long()
    if mode == "ceil":
        return places.ceil().long()
    half_up = (places + 0.5).floor()
    return (half_up if mode == "round_prefer_ceil" else (places - 0.5).ceil()).long()


def _linear(fraction: Tensor) -> tuple[list[int], list[Tensor]]:
    return [0, 1], [1 - fraction, fraction]


def _cubic(t: Tensor, a: float) -> tuple[list[int], list[Tensor]]:
    """Keys' kernel (1981, Cubic convolution interpolation) with parameter ``a``."""

    def near(d: Tensor) -> Tensor:
        return ((a + 2) * d - (a + 3)) * d * d + 1

    def far(d: Tensor) -> Tensor:
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

    return [-1, 0, 1, 2], [far(t + 1), near(t), near(1 - t), far(2 - t)]
