"""The outcome of comparing two implementations of one network."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tlcconvert.errors import ParityError
from tlcconvert.verification.error_histogram import ErrorHistogram


@dataclass(frozen=True)
class Comparison:
    """Two results for one input.

    Attributes:
        what: which two, e.g. ``"onnx / converted"``.
        batch, height, width: size of the input in images and pixels.
        error: largest absolute difference; of a file in float16 the root mean square.
        magnitude: scale of the output, the largest absolute value of the reference.
        bound: the largest ``relative_error`` that passes.
        note: why it failed where that is not the error, or why the bound is what it is.
        purpose: what the comparison proves that others do not, e.g. ``"height beyond the windows"``.
        raised: what the candidate raised in the place of a result, else ``""``.
        histogram: how the differences of single values are spread; None where nothing was subtracted.
    """

    what: str
    batch: int
    height: int
    width: int
    error: float
    magnitude: float
    bound: float
    note: str = ""
    purpose: str = ""
    raised: str = ""
    histogram: ErrorHistogram | None = None

    @property
    def size(self) -> str:
        return f"{self.batch}x{self.height}x{self.width}"

    @property
    def relative_error(self) -> float:
        """``error`` over ``magnitude``; of an output that is 0 everywhere every error is infinitely large."""
        if self.magnitude:
            return self.error / self.magnitude
        return math.inf if self.error > 0 else self.error

    @property
    def passed(self) -> bool:
        """False for a NaN too: it compares as not smaller."""
        return self.relative_error <= self.bound


@dataclass(frozen=True)
class Parity:
    """All comparisons of one verification.

    Attributes:
        comparisons: what was compared, in the order it was run.
        notes: facts about the verification itself, such as a size at which the reference raises.
    """

    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return bool(self.comparisons) and all(comparison.passed for comparison in self.comparisons)

    def sizes(self, what: str) -> list[tuple[int, int, int]]:
        """(batch, height, width) at which ``what`` was compared."""
        rows = (row for row in self.comparisons if row.what == what)
        return list(dict.fromkeys((row.batch, row.height, row.width) for row in rows))

    @property
    def failures(self) -> tuple[Comparison, ...]:
        return tuple(comparison for comparison in self.comparisons if not comparison.passed)

    def table(self) -> str:
        """The comparisons as plain text, one line each."""
        lines = [f"{'compared':<22}{'size':>16}{'error':>11}{'of scale':>11}  verdict"]
        for row in self.comparisons:
            verdict = "ok" if row.passed else f"FAILED (bound {row.bound:.0e})"
            rest = "  ".join(filter(None, [verdict, row.purpose, row.note]))
            lines.append(f"{row.what:<22}{row.size:>16}{row.error:>11.1e}{row.relative_error:>11.1e}  {rest}")
        return "\n".join([*lines, *self.notes])

    def raise_for_mismatch(self) -> None:
        """Raises ParityError, whose message is :meth:`table`, unless every comparison passed."""
        if not self.comparisons:
            raise ParityError(
                "Nothing was compared: the reference accepts none of the sizes.\n" + self.table()
            )
        if not self.passed:
            failed = f"{len(self.failures)} of {len(self.comparisons)} comparisons failed"
            raise ParityError(f"The two networks do not compute the same: {failed}.\n{self.table()}")
