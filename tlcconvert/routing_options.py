"""What only a ClassSR can be asked for."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from tlcconvert.errors import InputError


@dataclass(frozen=True)
class RoutingOptions:
    """How a ClassSR covers an image, and what the file lets its callers control.

    Attributes:
        patch_size: side of the square patches in pixels; by default the train size.
        patch_step: distance of patches in pixels; by default seven eighths of their size, rounded up: 28 for 32.
        knobs: add the optional inputs ``class_bias`` and ``budget`` and the output ``class_map``.
        costs: a cost file to read for the budget; without one, multiply-adds count.
        calibrate: where to write a cost file measured now, which the budget then uses.
        scale: of FSRCNN branches, whose weights do not tell it; by default the published 4.

    Raises:
        InputError: they contradict each other.
    """

    patch_size: int | None = None
    patch_step: int | None = None
    knobs: bool = False
    costs: Path | None = None
    calibrate: Path | None = None
    scale: int | None = None

    def __post_init__(self) -> None:
        if self.costs is not None and self.calibrate is not None:
            raise InputError("--costs reads a cost file and --calibrate measures one: choose one of them.")
        if (self.costs is not None or self.calibrate is not None) and not self.knobs:
            raise InputError("--costs and --calibrate say what a budget counts: add --knobs.")

    def refuse_for_other_networks(self) -> None:
        """Raises InputError, naming what was asked for, if anything was."""
        asked = [field.name for field in fields(self) if getattr(self, field.name) != field.default]
        if asked:
            names = ", ".join(f"--{name.replace('_', '-')}" for name in asked)
            raise InputError(f"This network is no ClassSR, whose patches are routed: leave out {names}.")
