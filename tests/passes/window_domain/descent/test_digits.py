"""What digits claim about views and permutations is true of tensors that hold the coordinates of their pixels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
import sympy
import torch
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from torch import Tensor

from passes.sizes import ImageSize
from passes.window_domain.descent.digits import Axes, Counts, Step, channels, regrouped, size_of, whole
from passes.window_domain.descent.sampled import ONE, is_bounded, is_multiple_of, sampled

BATCH, ROWS, COLUMNS = sympy.symbols("batch rows columns", integer=True, positive=True)
IMAGE = ImageSize(frozenset({BATCH}), 12 * ROWS, 12 * COLUMNS)
SMALL = {BATCH: 2, ROWS: 2, COLUMNS: 3}
CHANNELS = 6
STEP = Step("lost", "view", "viewed")


@dataclass
class Program:
    """A tensor of coordinates and the digits of its axes, moved alike.

    ``tensor`` holds the number of each pixel, ``batch, channel, row, column`` in row-major order.
    """

    shape: list[sympy.Expr] = field(default_factory=lambda: [BATCH, sympy.Integer(CHANNELS), *_extents()])
    tensor: Tensor = field(init=False)
    axes: Axes = field(init=False)

    def __post_init__(self) -> None:
        sizes = self.sizes()
        self.tensor = torch.arange(torch.Size(sizes).numel()).reshape(sizes)
        counts = (Counts.IMAGES, Counts.CHANNELS, Counts.ROWS, Counts.COLUMNS)
        self.axes = tuple(
            channels(sampled(size, IMAGE)) if what is Counts.CHANNELS else whole(what, sampled(size, IMAGE))
            for what, size in zip(counts, self.shape, strict=True)
        )

    def sizes(self) -> list[int]:
        return [int(size.subs(SMALL)) for size in self.shape]

    def view(self, shape: list[sympy.Expr]) -> None:
        self.shape = shape
        self.tensor = self.tensor.reshape(self.sizes())
        before = self.axes
        self.axes = regrouped(before, [sampled(size, IMAGE) for size in shape], STEP)
        if _counted(self.axes, Counts.UNKNOWN) == _counted(before, Counts.UNKNOWN) and (
            _counted(self.axes, Counts.CHANNELS) != _counted(before, Counts.CHANNELS)
        ):
            reject()  # a pixel shuffle: the insides of its blocks are pixels now, which hold no coordinates

    def permute(self, order: list[int]) -> None:
        self.shape = [self.shape[index] for index in order]
        self.tensor = self.tensor.permute(order)
        self.axes = tuple(self.axes[index] for index in order)

    def coordinates(self, counts: Counts) -> Tensor:
        """The row or the column each element comes from."""
        height, width = (int(size.subs(SMALL)) for size in _extents())
        return self.tensor // width % height if counts is Counts.ROWS else self.tensor % width

    def check(self) -> int:
        """Asserts every axis that claims rows or columns in place; how many did."""
        claims = 0
        for axis, digits in enumerate(self.axes):
            if len(digits) == 1 and digits[0].is_in_place:
                counts = digits[0].counts
                extent = int(_extents()[0 if counts is Counts.ROWS else 1].subs(SMALL))
                count = self.tensor.shape[axis]
                assert extent % count == 0
                places = self.coordinates(counts) // (extent // count)
                index = torch.arange(count).reshape(
                    [-1 if a == axis else 1 for a in range(self.tensor.dim())]
                )
                assert torch.equal(places, index.expand_as(places))
                claims += 1
        return claims


def _counted(axes: Axes, counts: Counts) -> Any:
    return size_of(digit for digits in axes for digit in digits if digit.counts is counts)


def _extents() -> list[sympy.Expr]:
    return [12 * ROWS, 12 * COLUMNS]


def split(program: Program, axis: int, inner: int) -> bool:
    size = program.shape[axis]
    if int(size.subs(SMALL)) % inner or not all(value % inner == 0 for value in sampled(size, IMAGE)):
        return False
    shape = list(program.shape)
    shape[axis : axis + 1] = [size / inner, sympy.Integer(inner)]
    if not (size / inner).subs(SMALL).is_Integer:
        return False
    program.view(shape)
    return True


def merge(program: Program, axis: int) -> None:
    shape = list(program.shape)
    shape[axis : axis + 2] = [shape[axis] * shape[axis + 1]]
    program.view(shape)


@st.composite
def moved(draw: Any) -> Program:
    program = Program()
    for _ in range(draw(st.integers(0, 7))):
        kind = draw(st.sampled_from(("split", "merge", "permute", "exchange")))
        rank = len(program.shape)
        axis = draw(st.integers(0, rank - 1))
        if kind == "split" and rank < 8:
            split(program, axis, draw(st.sampled_from((2, 3, 4, 6))))
        elif kind == "merge" and rank > 2:
            merge(program, min(axis, rank - 2))
        elif kind == "permute":
            program.permute(draw(st.permutations(range(rank))))
        elif kind == "exchange" and rank > 1:
            # A view that gives two axes each other's size keeps no pixel where its shape says.
            shape = list(program.shape)
            other = draw(st.integers(0, rank - 1))
            shape[axis], shape[other] = shape[other], shape[axis]
            program.view(shape)
    return program


@settings(max_examples=300, deadline=None)
@given(moved())
def test_an_axis_that_claims_pixels_in_place_has_them_there(program: Program) -> None:
    program.check()


def test_a_constant_divides_rows_only_where_the_view_ends_with_them() -> None:
    """``[4 rows, 3]`` seen as ``[3, 4 rows]`` is no cut into three blocks of rows, which need not be divisible."""
    blocks, inside = sampled(4 * ROWS, IMAGE), sampled(sympy.Integer(3), IMAGE)
    axes = (whole(Counts.ROWS, blocks), channels(inside))
    seen = regrouped(axes, [inside, blocks], STEP)
    assert not any(digit.is_in_place for digits in seen for digit in digits)
    cut = regrouped(axes, [inside, sampled(4 * ROWS / 3, IMAGE), inside], STEP)
    assert [digits[0].counts for digits in cut] == [Counts.ROWS, Counts.ROWS, Counts.CHANNELS]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from((2, 3, 4, 6))), max_size=4), st.randoms())
def test_what_is_put_back_is_a_whole_map_again(splits: list[tuple[int, int]], random: Any) -> None:
    program = Program()
    start = program.shape
    for axis, inner in splits:
        split(program, axis % len(program.shape), inner)
    split_shape = list(program.shape)
    order = random.sample(range(len(split_shape)), len(split_shape))
    program.permute(order)
    program.view([sympy.Mul(*program.shape[:2]), *program.shape[2:]])
    program.view([split_shape[index] for index in order])
    program.permute([order.index(index) for index in range(len(order))])
    program.view(start)
    assert program.axes == Program().axes
    assert program.check() == 2


def test_a_view_may_cut_an_axis_whose_parts_came_together() -> None:
    program = Program()
    program.view([BATCH, sympy.Integer(6), 6 * ROWS, sympy.Integer(2), 12 * COLUMNS])
    program.permute([1, 2, 3, 0, 4])
    apart = program.axes
    program.view([36 * ROWS, sympy.Integer(2), BATCH, 12 * COLUMNS])
    program.view([sympy.Integer(6), 6 * ROWS, sympy.Integer(2), BATCH, 12 * COLUMNS])
    assert program.axes == apart
    program.check()


def test_windows_count_no_rows_until_they_are_put_back() -> None:
    program = Program()
    program.view([BATCH, sympy.Integer(6), 3 * ROWS, sympy.Integer(4), 3 * COLUMNS, sympy.Integer(4)])
    program.permute([0, 2, 4, 3, 5, 1])
    program.view([9 * BATCH * ROWS * COLUMNS, sympy.Integer(16), sympy.Integer(6)])
    assert [[digit.counts for digit in digits] for digits in program.axes] == [
        [Counts.IMAGES, Counts.ROWS, Counts.COLUMNS], [Counts.ROWS, Counts.COLUMNS], [Counts.CHANNELS],
    ]  # fmt: skip
    assert program.check() == 0


@pytest.mark.parametrize("order", [[0, 3, 1, 2], [0, 2, 3, 1]])
def test_a_view_in_the_place_of_a_permutation_loses_the_pixels(order: list[int]) -> None:
    program = Program()
    program.view([program.shape[index] for index in order])
    assert not any(digit.is_in_place for digits in program.axes for digit in digits)


def test_blocks_of_a_pixel_shuffle_are_a_finer_map() -> None:
    axes = (
        whole(Counts.IMAGES, sampled(BATCH, IMAGE)), channels((2,) * len(ONE)), channels((2,) * len(ONE)),
        whole(Counts.ROWS, sampled(12 * ROWS, IMAGE)), whole(Counts.COLUMNS, sampled(12 * COLUMNS, IMAGE)),
    )  # fmt: skip
    turned = (axes[0], axes[3], axes[1], axes[4], axes[2])
    finer = regrouped(turned, [sampled(size, IMAGE) for size in (BATCH, 24 * ROWS, 24 * COLUMNS)], STEP)
    assert [digits[0].is_in_place for digits in finer[1:]] == [True, True]
    wide = regrouped(
        (axes[0], axes[3], (*axes[4], *axes[2])),
        [sampled(size, IMAGE) for size in (BATCH, 12 * ROWS, 24 * COLUMNS)],
        STEP,
    )
    assert len(wide[2]) == 2, "channels behind columns alone are no finer map"


def test_offsets_that_grow_are_told_from_those_that_do_not() -> None:
    height = 12 * ROWS
    assert is_bounded(sympy.Mod(-height, 32), IMAGE)
    assert is_bounded(sympy.Integer(-7), IMAGE)
    assert not is_bounded(height // 64, IMAGE)
    assert is_multiple_of(height // 2 + (height + 1) // 2, height, IMAGE)
    assert not is_multiple_of(height // 2, height, IMAGE)
