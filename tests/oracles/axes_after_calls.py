"""The axes of what a call returns."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tests.oracles import pixel_axes
from tests.oracles.function_names import IMAGE_ONLY, MOVES, POINTWISE, PRODUCTS, SAME_PLACE, TRANSFORMS, VIEWS
from tests.oracles.pixel_axes import Axes
from tests.oracles.reductions import REDUCTIONS, reduction_of


def axes_after(
    name: str,
    function: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    before: list[tuple[Axes | None, tuple[int, ...]]],
    result: Tensor,
) -> Axes:
    shape = tuple(result.shape)
    lost = pixel_axes.unnamed(shape)
    axes = before[0][0] if before else None
    if name in POINTWISE:
        operands = [
            (own or pixel_axes.unnamed(size), own is not None)
            for own, size in before
            if len(size) <= len(shape)
        ]
        if name in ("batch_norm", "prelu"):
            operands = operands[:1]
        return pixel_axes.broadcast(operands, len(shape)) or lost
    if name in PRODUCTS or name == "scaled_dot_product_attention":
        return _after_product(name, args, before, shape) or lost
    if name == "einsum":
        return _after_einsum(args, before) or lost
    if name in ("cat", "concat", "concatenate", "stack"):
        return _after_cat(name, args, kwargs, before, shape) or lost
    if name == "scatter":
        return _after_scatter(args, before) or lost
    if axes is None or not pixel_axes.is_named(axes):
        return lost
    if name in ("argmax", "argmin"):
        return _after_choice(axes, args, kwargs, shape) or lost
    if name in IMAGE_ONLY and before[0][1][-2:] != shape[-2:] and not _has_pixels_last(axes, shape):
        return lost
    if name in SAME_PLACE:
        return pixel_axes.resized(axes, shape)
    if name in VIEWS:
        return pixel_axes.reshaped(axes, shape)
    if name in MOVES:
        return pixel_axes.moved(axes, function, args[1:], kwargs)
    if name == "flip":
        given = [*args[1:], *kwargs.values()]
        dims = [dim % len(axes) for own in given for dim in ([own] if isinstance(own, int) else own)]
        return pixel_axes.flipped(axes, dims)
    if name in TRANSFORMS:
        dims = _transformed_dims(name, args, kwargs, len(axes))
        change = (
            pixel_axes.transformed_back
            if name.removeprefix("fft_").startswith("i")
            else pixel_axes.transformed
        )
        return change(axes, dims, shape) if len(axes) == len(shape) else lost
    if name == "roll":
        return _after_roll(axes, args, kwargs) or lost
    if name == "__getitem__":
        if is_mask_of(args[1], before[0][1]):
            return selected(args[1], shape[0])
        return _after_index(axes, args[1], shape) or lost
    if name in ("unbind", "select"):
        dim = args[1] if len(args) > 1 else kwargs.get("dim", 0)
        return tuple(own for i, own in enumerate(axes) if i != dim % len(axes))
    if name in ("expand", "expand_as", "repeat") and len(shape) == len(axes):
        return pixel_axes.resized(axes, shape)
    if name in REDUCTIONS:
        found = reduction_of(
            name, _Shaped(before[0][1]), None, args[1:], {k: v for k, v in kwargs.items() if k != "input"}
        )
        if found is not None:
            _, reduced, keepdim, _ = found
            kept = [() if i in reduced else own for i, own in enumerate(axes) if keepdim or i not in reduced]
            return tuple(kept) if len(kept) == len(shape) else lost
    return lost


def _transformed_dims(name: str, args: Any, kwargs: Any, rank: int) -> list[int]:
    count = {"2": 2, "n": rank}.get(name[-1], 1)
    bound = dict(zip(("input", "s", "dim", "norm"), args, strict=False)) | kwargs
    dims = bound.get("dim")
    if dims is None:
        return list(range(rank - count, rank))
    return [dim % rank for dim in ([dims] if isinstance(dims, int) else dims)]


@dataclass(frozen=True)
class _Shaped:
    shape: tuple[int, ...]

    def dim(self) -> int:
        return len(self.shape)


def _has_pixels_last(axes: Axes, shape: Sequence[int]) -> bool:
    names = [[name for name, _ in axis] for axis in axes[-2:]]
    return (
        len(names) == 2
        and sorted(map(str, names)) == ["['H']", "['W']"]
        and not pixel_axes.is_named(axes[:-2])
    )


def _after_product(name: str, args: Any, before: Any, shape: tuple[int, ...]) -> Axes | None:
    if len(before) < 2:
        return None
    operands = before[:3] if name == "scaled_dot_product_attention" else before[:2]
    axes = [own or pixel_axes.unnamed(size) for own, size in operands]
    if min(len(own) for own in axes) < 2:
        return None
    left, right = axes[0], axes[-1]
    if name == "__rmatmul__":
        left, right = right, left
    # A result row belongs to the row of the left operand, whatever it was multiplied with.
    kept = pixel_axes.broadcast([(own[:-2], pixel_axes.is_named(own[:-2])) for own in axes], len(shape) - 2)
    return None if kept is None else (*kept, left[-2], right[-1])


def _after_einsum(args: Any, before: Any) -> Axes | None:
    """Each letter of the result keeps the axis it has in the first operand that has it."""
    equation = args[0].replace(" ", "") if isinstance(args[0], str) else ""
    if "->" not in equation or "." in equation:
        return None
    inputs, output = equation.split("->")
    found: dict[str, Any] = {}
    for letters, (own, size) in zip(inputs.split(","), before, strict=True):
        for letter, axis in zip(letters, own or pixel_axes.unnamed(size), strict=True):
            found.setdefault(letter, axis)
    return tuple(found[letter] for letter in output)


def _after_cat(name: str, args: Any, kwargs: Any, before: Any, shape: tuple[int, ...]) -> Axes | None:
    dim = kwargs.get("dim", args[1] if len(args) > 1 else 0)
    dim %= len(shape)
    operands = [(own or pixel_axes.unnamed(size), own is not None) for own, size in before]
    if name == "stack":
        kept = pixel_axes.broadcast(operands, len(shape) - 1)
        return None if kept is None else (*kept[:dim], *pixel_axes.unnamed(shape[dim : dim + 1]), *kept[dim:])
    if pixel_axes.is_named(operands[0][0][dim : dim + 1]):
        # What is put behind the last row is a border, whatever it is made of.
        return pixel_axes.resized(operands[0][0], shape)
    if any(pixel_axes.is_named(own[dim : dim + 1]) for own, _ in operands):
        return None
    kept = pixel_axes.broadcast([((*own[:dim], (), *own[dim + 1 :]), of) for own, of in operands], len(shape))
    return (
        None if kept is None else (*kept[:dim], *pixel_axes.unnamed(shape[dim : dim + 1]), *kept[dim + 1 :])
    )


def _after_roll(axes: Axes, args: Any, kwargs: Any) -> Axes | None:
    bound = dict(zip(("input", "shifts", "dims"), args, strict=False)) | kwargs
    if bound.get("dims") is None:
        return None
    dims, shifts = ([own] if isinstance(own, int) else list(own) for own in (bound["dims"], bound["shifts"]))
    return pixel_axes.rolled(axes, [dim % len(axes) for dim in dims], shifts)


def _after_index(axes: Axes, index: Any, shape: tuple[int, ...]) -> Axes | None:
    items = list(index) if isinstance(index, tuple) else [index]
    if any(isinstance(item, (Tensor, list, bool)) for item in items):
        return None
    used = sum(item is not None and item is not Ellipsis for item in items)
    if Ellipsis in items:
        at = items.index(Ellipsis)
        items[at : at + 1] = [slice(None)] * (len(axes) - used)
    items += [slice(None)] * (len(axes) - sum(item is not None for item in items))
    left = list(axes)
    result: list[Any] = []
    for item in items:
        if item is None:
            result.append(())
        elif isinstance(item, slice):
            result.append(left.pop(0))
        else:
            left.pop(0)
    return pixel_axes.resized(tuple(result), shape) if len(result) == len(shape) else None


def is_mask_of(index: Any, shape: Sequence[int]) -> bool:
    """Whether ``index`` says of every element of a tensor of ``shape`` whether it is taken."""
    return isinstance(index, Tensor) and index.dtype == torch.bool and tuple(index.shape) == tuple(shape)


def selected(mask: Tensor, count: int) -> Axes:
    """Of the elements that ``mask`` selects: no axis of pixels, but each is known to be in its place again."""
    digest = hashlib.sha256(mask.detach().numpy().tobytes()).hexdigest()
    return (((("selected", digest), count),),)


def _after_choice(axes: Axes, args: Any, kwargs: Any, shape: tuple[int, ...]) -> Axes | None:
    """The number of the largest channel at each pixel."""
    dim = kwargs.get("dim", args[1] if len(args) > 1 else None)
    if not isinstance(dim, int):
        return None
    dim %= len(axes)
    if pixel_axes.is_named(axes[dim : dim + 1]):
        return None
    kept = (*axes[:dim], *(((),) if len(shape) == len(axes) else ()), *axes[dim + 1 :])
    return kept if len(kept) == len(shape) else None


def _after_scatter(args: Any, before: Any) -> Axes | None:
    """Numbers written along an axis that is none of pixels, where an index of pixels says."""
    (target, size), (index, _) = before[0], before[1]
    dim = args[1] % len(size)
    if index is None or pixel_axes.is_named(index[dim : dim + 1]):
        return None
    written = (*index[:dim], *pixel_axes.unnamed(size[dim : dim + 1]), *index[dim + 1 :])
    own = target or pixel_axes.unnamed(size)
    return pixel_axes.broadcast([(own, target is not None), (written, True)], len(size))


def axes_after_writing(target: Tensor, index: Any, value: Any) -> Axes:
    """Of ``target`` once ``target[index] = value``: its own where pixels were written over pixels in their place."""
    if is_mask_of(index, target.shape):
        return _after_masked_writing(target, index, value)
    axes = _own(target) or pixel_axes.unnamed(target.shape)
    if not isinstance(value, Tensor):
        return axes
    own = _own(value) or pixel_axes.unnamed(value.shape)
    if _own(target) is None and value.dim() == target.dim():
        axes = tuple(
            a if a == joint else b
            for a, b, joint in zip(own, axes, pixel_axes.resized(own, target.shape), strict=True)
        )
    written = _after_index(axes, index, tuple(value.shape))
    if (
        written is None
        or pixel_axes.broadcast([(written, True), (own, _own(value) is not None)], len(written)) is None
    ):
        return pixel_axes.unnamed(target.shape)
    return axes


def _after_masked_writing(target: Tensor, mask: Tensor, value: Any) -> Axes:
    """Of ``target`` once ``target[mask] = value``: that of both, where ``value`` was selected by the same mask."""
    of_image = [own for own in (_own(target), _own(mask)) if own is not None]
    axes = pixel_axes.broadcast([(own, True) for own in of_image], target.dim())
    source = _own(value)
    is_in_place = source is None or source == selected(mask, int(mask.sum()))
    return axes if axes is not None and is_in_place else pixel_axes.unnamed(target.shape)


def _own(x: Any) -> Axes | None:
    return getattr(x, "pixel_axes", None)
