"""What a person asks of ``tlcconvert diagnose`` beside the options of a conversion."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tlcconvert.cli.request import AllowPickle, Debug, Factory, Quiet, Weights, refuse_weights_of_a_file
from tlcconvert.errors import InputError
from tlcconvert.options.face import Flag, Panel, Positional


@dataclass(frozen=True)
class DiagnosisRequest:
    """What to read, what to write and what to say.

    Raises:
        InputError: the options do not make sense together.
    """

    first: Annotated[
        Path, Positional("The network's file; an image where --model tells the network.", "MODEL")
    ]
    others: Annotated[
        list[Path] | None,
        Positional("Images such as it is for, as large as in use: files, and folders of files.", "IMAGES..."),
    ] = None
    output: Annotated[
        Path | None,
        Flag(
            "Also convert, with the statistics the verdict is for, and write this file.", ("-o", "--output")
        ),
    ] = None
    localize: Annotated[
        bool,
        Flag(
            "With -o: make statistics local whatever the verdict.",
            panel=Panel.STATISTICS,
            before="base_ratio",
            is_usual=True,
        ),
    ] = False

    factory: Factory = None
    weights: Weights = None
    allow_pickle: AllowPickle = False

    page: Annotated[
        Path | None,
        Flag(
            "With -o: also write the report of the conversion as a page, with the images on it.",
            ("--report",),
            Panel.REPORT,
            metavar="HTML",
            is_usual=True,
        ),
    ] = None
    report: Annotated[
        Path | None,
        Flag("Also write the diagnosis to this file, as JSON.", ("--json",), Panel.REPORT, is_usual=True),
    ] = None
    quiet: Quiet = False
    debug: Debug = False

    def __post_init__(self) -> None:
        refuse_weights_of_a_file(self.factory, self.weights)
        if not self.images:
            raise InputError(
                "Name images to diagnose with, or a folder of them: tlcconvert diagnose MODEL IMAGES..."
            )
        if self.localize and self.output is None:
            raise InputError("--localize is for the file that -o names.")

        if self.page is not None and self.output is None:
            raise InputError("--report shows what a conversion changes: name its file with -o.")

    @property
    def model(self) -> Path | None:
        """The network's file, if it is in one."""
        return self.first if self.factory is None else None

    @property
    def images(self) -> tuple[Path, ...]:
        """Files and folders."""
        others = self.others or []
        return tuple(others if self.factory is None else [self.first, *others])
