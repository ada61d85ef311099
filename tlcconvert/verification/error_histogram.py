"""How the errors of one comparison are spread: how many values are off by how much."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from torch import Tensor

from tlcconvert.network.output_distance import wide

_BINS_PER_DECADE = 2
_VALUES_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class ErrorHistogram:
    """Absolute differences of two outputs, counted in bins of half a decade.

    Attributes:
        equal: how many values are equal.
        not_finite: how many differences are infinite or no number.
        first: the first bin holds differences from 10^(first / 2) to 10^((first + 1) / 2), 0 where there is none.
        counts: of the bins from there on, in order; the first and the last are not empty.
    """

    equal: int
    not_finite: int
    first: int
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """The number of values of the output."""
        return self.equal + self.not_finite + sum(self.counts)

    def edge(self, number: int) -> float:
        """The smallest difference that is counted in bin ``number``."""
        return 10.0 ** ((self.first + number) / _BINS_PER_DECADE)


def error_histogram(a: Tensor, b: Tensor) -> ErrorHistogram:
    """Of ``a`` against ``b``, two tensors of one shape, in double precision."""
    equal = not_finite = 0
    bins: Counter[int] = Counter()
    for own, other in zip(
        a.reshape(-1).split(_VALUES_AT_ONCE), b.reshape(-1).split(_VALUES_AT_ONCE), strict=True
    ):
        errors = (wide(own) - wide(other)).abs()
        finite = errors[errors.isfinite()]
        not_finite += errors.numel() - finite.numel()
        unequal = finite[finite > 0]
        equal += finite.numel() - unequal.numel()
        exponents = (_BINS_PER_DECADE * unequal.log10()).floor().long()
        bins.update(dict(zip(*(part.tolist() for part in exponents.unique(return_counts=True)), strict=True)))
    first, last = (min(bins), max(bins)) if bins else (0, -1)
    return ErrorHistogram(equal, not_finite, first, tuple(bins[each] for each in range(first, last + 1)))
