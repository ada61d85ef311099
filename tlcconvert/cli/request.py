"""What a person at the command line asks for beside the options of the conversion."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tlcconvert.errors import InputError
from tlcconvert.options.face import Flag, Panel, Positional
from tlcconvert.options.given import Given
from tlcconvert.options.pinned_as_text import Pinned, as_pinned

_MOST_IMAGES = 16

Factory = Annotated[
    str | None,
    Flag(
        "A function that returns the network.",
        ("--model",),
        Panel.NETWORK,
        metavar="PACKAGE.MODULE:FACTORY",
        is_usual=True,
    ),
]
Weights = Annotated[Path | None, Flag("State dict for --model.", panel=Panel.NETWORK)]
AllowPickle = Annotated[
    bool,
    Flag(
        "Let the model file run code: needed for .pt2 programs and pickled modules.",
        panel=Panel.NETWORK,
        is_usual=True,
    ),
]
Quiet = Annotated[bool, Flag("Print errors only.", panel=Panel.REPORT)]
Debug = Annotated[bool, Flag("Show the traceback of an error.", panel=Panel.REPORT)]
"""Fields that every command which reads a network has."""


def _all(images: list[Path] | None) -> tuple[Path, ...]:
    return tuple(images or ())


@dataclass(frozen=True)
class Request:
    """What to read, what to write and what to say.

    Raises:
        InputError: the options do not make sense together.
    """

    model: Annotated[
        Path | None,
        Positional(
            "State dict (.pth .pt .ckpt .safetensors), ONNX file, exported program (.pt2) or pickled module."
        ),
    ] = None
    output: Annotated[Path | None, Flag("The file to write.", ("-o", "--output"))] = None

    factory: Factory = None
    weights: Weights = None
    allow_pickle: AllowPickle = False

    plan: Annotated[
        Path | None,
        Flag(
            "Train size and window as tlcconvert tune found them, or that statistics stay global.",
            panel=Panel.STATISTICS,
            before="base_ratio",
            metavar="FILE",
        ),
    ] = None
    dry_run: Annotated[
        bool,
        Flag("Convert and verify, but write nothing.", panel=Panel.REPORT, is_usual=True),
    ] = False

    pinned: Annotated[
        Pinned,
        Flag(
            "Numbers for inputs of an ONNX file, which the converted one then lacks.",
            ("--pin",),
            Panel.NETWORK,
            metavar="NAME=NUMBER,...",
            reads=as_pinned,
        ),
    ] = ()

    page: Annotated[
        Path | None,
        Flag(
            "Also write the report as a page for people, in one file.",
            ("--report",),
            Panel.REPORT,
            metavar="HTML",
            is_usual=True,
        ),
    ] = None
    images: Annotated[
        Given[list[Path] | None, tuple[Path, ...]],
        Flag(
            "A photograph that the report shows before and after; may be given again.",
            ("--image",),
            Panel.REPORT,
            metavar="FILE",
            is_usual=True,
        ),
    ] = Given(None, _all)
    report: Annotated[
        Path | None,
        Flag("Also write the report as JSON.", ("--json",), Panel.REPORT, metavar="FILE", is_usual=True),
    ] = None
    quiet: Quiet = False
    debug: Debug = False

    def __post_init__(self) -> None:
        if (self.model is None) == (self.factory is None):
            raise InputError("Name one network: a model file, or --model package.module:factory.")
        refuse_weights_of_a_file(self.factory, self.weights)
        if self.pinned and self.model is None:
            raise InputError("--pin is for inputs of an ONNX file; --model brings its own.")
        if self.output is None and not self.dry_run:
            raise InputError("Name the file to write with -o, or use --dry-run.")
        if self.images and self.page is None and self.report is None:
            raise InputError("--image belongs to a report: name its file with --report or --json.")
        if len(self.images) > _MOST_IMAGES:
            raise InputError(f"A report shows at most {_MOST_IMAGES} images, not {len(self.images)}.")

    @property
    def written(self) -> Path | None:
        """Where the converted network goes, if anywhere."""
        return None if self.dry_run else self.output


def refuse_weights_of_a_file(factory: str | None, weights: Path | None) -> None:
    """Raises InputError where ``weights`` are for no factory."""
    if weights is not None and factory is None:
        raise InputError("--weights belongs to --model; a model file brings its own.")
