"""The options of the command line: how each is written, and what its help says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tlcconvert.cli.numbers_on_command_line import decimal_number, positive_number, whole_number
from tlcconvert.target import Target

_STATISTICS = "Statistics and folding"
_NETWORK = "The network"
_FILE = "The file"
_REPORT = "Verification and report"
_CLASSSR = "ClassSR"

Model = Annotated[
    Path | None,
    typer.Argument(
        help="State dict (.pth .pt .ckpt .safetensors), exported program (.pt2) or pickled module."
    ),
]
Output = Annotated[Path | None, typer.Option("-o", "--output", help="The file to write.")]
TrainSize = Annotated[
    str | None, typer.Option(metavar="N|HxW", help="Crop size the network was trained on, in pixels.")
]

BaseRatio = Annotated[
    float,
    typer.Option(
        parser=decimal_number,
        metavar="NUMBER",
        help="Window over training crop.",
        rich_help_panel=_STATISTICS,
    ),
]
Localize = Annotated[
    bool,
    typer.Option("--localize/--no-localize", help="Make statistics local.", rich_help_panel=_STATISTICS),
]
Fold = Annotated[
    bool,
    typer.Option("--fold/--no-fold", help="Fold branches and batch norms.", rich_help_panel=_STATISTICS),
]
Fast = Annotated[
    bool,
    typer.Option(
        "--fast",
        help="Approximate means and norms on a grid of windows; notes the deviation.",
        rich_help_panel=_STATISTICS,
    ),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Fail if a statistic stays global.", rich_help_panel=_STATISTICS)
]

Factory = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="PACKAGE.MODULE:FACTORY",
        help="A function that returns the network.",
        rich_help_panel=_NETWORK,
    ),
]
Weights = Annotated[Path | None, typer.Option(help="State dict for --model.", rich_help_panel=_NETWORK)]
InputChannels = Annotated[
    int | None,
    typer.Option(
        parser=positive_number, metavar="N", help="Channels of the image.", rich_help_panel=_NETWORK
    ),
]
AllowPickle = Annotated[
    bool,
    typer.Option(
        "--allow-pickle",
        help="Let the model file run code: needed for .pt2 programs and pickled modules.",
        rich_help_panel=_NETWORK,
    ),
]

OutputIndex = Annotated[
    int | None,
    typer.Option(
        parser=whole_number,
        metavar="N",
        help="Which of several outputs to return; negative from the end.",
        rich_help_panel=_FILE,
    ),
]
AllOutputs = Annotated[
    bool, typer.Option("--all-outputs", help="Return every output.", rich_help_panel=_FILE)
]
WrapSizes = Annotated[
    bool,
    typer.Option(
        "--size-wrapper/--no-size-wrapper",
        help="Pad and crop around a network that needs a multiple.",
        rich_help_panel=_FILE,
    ),
]
Static = Annotated[
    str | None,
    typer.Option(metavar="HxW", help="Make the file for one size of one image only.", rich_help_panel=_FILE),
]
AcceptMultiple = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Take a file that pads to this multiple although the network accepts more sizes.",
        rich_help_panel=_FILE,
    ),
]
AcceptMinimum = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Take a file that pads to this minimum although the network accepts smaller images.",
        rich_help_panel=_FILE,
    ),
]
Runtime = Annotated[
    Target,
    typer.Option(
        "--target",
        help="The runtime to write for. openvino: no loops. tensorrt: nor running sums and float64; needs --static.",
        rich_help_panel=_FILE,
    ),
]
Opset = Annotated[
    int,
    typer.Option(parser=whole_number, metavar="N", help="ONNX opset, 18 to 24.", rich_help_panel=_FILE),
]

VerifySizes = Annotated[
    str | None,
    typer.Option(
        metavar="[Nx]HxW,...",
        help="Sizes to verify at instead of those chosen from the graph; notes what they leave out.",
        rich_help_panel=_REPORT,
    ),
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Convert and verify, but write nothing.", rich_help_panel=_REPORT),
]
Report = Annotated[
    Path | None,
    typer.Option("--json", help="Also write the report to this file.", rich_help_panel=_REPORT),
]
Dump = Annotated[
    Path | None,
    typer.Option(
        "--dump",
        metavar="DIR",
        help="Write the graph after each step to this folder, as text, whatever becomes of the conversion.",
        rich_help_panel=_REPORT,
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print errors only.", rich_help_panel=_REPORT)]
Debug = Annotated[
    bool, typer.Option("--debug", help="Show the traceback of an error.", rich_help_panel=_REPORT)
]

PatchSize = Annotated[
    int | None,
    typer.Option(
        parser=whole_number,
        metavar="N",
        help="Side of the patches in pixels; default: the train size.",
        rich_help_panel=_CLASSSR,
    ),
]
PatchStep = Annotated[
    int | None,
    typer.Option(
        parser=whole_number,
        metavar="N",
        help="Distance of the patches in pixels; default: 7/8 of their size.",
        rich_help_panel=_CLASSSR,
    ),
]
Knobs = Annotated[
    bool,
    typer.Option(
        "--knobs",
        help="Add the optional inputs class_bias and budget and the output class_map.",
        rich_help_panel=_CLASSSR,
    ),
]
Costs = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="With --knobs: read what the budget counts.", rich_help_panel=_CLASSSR),
]
Calibrate = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="With --knobs: measure the branches here and write a file for --costs.",
        rich_help_panel=_CLASSSR,
    ),
]
Scale = Annotated[
    int | None,
    typer.Option(
        parser=positive_number,
        metavar="N",
        help="Of FSRCNN branches, whose weights do not tell it; default: 4.",
        rich_help_panel=_CLASSSR,
    ),
]
