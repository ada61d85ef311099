"""Means and variances over windows without running sums, in the type of the map, O(HW) whatever the window.

An axis is cut into blocks of s elements. The window that begins at q*s + r is the end of block q from r on, whole
blocks, and the first r elements after them. Of each of the three,

    c = mean of the whole blocks        d = sum (x - c) / k        e = sum (x - c)^2 / k        k = min(window, size)

added up, give

    mean = c + d                        variance = e - d^2

Nothing that has left a window is ever subtracted: next to a bright area, a flat one would have the rounding of that
for a variance. The whole blocks are a third of the window or more, so d^2 is no more than two thirds of e, and the
one subtraction costs a bit or two. The mean stays a pair, of which x - c is exact where it matters.

The second axis takes the means of the first along with their variances:

    variance of all = mean of the variances + variance of the means
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from passes.operators.grid_nodes import spacing
from passes.words.window_blocks import Blocks, blocks_of, is_before
from passes.words.words import COLUMNS, ROWS, Index, Map, Size, Words


class Moments(NamedTuple):
    """Of what stands behind each element: the mean, ``high + low``, and the variance; None for 0."""

    high: Map
    low: Map | None = None
    variance: Map | None = None


def window_moments(w: Words, x: Map, of_pixels: Moments, window_height: int, window_width: int) -> Moments:
    """Those of every full window, [N, C, H-kh+1, W-kw+1], of maps [N, C, H, W].

    Sizes are read from x [N, any, H, W], an argument of the operator.
    """
    for axis, window in ((ROWS, window_height), (COLUMNS, window_width)):
        if window > 1:
            size = w.size(x, axis)
            of_pixels = _Axis.of(w, of_pixels, axis, size, window, blocks_of(window)).every_window()
    return of_pixels


def grid_moments(
    w: Words, x: Map, of_pixels: Moments, window_height: int, window_width: int, ratio: int
) -> Moments:
    """Those of the windows at the nodes of a grid, [N, C, gh, gw]; x as in :func:`window_moments`."""
    for axis, window in ((ROWS, window_height), (COLUMNS, window_width)):
        if window == 1:
            continue
        step = spacing(window, ratio)
        cut = Blocks.by(step, window) if 1 < step <= window // 2 else blocks_of(window)
        along = _Axis.of(w, of_pixels, axis, w.size(x, axis), window, cut)
        of_pixels = along.nodes() if cut.length == step else along.selected(step)
    return of_pixels


def completed(w: Words, moments: Moments) -> tuple[Map, Map, Map]:
    """high, low and variance as maps; a window of one pixel has none of the last two."""
    low, variance = (
        w.subtract(moments.high, moments.high) if part is None else part
        for part in (moments.low, moments.variance)
    )
    return moments.high, low, variance


@dataclass(frozen=True)
class _Axis:
    """An axis cut into blocks.

    Attributes:
        maps: of the pixels, with zeros up to ``number + full + 1`` blocks.
        k: min(window, size).
        full: whole blocks in k.
        moves: windows but the first.
        number: blocks in which a window begins.
    """

    w: Words
    axis: int
    cut: Blocks
    maps: Moments
    size: Size
    k: Size
    full: Size
    moves: Size
    number: Size

    @classmethod
    def of(cls, w: Words, of_pixels: Moments, axis: int, size: Size, window: int, cut: Blocks) -> _Axis:
        k = w.smaller(size, window)
        moves, full = w.less(size, k), w.parts(k, cut.length)
        number = w.more(w.parts(moves, cut.length), 1)
        blocks = w.more(w.more(number, full), 1)
        padding = w.padding(w.less(w.times(blocks, cut.length), size))
        maps = Moments(*(x if x is None else w.padded(x, axis, padding, 0.0) for x in of_pixels))
        return cls(w, axis, cut, maps, size, k, full, moves, number)

    def every_window(self) -> Moments:
        w, s = self.w, self.cut.length
        offsets, length = w.numbers(w.number(s)), w.times(self.number, s)
        windows = self._windows(w.number(0), self.number, offsets, length)
        return self._sliced(windows, w.number(0), w.more(self.moves, 1))

    def nodes(self) -> Moments:
        """Windows at the beginning of a block, and the last one."""
        w, s = self.w, self.cut.length
        regular = w.parts(w.more(self.moves, s - 1), s)
        blocks = w.larger(regular, 1)
        begin = self._sliced(self._windows(w.number(0), blocks, None, blocks), w.number(0), regular)
        block = w.less(self.number, 1)
        offset = w.add(w.numbers(w.number(1)), w.less(self.moves, w.times(block, s)))
        last = self._windows(block, w.number(1), offset, w.number(1))
        return Moments(*(w.joined(a, b, self.axis) for a, b in zip(begin, last, strict=True)))

    def selected(self, step: int) -> Moments:
        """Every ``step``-th window, and the last one."""
        index = self.w.multiples(step, self.moves)
        return Moments(*(self.w.gather(part, self.axis, index) for part in self.every_window()))

    def _windows(self, first: Size, number: Size, offsets: Index | None, length: Size) -> Moments:
        """Those at each of the offsets in each of ``number`` blocks from the ``first`` on; at 0 for None.

        Args:
            length: how many these are.
        """
        w = self.w
        centre, (d, e) = self._of_whole_blocks(first, number, offsets is None)
        parts = [self._of_rest(centre, first, number)]
        if offsets is not None:
            earlier = is_before(w, offsets, self.cut.length)
            parts += [
                self._of_end(centre, first, number, earlier),
                self._of_entered(centre, first, number, earlier),
            ]
        for part in parts:
            d, e = w.add(part[0], d), w.add(part[1], e)
        variance = w.not_negative(w.subtract(e, w.multiply(d, d)))
        return Moments(*(w.flat(part, self.axis, length) for part in (w.expanded(centre, d), d, variance)))

    def _of_whole_blocks(self, first: Size, number: Size, with_own: bool) -> tuple[Map, tuple[Map, Map]]:
        """c, and d and e of whole blocks; of the block a window begins in only if ``with_own``."""
        w, axis, s = self.w, self.axis, self.cut.length
        mean = w.pooled(self.maps.high, axis, s, s)
        powers = _powers(w, w.of_each_in_block(mean, axis), self._in_blocks(self.maps))
        j = w.numbers(w.number(self.cut.number))
        places = w.add(w.add(w.upright(w.numbers(number)), j), first)
        index = w.clamped(places, 0, w.more(self.number, self.full))
        mean, one, two = (
            w.gather_blocks(x, axis, index) for x in (mean, *(w.mean_within(power, axis) for power in powers))
        )
        is_whole = w.clamped(_until(w, self.full, j), 0, 1)
        if not with_own:
            is_whole = w.multiply(is_whole, w.clamped(j, 0, 1))
        centre = w.weighed(mean, self._of_centre(is_whole, j, 0 if with_own else 1), axis)
        weights = self._row(w.quotient(w.multiply(is_whole, s), self.k))
        shift = w.subtract(mean, centre)
        d = w.weighed(w.add(shift, one), weights, axis)
        e = w.weighed(w.add(two, w.multiply(shift, w.add(shift, w.add(one, one)))), weights, axis)
        return centre, (d, e)

    def _of_centre(self, is_whole: Index, j: Index, own: int) -> Any:
        """[1, blocks]: the weights of c. Without a whole block it is the mean of the one a window begins in."""
        w = self.w
        s, whole = self.cut.length, w.less(self.full, own)
        has_none = w.smaller(w.larger(w.less(w.number(1), whole), 0), 1)
        is_first = w.clamped(_until(w, 1, j), 0, 1)
        numerator = w.add(is_whole, w.multiply(is_first, w.times(has_none, s)))
        denominator = w.larger(whole, w.times(has_none, w.smaller(self.size, s)))
        return self._row(w.quotient(numerator, denominator))

    def _of_rest(self, centre: Map, first: Size, number: Size) -> tuple[Map, Map]:
        """Of the elements behind the last whole block; only a map smaller than its window may have some."""
        w, s = self.w, self.cut.length
        behind = w.times(self.full, s)
        weights = w.clamped(_until(w, w.less(self.k, behind), w.numbers(w.number(s))), 0, 1)
        weights = self._row(w.quotient(weights, self.k))
        if self.cut.rest:
            start = w.more(self.full, first)
            maps = self._between(w.times(start, s), w.times(w.more(start, number), s))
            return self._weighed(centre, maps, weights)
        maps = self._sliced(self.maps, behind, w.more(behind, s))
        block = Moments(*(x if x is None else w.as_one_block(x, self.axis) for x in maps))
        return self._weighed(w.between(centre, self.axis, 0, 1), block, weights)

    def _of_end(self, centre: Map, first: Size, number: Size, earlier: Index) -> tuple[Map, Map]:
        """Of the end of the block a window begins in."""
        w, s = self.w, self.cut.length
        maps = self._between(w.times(first, s), w.times(w.more(first, number), s))
        later = w.multiply(_until(w, 1, earlier), w.smaller(self.full, 1))
        return self._weighed(centre, maps, self._weights(later))

    def _of_entered(self, centre: Map, first: Size, number: Size, earlier: Index) -> tuple[Map, Map]:
        """Of what has entered since the window at offset 0."""
        w, s = self.w, self.cut.length
        start = w.more(self.k, w.times(first, s))
        maps = self._between(start, w.more(start, w.times(number, s)))
        return self._weighed(centre, maps, self._weights(earlier))

    def _weights(self, index: Index) -> Any:
        return self.w.weights(self.w.quotient(index, self.k), self.maps.high)

    def _row(self, quotients: Any) -> Any:
        """[1, elements]."""
        return self.w.transposed(self.w.upright(self.w.weights(quotients, self.maps.high)))

    def _between(self, start: Size, end: Size) -> Moments:
        return self._in_blocks(self._sliced(self.maps, start, end))

    def _sliced(self, maps: Moments, start: Size, end: Size) -> Moments:
        return Moments(*(x if x is None else self.w.between(x, self.axis, start, end) for x in maps))

    def _in_blocks(self, maps: Moments) -> Moments:
        return Moments(*(x if x is None else self.w.in_blocks(x, self.axis, self.cut.length) for x in maps))

    def _weighed(self, centre: Map, maps: Moments, weights: Any) -> tuple[Map, Map]:
        first, second = _powers(self.w, centre, maps)
        return self.w.weighed(first, weights, self.axis), self.w.weighed(second, weights, self.axis)


def _powers(w: Words, centre: Map, maps: Moments) -> tuple[Map, Map]:
    """x - centre and the mean of its square, for each x that stands behind an element of ``maps``."""
    first = w.subtract(maps.high, centre)
    if maps.low is not None:
        first = w.add(first, maps.low)
    second = w.multiply(first, first)
    return first, second if maps.variance is None else w.add(second, maps.variance)


def _until(w: Words, end: Size, index: Index) -> Index:
    """end - index."""
    return w.add(w.multiply(index, -1), end)
