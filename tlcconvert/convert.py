"""The pipeline: from a network to a verified ONNX model.

capture -> simplify -> fold -> localize -> speed up -> wrap sizes -> lower -> tidy -> verify
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from torch import Tensor, nn
from torch.export import ExportedProgram

from passes.fold import TrainingBatchNorm, fold
from passes.localize import Localized, Training, audit, localize
from passes.program import runnable
from passes.result import PassResult, Skipped
from passes.simplify import simplify
from passes.simplify.fold_constants import fold_constants
from passes.sizes import image_size
from passes.speed.channel_mean import channel_mean
from tlcconvert.capture import Captured, capture
from tlcconvert.conversion import Conversion
from tlcconvert.eager_reference import tensors_of
from tlcconvert.errors import InputError, StrictError
from tlcconvert.input_channels import input_channels_of
from tlcconvert.lower import lower
from tlcconvert.metadata import describe, state_sha256
from tlcconvert.network_inputs import ExtraInput
from tlcconvert.outputs import keep_output
from tlcconvert.size_requirements import SizeRequirements
from tlcconvert.size_wrapper import SizeWrapper, wrap_sizes
from tlcconvert.tidy import tidy
from tlcconvert.verify import verify_conversion

Progress = Callable[[str], None]

_LARGEST_TRAIN_SIZE = 16384
_OPSETS = range(18, 25)
_NODES_PER_WINDOW = 12


@dataclass(frozen=True)
class Options:
    """What a caller of :func:`convert` chose; see there.

    Raises:
        InputError: a value is out of range.
    """

    train_size: tuple[int, int] | None
    base_ratio: float
    output_index: int | None
    localize_statistics: bool
    fold_branches: bool
    opset: int
    strict: bool
    fast: bool

    def __post_init__(self) -> None:
        if self.train_size is None:
            if self.localize_statistics:
                raise InputError(
                    "The training crop size is needed to choose windows: pass --train-size (train_size=), "
                    "or --no-localize to leave statistics global."
                )
        elif not all(0 < size <= _LARGEST_TRAIN_SIZE for size in self.train_size):
            raise InputError(
                f"A train size is between 1 and {_LARGEST_TRAIN_SIZE} pixels, not "
                f"{'x'.join(map(str, self.train_size))}."
            )
        if not 0 < self.base_ratio <= 1000:
            raise InputError(f"The base ratio is a positive factor such as 1.5, not {self.base_ratio}.")
        if self.opset not in _OPSETS:
            raise InputError(f"The opset is one of {_OPSETS[0]} to {_OPSETS[-1]}, not {self.opset}.")


def convert(
    network: nn.Module | ExportedProgram,
    train_size: int | tuple[int, int] | None = None,
    *,
    base_ratio: float = 1.5,
    input_channels: int | None = None,
    extra_inputs: Sequence[ExtraInput] = (),
    output_index: int | None = None,
    localize_statistics: bool = True,
    fold_branches: bool = True,
    opset: int = 18,
    strict: bool = False,
    fast: bool = False,
    known_requirements: SizeRequirements | None = None,
    source_sha256: str = "",
    progress: Progress | None = None,
) -> Conversion:
    """Converts a network to a verified ONNX model with local statistics.

    Args:
        network: any ``nn.Module`` of an image batch [N, C, H, W], or an exported program with symbolic batch,
            height and width. It is not changed.
        train_size: height and width of the crops it was trained on, in pixels; one number for both. None
            only with ``localize_statistics=False``.
        base_ratio: window over training crop, per axis (Test-time Local Converter, ECCV 2022: 1.5).
        input_channels: channels of the image; by default those of the first convolution.
        extra_inputs: inputs after the image, such as a noise level map.
        output_index: which of several outputs the file returns, negative from the end.
        localize_statistics: False leaves global statistics as they are.
        fold_branches: False leaves branches and batch norms as they are.
        opset: 18 to 24.
        strict: raise where a statistic stays global.
        fast: take means and norms at every 12th of a window only and interpolate between; approximate, and
            the deviation from exact local statistics is measured and noted.
        known_requirements: multiple and minimum a registry knows; confirmed by running the network.
        source_sha256: hash of the file the network came from; by default that of its sorted state.
        progress: called with the name of each stage as it begins, and with what it is doing.

    Raises:
        InputError: an argument is out of range or the network cannot be read.
        CaptureError: no graph with symbolic sizes reproduces the network.
        ParityError: a comparison failed.
        StrictError: ``strict``, and a statistic stays global.
    """
    pair = (train_size, train_size) if isinstance(train_size, int) else train_size
    options = Options(pair, base_ratio, output_index, localize_statistics, fold_branches, opset, strict, fast)
    channels = input_channels or input_channels_of(network)
    if channels is None:
        raise InputError(
            "Nothing tells how many channels the image has: pass --input-channels (input_channels=)."
        )
    stages = Stages(progress or (lambda _: None))
    with stages("capture"):
        hints = known_requirements or SizeRequirements(1, 0, 0)
        captured = capture(
            network,
            input_channels=channels,
            extra_inputs=extra_inputs,
            multiple_hint=hints.multiple,
            minimum_hint=hints.minimum,
            progress=stages.report,
        )
    sha256 = source_sha256 or state_sha256(network)
    return _convert_captured(captured, options, sha256, stages)


def _convert_captured(captured: Captured, options: Options, sha256: str, stages: Stages) -> Conversion:
    program, requirements = captured.program, captured.requirements
    with stages("fold"):
        index = keep_output(program, options.output_index)
        folded = _folded(program, options)
    with stages("localize"):
        localized = _localized(program, options, requirements)
        left_global = localized.skipped if localized else audit(program, image_size(program))
    if options.strict and left_global:
        raise StrictError(_still_global(left_global))
    with stages("export"):
        channel_mean(program)
        wrap_sizes(program, requirements.multiple, requirements.minimum, requirements.scale)
        metadata = describe(captured, options.train_size, options.base_ratio, localized, sha256)
        names = ["input", *(extra.name for extra in captured.inputs.extra)]
        model = tidy(lower(program, options.opset, names, ["output"]), _axis_names(program), metadata)
    with stages("verify"):
        converted = runnable(program)
        original = _reference(captured, index)
        parity = verify_conversion(model, converted, original, captured, localized, stages.report)
    parity.raise_for_mismatch()
    sites = localized.sites if localized else ()
    return Conversion(model, converted, sites, folded, left_global, parity, metadata, stages.seconds)


def _folded(program: ExportedProgram, options: Options) -> PassResult:
    try:
        result = simplify(program)
        return result + fold(program) if options.fold_branches else result
    except TrainingBatchNorm as error:
        raise InputError(str(error)) from error


def _localized(
    program: ExportedProgram, options: Options, requirements: SizeRequirements
) -> Localized | None:
    if not options.localize_statistics or options.train_size is None:
        return None
    nodes = _NODES_PER_WINDOW if options.fast else None
    training = Training.on_crops(options.train_size, options.base_ratio, requirements.multiple, nodes)
    localized = localize(program, training)
    fold_constants(program)
    return localized


def _still_global(left: Sequence[Skipped]) -> str:
    first = "; ".join(f"{skipped.kind} at {skipped.where}: {skipped.reason}" for skipped in left[:3])
    more = f"; and {len(left) - 3} more" if len(left) > 3 else ""
    return f"{len(left)} operations still depend on the whole image: {first}{more}."


def _axis_names(program: ExportedProgram) -> dict[str, str]:
    """What the file calls the symbols of the program's image."""
    image = image_size(program)
    named = (
        (image.batch, "batch"),
        (image.height.free_symbols, "height"),
        (image.width.free_symbols, "width"),
    )
    return {str(symbol): name for symbols, name in named for symbol in symbols}


def _reference(captured: Captured, index: int) -> nn.Module:
    requirements = captured.requirements
    return SizeWrapper(
        OneOutput(captured.original, index), requirements.multiple, requirements.minimum, requirements.scale
    )


class OneOutput(nn.Module):
    """A network reduced to one of its flattened outputs."""

    def __init__(self, network: nn.Module, index: int) -> None:
        super().__init__()
        self.network = network
        self.index = index

    def forward(self, *inputs: Tensor) -> Tensor:
        return tensors_of(self.network(*inputs))[self.index]


@dataclass
class Stages:
    """Announces and times the stages of one conversion."""

    report: Progress
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        self.report(name)
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = round(time.perf_counter() - start, 3)
