"""Every step of a conversion, with the reason for its place.

fold       exact on the global network
localize   the one inexact stage, by design
speed      exact, for one runtime
wrap       sizes the network does not accept
half       float16, where asked for
write      ONNX
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn
from torch.export import ExportedProgram

from passes.fold.affine_region import affine_regions
from passes.fold.batch_norm import batch_norm, norms_before_layers
from passes.fold.transposed_convolution import transposed_convolution
from passes.localize import Training, audit, localize
from passes.precision.half_precision import half_precision
from passes.result import PassResult
from passes.simplify.constant_numbers import constant_numbers
from passes.simplify.exact_constants import forget_exact
from passes.simplify.fold_constants import fold_constants
from passes.simplify.frozen_instance_norm import frozen_instance_norm
from passes.simplify.known_bins import known_bins
from passes.simplify.metadata_assertions import drop_metadata_assertions
from passes.simplify.single_slope_prelu import single_slope_prelu
from passes.simplify.slices_as_split import slices_as_split
from passes.simplify.token_norm import token_norm
from passes.speed.channel_mean import channel_mean
from passes.speed.channel_prelu import channel_prelu
from passes.speed.gate_product import gate_product
from passes.speed.gelu import gelu
from passes.speed.pixel_shuffle import pixel_shuffle
from passes.speed.split_convolution import split_convolution
from passes.speed.square import square
from passes.speed.squeeze_first import squeeze_first
from passes.speed.whole_channel_blocks import whole_channel_blocks
from tlcconvert.dtype import Dtype
from tlcconvert.lower.external_weights import external_weights
from tlcconvert.lower.forms import ON_A_CPU
from tlcconvert.lower.lower import lower
from tlcconvert.lower.static_size import fix_sizes, without_shape_arithmetic
from tlcconvert.lower.tidy import tidy
from tlcconvert.network.network_inputs import NetworkInputs
from tlcconvert.network.source_file import SourceFile
from tlcconvert.options import Options
from tlcconvert.pipeline.draft import Draft
from tlcconvert.pipeline.pipeline import Pipeline, Step
from tlcconvert.sizes.output_extents import Extents
from tlcconvert.sizes.size_limit import limit_sizes
from tlcconvert.sizes.size_requirements import SizeRequirements
from tlcconvert.sizes.size_wrapper import wrap_sizes
from tlcconvert.target import Target

_SAMPLES_PER_WINDOW = 12
_pass = Step.of_pass

_AS_WRITTEN_IN_PYTORCH = (
    _pass(slices_as_split, "before all that looks for splits, which exporters to ONNX write as slices"),
)
"""For programs of ONNX files alone."""

SIMPLIFY = (
    _pass(
        drop_metadata_assertions,
        "first, as an assertion reads a value no rule has to carry it for, and keeps it alive",
        is_required=True,
    ),
    _pass(constant_numbers, "before constants are folded: what reads a number is one itself only then"),
    _pass(fold_constants, "before all that looks for weights: a composed kernel is one from here on"),
    _pass(frozen_instance_norm, "before batch norms are folded, as it makes some"),
    _pass(single_slope_prelu, "after constants, which slopes may be composed of"),
    _pass(
        token_norm, "before regions are folded: on the map, a norm's scale belongs to the next convolution"
    ),
    _pass(known_bins, "before localising, which knows a mean over one axis and a pool with a kernel"),
)
"""Exact, and decided by what is constant."""

FOLD = (
    _pass(
        norms_before_layers,
        "before regions: a norm behind a layer folds at any border",
        name="batch_norm",
    ),
    _pass(transposed_convolution, "before regions, which leave transposed convolutions alone"),
    _pass(affine_regions, "after the cheaper folds, so that a region has fewer and larger parts"),
    _pass(batch_norm, "names the norms that even the regions left standing", name="standing_batch_norm"),
    _pass(
        forget_exact,
        "the float64 behind folded weights takes twice their memory and is read by folds alone",
        is_required=True,
    ),
)
"""Exact, and proven on the spot."""

_SPEED: dict[str, Step] = {
    step.name: step
    for step in (
        _pass(channel_mean, "anywhere: it reads means over channels, which no other step here makes"),
        _pass(square, "anywhere"),
        _pass(split_convolution, "before channels are filled up: parts of a convolution have fewer channels"),
        _pass(whole_channel_blocks, "after split_convolution, and before GELUs are more than one operator"),
        _pass(squeeze_first, "before gelu, behind whose parts no convolution would be found"),
        _pass(channel_prelu, "after whole_channel_blocks, which a slope per channel stops"),
        _pass(gelu, "after those that look for pointwise operators between convolutions"),
        _pass(pixel_shuffle, "anywhere"),
        _pass(gate_product, "last, when no other step looks for replicated statistics and their products"),
    )
}
_ALL = tuple(_SPEED)
SPEED: dict[Target, tuple[str, ...]] = {
    Target.PORTABLE: _ALL,
    Target.ONNXRUNTIME_CPU: _ALL,
    Target.OPENVINO: ("split_convolution", "squeeze_first"),
    Target.TENSORRT: ("squeeze_first",),
}
"""What a runtime would lose by is left out (``python -m benchmarks.openvino``)."""


@dataclass(frozen=True)
class NetworkFacts:
    """What the steps must know of a captured network beside its graph.

    Attributes:
        requirements: sizes it accepts.
        extents: of every output; None for what is no image.
        inputs: in calling order.
        output_names: in the file.
        original: whose weights the program shares.
        source_file: the ONNX file it was read from; None where it was another.
    """

    requirements: SizeRequirements
    extents: Sequence[Extents | None]
    inputs: NetworkInputs
    output_names: Sequence[str]
    original: nn.Module
    source_file: SourceFile | None = None


def pipeline(options: Options, network: NetworkFacts) -> Pipeline:
    """The steps of a conversion with ``options``.

    Raises:
        InputError: one that is to be left out is required or does not exist.
    """
    stages = {
        "fold": (
            *(() if network.source_file is None else _AS_WRITTEN_IN_PYTORCH),
            *SIMPLIFY,
            *(FOLD if options.fold_branches else ()),
            _external_weights(network.original),
        ),
        "localize": _localize(options, network.requirements),
        "speed": tuple(_SPEED[name] for name in SPEED[options.target]),
        "wrap": (*_wrap(options, network), _computed_weights(network.original)),
        "half": _half(options),
        "write": _write(options, network),
    }
    return Pipeline(stages).without(options.without)


def _localize(options: Options, requirements: SizeRequirements) -> tuple[Step, ...]:
    if not options.localize_statistics or options.train_size is None:
        return (_pass(audit, "names what depends on the whole image, as nothing is localised"),)
    samples = _SAMPLES_PER_WINDOW if options.fast else None
    training = Training.on_crops(options.train_size, options.base_ratio, requirements.multiple, samples)

    def localized(program: ExportedProgram) -> PassResult:
        return localize(program, training)

    return (
        _pass(
            localized,
            "after every exact fold, which then is proven on the global network",
            name="localize",
            is_required=True,
        ),
        _pass(
            fold_constants,
            "squeeze paths per window read constants of another shape",
            name="window_constants",
        ),
    )


def _wrap(options: Options, network: NetworkFacts) -> tuple[Step, ...]:
    needs = network.requirements
    steps = []
    if options.size_wrapper:

        def wrapped(program: ExportedProgram) -> PassResult:
            return wrap_sizes(program, needs.multiple, needs.minimum, network.extents)

        because = "after all passes: symbols of the network's own sizes are multiples, and those of the file are not"
        steps.append(_pass(wrapped, because, name="wrap_sizes", is_required=True))
    maximum = needs.maximum
    if maximum is not None:

        def limited(program: ExportedProgram) -> PassResult:
            return limit_sizes(program, maximum)

        because = "after sizes are wrapped: the limit is one of the file's images"
        steps.append(_pass(limited, because, name="limit_sizes", is_required=True))
    return tuple(steps)


def _half(options: Options) -> tuple[Step, ...]:
    """For a second file beside the one in float32, which proves all but the rounding."""
    if options.dtype is not Dtype.FLOAT16:
        return ()

    def halved(program: ExportedProgram) -> PassResult:
        return half_precision(program, is_half_outside=options.io is Dtype.FLOAT16)

    because = (
        "on the program, where a norm is one operation and sizes are known; after all that reads weights"
    )
    return (_pass(halved, because, name="half_precision", is_required=True),)


def _write(options: Options, network: NetworkFacts) -> tuple[Step, ...]:
    static = options.static_size
    steps: list[Step] = []
    if static is not None:

        def fixed(program: ExportedProgram) -> PassResult:
            return fix_sizes(program, network.inputs.sizes(1, *static))

        because = "before operators are written: those for one size are simpler"
        steps.append(_pass(fixed, because, name="fix_sizes", is_required=True))
    if options.target is Target.ONNXRUNTIME_CPU:
        steps.append(RUNNING_SUMS)
    steps.append(
        Step("keep_map_sizes", _keep_map_sizes, "onnxruntime fuses sums of maps whose sizes it knows")
    )
    image = "input" if network.source_file is None else network.source_file.image_name
    inputs = [image, *(extra.name for extra in network.inputs.extra)]
    steps.append(lowering(options.opset, inputs, network.output_names))
    if static is not None:
        because = "after lowering, which writes shape arithmetic for every size"
        steps.append(Step("fold_shapes", _fold_shapes, because, is_required=True))
    steps.append(Step("tidy", _tidy, "last: names, metadata, and onnx's own check", is_required=True))
    return tuple(steps)


def lowering(opset: int, input_names: Sequence[str], output_names: Sequence[str]) -> Step:
    """The step that writes the program as a model, its inputs and outputs named in calling order."""

    def run(draft: Draft) -> PassResult:
        names = list(input_names), list(output_names)
        lowered = lower(draft.program, opset, *names, draft.weights, draft.translations)
        draft.model = lowered.model
        return PassResult(lowered.rewrites)

    because = "after everything that passes can do with PyTorch's operators"
    return Step("lower", run, because, is_required=True)


def _running_sums(draft: Draft) -> PassResult:
    draft.translations = ON_A_CPU
    return PassResult()


RUNNING_SUMS = Step(
    "running_sums", _running_sums, "before lowering: a local statistic then stays in the processor's cache"
)
"""For onnxruntime on a processor alone."""


def _keep_map_sizes(draft: Draft) -> PassResult:
    draft.has_map_sizes = True
    return PassResult()


def _fold_shapes(draft: Draft) -> PassResult:
    assert draft.model is not None
    draft.model = without_shape_arithmetic(draft.model)
    return PassResult()


def _tidy(draft: Draft) -> PassResult:
    assert draft.model is not None
    draft.model = tidy(
        draft.model, draft.axes, draft.metadata, draft.weights, has_map_sizes=draft.has_map_sizes
    )
    return PassResult()


def _external_weights(original: nn.Module) -> Step:
    def run(draft: Draft) -> PassResult:
        draft.weights = external_weights(draft.program)
        return _taken(draft, original)

    because = "after folds, which make weights fewer, and before more is computed from them"
    return Step("external_weights", run, because, is_required=True)


def _computed_weights(original: nn.Module) -> Step:
    because = "after all passes: what they computed moves out of memory too, if weights do"
    return Step("computed_weights", lambda draft: _taken(draft, original), because, is_required=True)


def _taken(draft: Draft, original: nn.Module) -> PassResult:
    if draft.weights is not None:
        draft.weights.take(draft.program, original.state_dict().values())
    return PassResult()
