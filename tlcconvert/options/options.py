"""What the caller of a conversion chose, judged before any work is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated

from tlcconvert.dtype import Dtype
from tlcconvert.errors import InputError
from tlcconvert.network.network_inputs import ExtraInput
from tlcconvert.network.pixels import Pixels
from tlcconvert.options.face import FieldsOf, Flag, Panel, PythonOnly, ReadOff
from tlcconvert.options.given import Given
from tlcconvert.options.numbers_as_text import decimal_number, positive_number, whole_number
from tlcconvert.options.option import explained
from tlcconvert.options.routing_options import RoutingOptions
from tlcconvert.options.sizes_as_text import Size, as_sizes, as_static_size, as_train_size
from tlcconvert.stages import Progress
from tlcconvert.target import Target

_LARGEST_TRAIN_SIZE = 16384
_OPSETS = range(18, 25)


def _pair(train_size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    return (train_size, train_size) if isinstance(train_size, int) else train_size


def _routing(routing: RoutingOptions | None) -> RoutingOptions:
    return routing or RoutingOptions()


def _is_program(output: Path | None) -> bool:
    return output is not None and output.suffix == ".pt2"


@explained
@dataclass(frozen=True)
class Options:
    """The options of a conversion: keyword arguments of :func:`tlcconvert.convert`, and flags of the command.

    Raises:
        InputError: a value is out of range, or two exclude each other.
    """

    train_size: Annotated[
        Given[int | tuple[int, int] | None, tuple[int, int] | None],
        "height and width of the crops the network was trained on, in pixels; one number for both. None only with "
        "``localize_statistics=False``.",
        Flag(
            "Crop size the network was trained on, in pixels.",
            metavar="N|HxW",
            reads=as_train_size,
        ),
    ] = Given(None, _pair)
    _: KW_ONLY

    base_ratio: Annotated[
        float,
        "window over training crop, per axis (Test-time Local Converter, ECCV 2022: 1.5).",
        Flag(
            "Window over training crop.",
            panel=Panel.STATISTICS,
            metavar="NUMBER",
            number=decimal_number,
        ),
    ] = 1.5
    localize_statistics: Annotated[
        bool,
        "False leaves global statistics as they are.",
        Flag("Make statistics local.", ("--localize/--no-localize",), Panel.STATISTICS, is_usual=True),
    ] = True
    fold_branches: Annotated[
        bool,
        "False leaves branches and batch norms as they are.",
        Flag("Fold branches and batch norms.", ("--fold/--no-fold",), Panel.STATISTICS),
    ] = True
    fast: Annotated[
        bool,
        "take means and norms at every 12th of a window only and interpolate between; approximate, and the deviation "
        "from exact local statistics is measured and noted.",
        Flag(
            "Approximate means and norms on a grid of windows; notes the deviation.",
            panel=Panel.STATISTICS,
        ),
    ] = False
    strict: Annotated[
        bool,
        "raise where a statistic stays global.",
        Flag("Fail if a statistic stays global.", panel=Panel.STATISTICS),
    ] = False

    input_channels: Annotated[
        int | None,
        "channels of the image; by default those of the first convolution.",
        Flag(
            "Channels of the image.",
            panel=Panel.NETWORK,
            before="allow_pickle",
            metavar="N",
            number=positive_number,
        ),
    ] = None
    extra_inputs: Annotated[
        Given[Sequence[ExtraInput], tuple[ExtraInput, ...]],
        "inputs after the image, such as a noise level map.",
        PythonOnly("names and shapes are no text"),
    ] = Given((), tuple)
    pixels: Annotated[
        Pixels | None,
        "what the values of the image mean, for the file's metadata.",
        PythonOnly("a file's architecture tells it"),
    ] = None

    output_index: Annotated[
        int | None,
        "which of several outputs the file returns, negative from the end.",
        Flag(
            "Which of several outputs to return; negative from the end.",
            panel=Panel.FILE,
            metavar="N",
            number=whole_number,
        ),
    ] = None
    all_outputs: Annotated[
        bool,
        "return all of them, named ``output``, ``output_1`` and so on.",
        Flag("Return every output.", panel=Panel.FILE),
    ] = False
    size_wrapper: Annotated[
        bool,
        "False leaves out the padding and cropping around a network that needs a multiple or a minimum; the file "
        "then takes such sizes only, and its metadata says which.",
        Flag(
            "Pad and crop around a network that needs a multiple.",
            ("--size-wrapper/--no-size-wrapper",),
            Panel.FILE,
        ),
    ] = True
    static_size: Annotated[
        tuple[int, int] | None,
        "(height, width) in pixels the file is made for, with a batch of 1, for runtimes without dynamic shapes; "
        "nothing in it is computed from a shape.",
        Flag(
            "Make the file for one size of one image only.",
            ("--static",),
            Panel.FILE,
            metavar="HxW",
            reads=as_static_size,
        ),
    ] = None
    accept_multiple: Annotated[
        int | None,
        "where no graph computes the network at every size it accepts, the multiple of the file that pads more than "
        "it must; by default refused with the deviation measured.",
        Flag(
            "Take a file that pads to this multiple although the network accepts more sizes.",
            panel=Panel.FILE,
            least=1,
        ),
    ] = None
    accept_minimum: Annotated[
        int | None,
        "the same for the minimum of such a file.",
        Flag(
            "Take a file that pads to this minimum although the network accepts smaller images.",
            panel=Panel.FILE,
            least=1,
        ),
    ] = None
    target: Annotated[
        Target,
        "what the file is made for.",
        Flag(
            "What to write for: any runtime, or one of those, where it is faster.",
            panel=Panel.FILE,
            is_usual=True,
        ),
    ] = Target.PORTABLE
    dtype: Annotated[
        Dtype,
        "what weights and most of the file's operations are; statistics and norms are float32 in any case.",
        Flag(
            "Precision of weights and most operations; statistics and norms keep float32.",
            panel=Panel.FILE,
        ),
    ] = Dtype.FLOAT32
    io: Annotated[
        Dtype,
        "what the file takes and returns; ``Dtype.FLOAT16`` only with ``dtype=Dtype.FLOAT16``.",
        Flag("Precision of images and outputs.", panel=Panel.FILE),
    ] = Dtype.FLOAT32
    opset: Annotated[
        int,
        "18 to 24.",
        Flag("ONNX opset, 18 to 24.", panel=Panel.FILE, metavar="N", number=whole_number),
    ] = 18
    exported_program: Annotated[
        bool,
        "also make the program for ``torch.export.load``; ``save`` writes it to a path that ends in ``.pt2``.",
        ReadOff("output", _is_program),
    ] = False

    verify_sizes: Annotated[
        Given[Sequence[Size], tuple[Size, ...]],
        "(height, width) or (batch, height, width) to compare at instead of the sizes chosen from the graph; the "
        "notes of the parity say what they do not prove.",
        Flag(
            "Sizes to verify at instead of those chosen from the graph; notes what they leave out.",
            panel=Panel.REPORT,
            before="dry_run",
            metavar="[Nx]HxW,...",
            reads=as_sizes,
        ),
    ] = Given((), tuple)
    dump: Annotated[
        Path | None,
        "a folder for the graph after each step, as text; it is made, and kept whatever happens.",
        Flag(
            "Write the graph after each step to this folder, as text, whatever becomes of the conversion.",
            panel=Panel.REPORT,
            before="quiet",
            metavar="DIR",
        ),
    ] = None
    without: Annotated[
        Given[Sequence[str], tuple[str, ...]],
        "names of optional steps to leave out (:mod:`tlcconvert.pipeline.steps`); the file computes the same.",
        PythonOnly("it is for finding the step at fault"),
    ] = Given((), tuple)
    progress: Annotated[
        Progress | None,
        "called with the name of each stage as it begins, and with what it is doing.",
        PythonOnly("the command shows progress itself"),
    ] = None

    routing: Annotated[
        Given[RoutingOptions | None, RoutingOptions],
        "how a ClassSR covers an image and what its file lets callers control; other networks refuse it.",
        FieldsOf(RoutingOptions),
    ] = Given(RoutingOptions(), _routing)

    def __post_init__(self) -> None:
        if self.train_size is None:
            if self.localize_statistics and self.routing.patch_size is None:
                raise InputError(
                    "The training crop size is needed to choose windows: pass --train-size (train_size=), "
                    "or --no-localize to leave statistics global."
                )
        elif not all(0 < size <= _LARGEST_TRAIN_SIZE for size in self.train_size):
            raise InputError(
                f"A train size is between 1 and {_LARGEST_TRAIN_SIZE} pixels, not {_by(self.train_size)}."
            )
        if not 0 < self.base_ratio <= 1000:
            raise InputError(f"The base ratio is a positive factor such as 1.5, not {self.base_ratio}.")
        for taken in (self.accept_multiple, self.accept_minimum):
            if taken is not None and taken < 1:
                raise InputError(f"What a file may take without padding is at least 1 pixel, not {taken}.")
        if not isinstance(self.target, Target):
            targets = ", ".join(f"Target.{target.name}" for target in Target)
            raise InputError(f"The target is one of {targets}, not {self.target!r}.")
        self._judge_precision()
        if self.opset not in _OPSETS:
            raise InputError(f"The opset is one of {_OPSETS[0]} to {_OPSETS[-1]}, not {self.opset}.")
        if self.all_outputs and self.output_index is not None:
            raise InputError("One output or all of them: choose --output-index or --all-outputs.")
        if self.static_size is not None and self.exported_program:
            raise InputError("A .pt2 program takes every size: leave out --static, or write an .onnx file.")
        if self.static_size is not None and self.verify_sizes:
            raise InputError(
                "A file of one size is verified at that size: leave out --verify-sizes or --static."
            )
        for size in (*self.verify_sizes, *filter(None, [self.static_size])):
            if len(size) not in (2, 3) or min(size) < 1:
                raise InputError(f"A size is HxW or NxHxW of at least 1 pixel each, not {_by(size)}.")

    def _judge_precision(self) -> None:
        for name, dtype in (("dtype", self.dtype), ("io", self.io)):
            if not isinstance(dtype, Dtype):
                dtypes = ", ".join(f"Dtype.{each.name}" for each in Dtype)
                raise InputError(f"The {name} is one of {dtypes}, not {dtype!r}.")
        if self.io is Dtype.FLOAT16 and self.dtype is not Dtype.FLOAT16:
            raise InputError(
                "Images in float16 are for files that compute in it: add --dtype float16, or leave out --io."
            )
        if self.dtype is Dtype.FLOAT16 and self.exported_program:
            raise InputError(
                "A .pt2 program is float32, and whoever compiles it chooses its precision: leave out --dtype, "
                "or write an .onnx file."
            )


def _by(size: Sequence[int]) -> str:
    return "x".join(map(str, size))
