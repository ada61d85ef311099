"""Which axes of a tensor count the rows and the columns of a feature map, followed from one operation to the next.

Every axis is a product of factors. The image begins as ``[N, C, H, W]`` with factors without a name for N and C,
and ``H``, ``W`` for its pixels. A view splits factors (``H`` into windows and rows of a window) and joins them again;
what was split and comes back together in its order is the factor it was before. A rolled axis is another factor until
it is rolled back. Anything that moves pixels in another way leaves factors without a name, and a tensor without both
``H`` and ``W`` is no feature map.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor

Factor = tuple[Any, int]
"""A name and an extent. The name is ``H``, ``W``, None, or a tuple that says which part of which factor it is."""
Axis = tuple[Factor, ...]
Axes = tuple[Axis, ...]

HEIGHT, WIDTH = "H", "W"


@dataclass(frozen=True)
class Layout:
    """Where a tensor keeps its feature map: one axis for rows and one for columns, or one axis for both."""

    axes: tuple[int, ...]
    height: int
    width: int

    def map_last(self, x: Tensor) -> Tensor:
        """``x`` as ``[other axes in their order, H, W]``."""
        if len(self.axes) == 2:
            return x.movedim(self.axes, (-2, -1))
        return x.movedim(self.axes[0], -1).unflatten(-1, (self.height, self.width))

    def from_map_last(self, x: Tensor) -> Tensor:
        """The inverse of :meth:`map_last`."""
        if len(self.axes) == 2:
            return x.movedim((-2, -1), self.axes)
        return x.flatten(-2).movedim(-1, self.axes[0])


def image_axes(shape: Sequence[int]) -> Axes:
    named = dict(zip((len(shape) - 2, len(shape) - 1), (HEIGHT, WIDTH), strict=True))
    return tuple(_axis(named.get(axis), size) for axis, size in enumerate(shape))


def unnamed(shape: Sequence[int]) -> Axes:
    return tuple(_axis(None, size) for size in shape)


def _axis(name: Any, size: int) -> Axis:
    return ((name, int(size)),) if size != 1 else ()


def is_named(axes: Axes) -> bool:
    return any(name is not None for axis in axes for name, _ in axis)


def layout_of(axes: Axes) -> Layout | None:
    """The feature map of a tensor, if it is one: every row and column of it, once.

    Rows and columns that were split into blocks are a coarse map of blocks, with the pixels of a block as channels.
    """
    rows = [i for i, axis in enumerate(axes) if len(axis) == 1 and _counts(axis[0], HEIGHT)]
    columns = [i for i, axis in enumerate(axes) if len(axis) == 1 and _counts(axis[0], WIDTH)]
    flat = [
        i
        for i, axis in enumerate(axes)
        if len(axis) == 2 and _counts(axis[0], HEIGHT) and _counts(axis[1], WIDTH)
    ]
    pixels: tuple[int, ...]
    if len(rows) == len(columns) == 1 and not flat:
        pixels, found = (rows[0], columns[0]), (axes[rows[0]][0], axes[columns[0]][0])
    elif len(flat) == 1 and not rows and not columns:
        pixels, found = (flat[0],), (axes[flat[0]][0], axes[flat[0]][1])
    else:
        return None
    others = [name for i, axis in enumerate(axes) if i not in pixels for name, _ in axis if name is not None]
    inner = {(*name[:3], 1) for name, _ in found if isinstance(name, tuple)}
    return Layout(pixels, found[0][1], found[1][1]) if set(others) <= inner else None


def _counts(factor: Factor, letter: str) -> bool:
    """Whether the factor counts rows (columns), or blocks of them."""
    name = factor[0]
    return name == letter or (
        isinstance(name, tuple) and len(name) == 4 and (name[0], name[3]) == (letter, 0)
    )


def _whole(axis: Axis, letter: str) -> bool:
    return len(axis) == 1 and axis[0][0] == letter


def resized(axes: Axes, shape: Sequence[int]) -> Axes:
    """After an operation that keeps the axes, such as a convolution, a pad or a crop, and may change extents."""
    if len(axes) != len(shape):
        return unnamed(shape)
    return tuple(_resized(axis, int(size)) for axis, size in zip(axes, shape, strict=True))


def _resized(axis: Axis, size: int) -> Axis:
    if prod(extent for _, extent in axis) == size:
        return axis
    for letter in (HEIGHT, WIDTH):
        if _whole(axis, letter):
            return _axis(letter, size)
    return _axis(None, size)


def reshaped(axes: Axes, shape: Sequence[int]) -> Axes:
    """After a view, in which elements keep their order."""
    left = [factor for axis in axes for factor in axis]
    result: list[Axis] = []
    for size in shape:
        taken: list[Factor] = []
        missing = int(size)
        while missing > 1:
            name, extent = left.pop(0)
            if missing % extent == 0:
                taken.append((name, extent))
                missing //= extent
            elif extent % missing == 0:
                outer, inner = missing, extent // missing
                parts = [None if name is None else (name, extent, outer, part) for part in (0, 1)]
                taken.append((parts[0], outer))
                left.insert(0, (parts[1], inner))
                missing = 1
            else:
                return unnamed(shape)
        result.append(joined(taken))
    return tuple(result)


def joined(factors: Sequence[Factor]) -> Axis:
    """``factors`` with halves of one factor that follow each other put together again."""
    result: list[Factor] = []
    for factor in factors:
        result.append(factor)
        while len(result) > 1 and (whole := _joined(result[-2], result[-1])) is not None:
            result[-2:] = [whole]
    return tuple(result)


def _joined(first: Factor, second: Factor) -> Factor | None:
    (a, m), (b, n) = first, second
    if a is None and b is None:
        return (None, m * n)
    if isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b) == 4:
        if a[:3] == b[:3] and (a[3], b[3]) == (0, 1):
            return (a[0], a[1])
    return None


def rolled(axes: Axes, dims: Sequence[int], shifts: Sequence[int]) -> Axes:
    result = list(axes)
    for dim, shift in zip(dims, shifts, strict=True):
        axis = result[dim]
        if len(axis) != 1 or axis[0][0] is None:
            if axis and is_named((axis,)):
                result[dim] = _axis(None, prod(extent for _, extent in axis))
            continue
        name, size = axis[0]
        base, before = (name[1], name[2]) if isinstance(name, tuple) and name[0] == "rolled" else (name, 0)
        total = (before + shift) % size
        result[dim] = ((base if total == 0 else ("rolled", base, total), size),)
    return tuple(result)


def flipped(axes: Axes, dims: Sequence[int]) -> Axes:
    """A flip of whole axes; a second one takes it back."""
    return stepped(
        axes, dims, lambda name, size: name[1] if _is_step(name, "flipped") else ("flipped", name, size)
    )


def transformed(axes: Axes, dims: Sequence[int], shape: Sequence[int]) -> Axes:
    """Frequencies in the place of pixels."""
    after = list(stepped(axes, dims, lambda name, size: ("transformed", name, size)))
    for dim in dims:
        after[dim] = _axis(after[dim][0][0] if after[dim] else None, int(shape[dim]))
    return tuple(after)


def transformed_back(axes: Axes, dims: Sequence[int], shape: Sequence[int]) -> Axes:
    """Pixels again, in their places where the extent is what it was."""
    after = list(axes)
    for dim in dims:
        name: Any = after[dim][0][0] if len(after[dim]) == 1 else None
        size = int(shape[dim])
        after[dim] = _axis(name[1] if _is_step(name, "transformed") and name[2] == size else None, size)
    return tuple(after)


def stepped(axes: Axes, dims: Sequence[int], step: Callable[[Any, int], Any]) -> Axes:
    result = list(axes)
    for dim in dims:
        if not is_named((result[dim],)):
            continue
        whole = len(result[dim]) == 1
        name, size = result[dim][0] if whole else (None, prod(extent for _, extent in result[dim]))
        result[dim] = _axis(step(name, size) if whole else None, size)
    return tuple(result)


def _is_step(name: Any, kind: str) -> bool:
    return isinstance(name, tuple) and len(name) == 3 and name[0] == kind


def broadcast(operands: Sequence[tuple[Axes, bool]], rank: int) -> Axes | None:
    """Of an operation element by element; each operand with whether it depends on the image.

    None where pixels meet something of the image that is no pixel in the same place.
    """
    result: list[Axis] = [()] * rank
    for axes, _ in operands:
        for offset, axis in enumerate(reversed(axes)):
            index = rank - 1 - offset
            if axis and (not result[index] or (is_named((axis,)) and not is_named((result[index],)))):
                result[index] = axis
    for axes, of_image in operands:
        for offset, axis in enumerate(reversed(axes)):
            expected = result[rank - 1 - offset]
            if of_image and axis and is_named((expected,)) and joined(axis) != joined(expected):
                return None
    return tuple(result)


def moved(axes: Axes, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Axes:
    """After a permutation of the axes: the function is asked where it puts axes of different extents."""
    probe = torch.empty(tuple(range(2, 2 + len(axes))), device="meta")
    return tuple(axes[size - 2] for size in function(probe, *args, **kwargs).shape)
