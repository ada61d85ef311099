"""What a person asks of ``tlcconvert tune`` beside the options of a conversion."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tlcconvert.cli.request import AllowPickle, Debug, Factory, Quiet, Weights, refuse_weights_of_a_file
from tlcconvert.errors import InputError
from tlcconvert.options.face import Flag, Positional


@dataclass(frozen=True)
class TuningRequest:
    """What to read, what to write and what to say.

    Raises:
        InputError: the options do not make sense together.
    """

    files: Annotated[
        list[Path],
        Positional(
            "The network's file (none with --model), a folder of degraded images, and one of their clean originals, "
            "of the same names.",
            "MODEL DEGRADED CLEAN",
        ),
    ]
    output: Annotated[
        Path | None, Flag("Also convert, with the best windows, and write this file.", ("-o", "--output"))
    ] = None
    plan: Annotated[
        Path | None,
        Flag(
            "Keep what is found in this file, go on from what is in it, and repeat it with tlcconvert --plan."
        ),
    ] = None

    factory: Factory = None
    weights: Weights = None
    allow_pickle: AllowPickle = False

    quiet: Quiet = False
    debug: Debug = False

    def __post_init__(self) -> None:
        refuse_weights_of_a_file(self.factory, self.weights)
        if len(self.files) != (3 if self.factory is None else 2):
            raise InputError(
                "Name the network and two folders, tlcconvert tune MODEL DEGRADED CLEAN, or with --model the folders."
            )

    @property
    def model(self) -> Path | None:
        """The network's file, if it is in one."""
        return self.files[0] if self.factory is None else None

    @property
    def degraded(self) -> Path:
        return self.files[-2]

    @property
    def clean(self) -> Path:
        return self.files[-1]
