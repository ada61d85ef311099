"""The vocabulary formulas of statistics are written in.

A formula says what is computed; a vocabulary says in which operators, once for ATen (:mod:`passes.words.aten`) and
once for ONNX (``tlcconvert.lower.forms.words``). A size never decides anything: formulas take branches by numbers of
the network alone (windows, channels), so what they write is right at every batch, height and width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

Map = Any
"""A tensor [N, C, H, W], or what is made of one."""
Size = Any
"""Elements along an axis: a number, or what stands for one."""
Index = Any
"""Whole numbers along an axis."""

ROWS, COLUMNS = 2, 3
END = 2**62
"""Past the end of every axis."""
LARGEST = 2.0**128 - 2.0**104
"""The largest float32."""


class Words(Protocol):
    """What a formula may say. Arithmetic takes numbers for sizes and for elements of an index."""

    def size(self, x: Map, axis: int) -> Size: ...
    def channels(self, x: Map) -> int: ...
    def extent(self, argument: Any) -> Size:
        """A size that is an argument of the operator."""

    def number(self, value: int) -> Size: ...
    def covered(self, x: Map, axis: int, window: int) -> Size:
        """k = min(window, size of ``axis``)."""

    def smaller(self, a: Size, b: Size) -> Size: ...
    def larger(self, a: Size, b: Size) -> Size: ...
    def more(self, a: Size, b: Size) -> Size: ...
    def less(self, a: Size, b: Size) -> Size: ...
    def times(self, a: Size, b: Size) -> Size: ...
    def parts(self, a: Size, b: int) -> Size:
        """a / b, rounded down."""

    def copy(self, x: Map) -> Map: ...
    def ones_like(self, x: Map) -> Map: ...
    def add(self, a: Map, b: Map) -> Map: ...
    def subtract(self, a: Map, b: Map) -> Map: ...
    def multiply(self, a: Map, b: Map) -> Map: ...
    def divide(self, a: Map, b: Map) -> Map: ...
    def maximum(self, a: Map, b: Map) -> Map: ...
    def minimum(self, a: Map, b: Map) -> Map: ...
    def exp(self, x: Map) -> Map: ...
    def log(self, x: Map) -> Map: ...
    def root(self, x: Map) -> Map: ...
    def inverse_root(self, x: Map) -> Map: ...
    def not_negative(self, x: Map) -> Map:
        """max(x, 0)."""

    def double(self, x: Map) -> Map:
        """In float64."""

    def like(self, value: Map, x: Map) -> Map:
        """``value`` in the type of ``x``, an argument of the operator."""

    def decimal(self, value: float, double: bool = False) -> Any:
        """A number for maps; float64 if ``double``."""

    def at_least(self, x: Map, least: Any) -> Map:
        """max(x, least), both float64."""

    def bounded(self, x: Map, least: float, most: float) -> Map:
        """min(max(x, least), most), in the type of ``x``."""

    def divisor(self, count: Size, double: bool = False) -> Any:
        """What :meth:`over` divides sums of ``count`` elements by; of float64 sums if ``double``."""

    def over(self, sums: Map, divisor: Any) -> Map: ...

    def between(self, x: Map, axis: int, start: Size, end: Size) -> Map:
        """The elements of ``axis`` from ``start`` up to ``end``, which count from the end where negative."""

    def upper_left(self, x: Map, rows: Size, columns: Size) -> Map:
        """The first rows and columns."""

    def joined(self, a: Map, b: Map, axis: int) -> Map:
        """b behind a."""

    def padding(self, missing: Size) -> Any:
        """What :meth:`padded` adds behind an axis."""

    def padded(self, x: Map, axis: int, padding: Any, value: float) -> Map: ...
    def gather(self, x: Map, axis: int, index: Index) -> Map: ...
    def along(self, axis: int, formula: Callable[[Map, int], Map], x: Map) -> Map:
        """``formula`` of x and of ``axis``, or of x turned and another axis, turned back."""

    def total(self, x: Map, axis: int, double: bool = False) -> Map:
        """The sum over ``axis``, which stays with one element; ``double`` says that x is float64."""

    def running_sum(self, first: Map, steps: Map, axis: int) -> Map:
        """``first``, of one element, and its running total with ``steps``."""

    def replicate(self, interior: Map, height: Size, width: Size, like: Map | None = None) -> Map:
        """Edge-padded to [N, C, height, width], the odd row and column at the end.

        ``like`` is a map of the interior's size, for several of which the border is then computed once.
        """

    def by_group(self, x: Map, groups: int) -> Map:
        """[N, groups, C / groups, H, W]."""

    def ungrouped(self, grouped: Map, x: Map) -> Map:
        """The inverse, for x [N, C, H, W]."""

    def of_each_channel(self, x: Map) -> Map:
        """[N, groups, 1, H, W] of [N, groups, H, W]."""

    def sum_over(self, x: Map, axis: int) -> Map: ...
    def sum_of_squares(self, x: Map, axis: int) -> Map: ...
    def mean_over(self, x: Map, *axes: int) -> Map:
        """The mean over ``axes``, which stay with one element."""

    def numbers(self, count: Size) -> Index:
        """0, 1, ... count - 1."""

    def multiples(self, step: int, last: Size) -> Index:
        """0, step, 2 * step, ... and ``last``, each once."""

    def clamped(self, index: Index, least: Size, most: Size) -> Index: ...
    def floor_divide(self, index: Index, by: Size) -> Index: ...
    def upright(self, index: Index) -> Index:
        """[count, 1]."""

    def quotient(self, a: Index, b: Index) -> Any:
        """a / b, not rounded to whole numbers."""

    def weights(self, quotients: Any, x: Map) -> Any:
        """Quotients as factors of ``x``, an argument of the operator."""

    def product(self, a: Any, b: Any) -> Any:
        """Of matrices."""

    def transposed(self, matrix: Any) -> Any: ...

    def pooled(self, x: Map, axis: int, length: int, step: int) -> Map:
        """Means of ``length`` elements of ``axis`` from every ``step``-th on, zeros where it has ended."""

    def in_blocks(self, x: Map, axis: int, length: int) -> Map:
        """``axis``, a multiple of ``length`` long, as two: the blocks, and the elements of each."""

    def as_one_block(self, x: Map, axis: int) -> Map:
        """The same where ``axis`` is one block long, whatever sizes say."""

    def flat(self, blocks: Map, axis: int, length: Size) -> Map:
        """The inverse; ``axis`` becomes ``length`` long."""

    def of_each_in_block(self, x: Map, axis: int) -> Map:
        """An element per block for all elements of the block."""

    def mean_within(self, blocks: Map, axis: int) -> Map:
        """An element per block."""

    def gather_blocks(self, x: Map, axis: int, index: Index) -> Map:
        """Blocks of elements of ``axis``: index [blocks, elements]."""

    def weighed(self, blocks: Map, matrix: Any, axis: int) -> Map:
        """``matrix`` [r, s] times the s elements of each block."""

    def expanded(self, x: Map, like: Map) -> Map:
        """x broadcast to ``like``."""

    def grid_sums(self, maps: Sequence[Map], rows: Any, columns: Any, double: bool) -> Sequence[Map]:
        """Sums [N, C, gh, gw] over the windows at the nodes (:class:`passes.words.grid.Nodes`) of both axes.

        ``double`` says that maps are float64. Otherwise they are arguments of the operator.
        """

    def grid_power_sums_by_group(self, x: Map, groups: int, rows: Any, columns: Any) -> Sequence[Map]:
        """Sums of x and of x^2 over such windows and each group of channels, [N, groups, gh, gw], float64."""
