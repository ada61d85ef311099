"""The mean subtracted in two parts of the type of x, whatever the statistics were taken by.

    y = ((x - high) - low) / sqrt(var + eps)        mean = high + low

x - high is exact where the two are close (Sterbenz), so a flat area at a high level keeps its contrast. On a grid,
what is spread of the means is their difference to a group's level, the mean of all its nodes: this keeps the rounding
of the weights from being one of the level.

    y = ((x - level) - spread(mean - level)) / sqrt(spread(var + eps))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from passes.words.grid import Nodes, interpolation, spread
from passes.words.words import Map, Words


@dataclass(frozen=True)
class Pixels:
    """The pixels of x [N, C, H, W] as their groups of channels see them.

    Attributes:
        x: in whose type everything here is.
        grouped: x itself if every channel is a group, else [N, groups, C / groups, H, W].
        of_each: makes what each group has, [N, groups, ...], broadcast to ``grouped``.
    """

    w: Words
    x: Map
    grouped: Map
    of_each: Callable[[Map], Map]

    @classmethod
    def by_group(cls, w: Words, x: Map, groups: int) -> Pixels:
        if groups == w.channels(x):
            return cls(w, x, x, lambda part: part)
        return cls(w, x, w.by_group(x, groups), w.of_each_channel)

    @property
    def are_grouped(self) -> bool:
        return self.grouped is not self.x

    def normalized(self, high: Map, low: Map, scale: Map) -> Map:
        """y of interiors, ``scale`` that of 1 / sqrt(var + eps)."""
        w, height, width = self.w, self.w.size(self.x, -2), self.w.size(self.x, -1)

        def replicated(part: Map) -> Map:
            return self.of_each(w.replicate(part, height, width, like=high))

        centred = w.subtract(w.subtract(self.grouped, replicated(high)), replicated(low))
        return self._ungrouped(w.multiply(centred, replicated(scale)))

    def normalized_on_grid(self, level: Map, offset: Map, stabilised: Map, nodes: tuple[Nodes, Nodes]) -> Map:
        """y of the values at nodes: ``offset`` is mean - level, ``stabilised`` var + eps."""
        w = self.w
        rows, columns = (w.weights(interpolation(w, axis), self.x) for axis in nodes)
        offset, stabilised = (self.of_each(spread(w, part, rows, columns)) for part in (offset, stabilised))
        centred = w.subtract(w.subtract(self.grouped, self.of_each(level)), offset)
        return self._ungrouped(w.divide(centred, w.root(stabilised)))

    def _ungrouped(self, y: Map) -> Map:
        return self.w.ungrouped(y, self.x) if self.are_grouped else y
