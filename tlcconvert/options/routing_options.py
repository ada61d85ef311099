"""What only a ClassSR can be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tlcconvert.errors import InputError
from tlcconvert.options.face import Flag, Panel
from tlcconvert.options.numbers_as_text import positive_number, whole_number
from tlcconvert.options.option import asked_for, explained


@explained
@dataclass(frozen=True)
class RoutingOptions:
    """How a ClassSR covers an image, and what the file lets its callers control.

    Raises:
        InputError: they contradict each other.
    """

    patch_size: Annotated[
        int | None,
        "side of the square patches in pixels; by default the train size.",
        Flag(
            "Side of the patches in pixels; default: the train size.",
            panel=Panel.CLASSSR,
            metavar="N",
            number=whole_number,
        ),
    ] = None
    patch_step: Annotated[
        int | None,
        "distance of patches in pixels; by default seven eighths of their size, rounded up: 28 for 32.",
        Flag(
            "Distance of the patches in pixels; default: 7/8 of their size.",
            panel=Panel.CLASSSR,
            metavar="N",
            number=whole_number,
        ),
    ] = None
    knobs: Annotated[
        bool,
        "add the optional inputs ``class_bias`` and ``budget`` and the output ``class_map``.",
        Flag(
            "Add the optional inputs class_bias and budget and the output class_map.",
            panel=Panel.CLASSSR,
        ),
    ] = False
    costs: Annotated[
        Path | None,
        "a cost file to read for the budget; without one, multiply-adds count.",
        Flag("With --knobs: read what the budget counts.", panel=Panel.CLASSSR, metavar="FILE"),
    ] = None
    calibrate: Annotated[
        Path | None,
        "where to write a cost file measured now, which the budget then uses.",
        Flag(
            "With --knobs: measure the branches here and write a file for --costs.",
            panel=Panel.CLASSSR,
            metavar="FILE",
        ),
    ] = None
    scale: Annotated[
        int | None,
        "of FSRCNN branches, whose weights do not tell it; by default the published 4.",
        Flag(
            "Of FSRCNN branches, whose weights do not tell it; default: 4.",
            panel=Panel.CLASSSR,
            metavar="N",
            number=positive_number,
        ),
    ] = None

    def __post_init__(self) -> None:
        if self.costs is not None and self.calibrate is not None:
            raise InputError("--costs reads a cost file and --calibrate measures one: choose one of them.")
        if (self.costs is not None or self.calibrate is not None) and not self.knobs:
            raise InputError("--costs and --calibrate say what a budget counts: add --knobs.")

    def refuse_for_other_networks(self) -> None:
        """Raises InputError, naming what was asked for, if anything was."""
        asked = asked_for(self)
        if asked:
            raise InputError(
                f"This network is no ClassSR, whose patches are routed: leave out {', '.join(asked)}."
            )
