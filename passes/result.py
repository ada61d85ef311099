"""What a pass reports: the sites it rewrote and the sites it left alone, each with its place in the source."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Rewrite:
    """One site that a pass changed.

    Attributes:
        kind: the transformation in the field's words, e.g. ``"global mean"``, ``"batch norm"``, ``"affine region"``.
        where: module path and source line as the exporter recorded them.
        before: what stood there, e.g. ``"adaptive_avg_pool2d"`` or ``"4 convolutions, 2.1e4 MACs per pixel"``.
        after: what stands there now.
        note: anything a reader of the report should know.
    """

    kind: str
    where: str
    before: str
    after: str
    note: str = ""


@dataclass(frozen=True)
class Skipped:
    """One site that a pass recognised and left as it was, and why."""

    kind: str
    where: str
    reason: str


@dataclass(frozen=True)
class PassResult:
    """Everything one pass did to a program; empty when it found nothing."""

    rewrites: tuple[Rewrite, ...] = field(default=())
    skipped: tuple[Skipped, ...] = field(default=())

    def __add__(self, other: PassResult) -> PassResult:
        return PassResult(self.rewrites + other.rewrites, self.skipped + other.skipped)
