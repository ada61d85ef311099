"""From a network to a verified ONNX model: captured, taken through the pipeline, and compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from onnxruntime import InferenceSession
from torch import nn
from torch.export import ExportedProgram

from passes.fold.batch_norm import TrainingBatchNorm
from passes.localize import Localized
from passes.program import runnable, with_own_graph
from passes.result import Skipped
from passes.sizes import image_size
from tlcconvert.architectures.classsr import ClassSR
from tlcconvert.capture.capture import Captured, capture
from tlcconvert.capture.guards_after_capture import GuardsAfterCapture
from tlcconvert.capture.narrowed_sizes import Permission
from tlcconvert.capture.output_growth import images_kept, output_growth, padding_note
from tlcconvert.classsr.from_options import convert_from_options
from tlcconvert.conversion import Conversion
from tlcconvert.errors import InputError, StrictError
from tlcconvert.machine.memory_limit import refuse_what_does_not_fit
from tlcconvert.machine.out_of_memory import memory_named, refuse_left_out
from tlcconvert.network.input_channels import input_channels_of
from tlcconvert.network.network import Network
from tlcconvert.network.network_inputs import ExtraInput
from tlcconvert.network.outputs import OneOutput, keep_output, output_names
from tlcconvert.network.pixels import Pixels
from tlcconvert.options import Options, Size
from tlcconvert.output.exported_output import verified_program
from tlcconvert.output.metadata import describe, state_sha256
from tlcconvert.output.output_paths import refuse_taken_folder
from tlcconvert.output.write import write_bytes
from tlcconvert.pipeline import Draft, Journal, NetworkFacts, Pipeline, pipeline
from tlcconvert.routing_options import RoutingOptions
from tlcconvert.sizes.output_extents import Extents
from tlcconvert.sizes.size_limit import refuse_larger
from tlcconvert.sizes.size_requirements import SizeRequirements
from tlcconvert.sizes.size_wrapper import SizeWrapper, serves_an_image
from tlcconvert.stages import Progress, Stages
from tlcconvert.target import Target
from tlcconvert.verification.conversion import Subject, cheap_sizes, reach_of, verify_conversion
from tlcconvert.verification.extents import demands
from tlcconvert.verification.feature_map_memory import FeatureMapMemory
from tlcconvert.verification.parity import Parity
from tlcconvert.verification.session import inference_session
from tlcconvert.verification.twin import Twin


def convert(
    network: nn.Module | ExportedProgram,
    train_size: int | tuple[int, int] | None = None,
    *,
    base_ratio: float = 1.5,
    input_channels: int | None = None,
    extra_inputs: Sequence[ExtraInput] = (),
    output_index: int | None = None,
    all_outputs: bool = False,
    localize_statistics: bool = True,
    fold_branches: bool = True,
    size_wrapper: bool = True,
    static_size: tuple[int, int] | None = None,
    accept_multiple: int | None = None,
    accept_minimum: int | None = None,
    verify_sizes: Sequence[Size] = (),
    opset: int = 18,
    target: Target = Target.ONNXRUNTIME,
    strict: bool = False,
    fast: bool = False,
    exported_program: bool = False,
    routing: RoutingOptions | None = None,
    without: Sequence[str] = (),
    dump: Path | None = None,
    known_requirements: SizeRequirements | None = None,
    pixels: Pixels | None = None,
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
        all_outputs: return all of them, named ``output``, ``output_1`` and so on.
        localize_statistics: False leaves global statistics as they are.
        fold_branches: False leaves branches and batch norms as they are.
        size_wrapper: False leaves out the padding and cropping around a network that needs a multiple or a
            minimum; the file then takes such sizes only, and its metadata says which.
        static_size: (height, width) in pixels the file is made for, with a batch of 1, for runtimes without
            dynamic shapes; nothing in it is computed from a shape.
        accept_multiple, accept_minimum: where no graph computes the network at every size it accepts, the multiple
            or minimum of the file that pads more than it must; by default refused with the deviation measured.
        verify_sizes: (height, width) or (batch, height, width) to compare at instead of the sizes chosen from the
            graph; the notes of the parity say what they do not prove.
        opset: 18 to 24.
        target: the runtime the file is made for; ``TENSORRT`` needs ``static_size``.
        strict: raise where a statistic stays global.
        fast: take means and norms at every 12th of a window only and interpolate between; approximate, and
            the deviation from exact local statistics is measured and noted.
        routing: how a ClassSR covers an image and what its file lets callers control; other networks refuse it.
        without: names of optional steps to leave out (:mod:`tlcconvert.pipeline.steps`); the file computes the same.
        dump: a folder for the graph after each step, as text; it is made, and kept whatever happens.
        known_requirements: multiple and minimum a registry knows; confirmed by running the network.
        pixels: what the values of the image mean, for the file's metadata.
        source_sha256: hash of the file the network came from; by default that of its sorted state.
        exported_program: also make the program for ``torch.export.load``; ``save`` writes it to a path that ends
            in ``.pt2``.
        progress: called with the name of each stage as it begins, and with what it is doing.

    Raises:
        InputError: an argument is out of range or the network cannot be read.
        CaptureError: no graph with symbolic sizes reproduces the network.
        ParityError: a comparison failed.
        StrictError: ``strict``, and a statistic stays global.
    """
    pair = (train_size, train_size) if isinstance(train_size, int) else train_size
    options = Options(
        train_size=pair,
        base_ratio=base_ratio,
        output_index=output_index,
        all_outputs=all_outputs,
        localize_statistics=localize_statistics,
        fold_branches=fold_branches,
        size_wrapper=size_wrapper,
        static_size=static_size,
        accept_multiple=accept_multiple,
        accept_minimum=accept_minimum,
        verify_sizes=tuple(verify_sizes),
        opset=opset,
        target=target,
        strict=strict,
        fast=fast,
        exported_program=exported_program,
        routing=routing or RoutingOptions(),
        without=tuple(without),
        dump=dump,
    )
    requirements = known_requirements or SizeRequirements(1, 0, 0)
    known = Network(
        network,
        input_channels=input_channels,
        scale=requirements.scale,
        multiple=requirements.multiple,
        minimum=requirements.minimum,
        pixels=pixels or Pixels(),
        extra_inputs=tuple(extra_inputs),
        sha256=source_sha256,
    )
    conversion = convert_network(known, options, progress)
    if conversion.cost_file and options.routing.calibrate is not None:
        write_bytes(conversion.cost_file.encode(), options.routing.calibrate)
    return conversion


def convert_network(network: Network, options: Options, progress: Progress | None = None) -> Conversion:
    """:func:`convert` with its arguments judged already."""
    refuse_taken_folder(options.dump)
    with memory_named():
        if isinstance(network.module, ClassSR):
            conversion = convert_from_options(network, options, progress)
        else:
            conversion = _convert(network, options, progress)
    refuse_left_out(conversion.parity.notes)
    return conversion


def _convert(network: Network, options: Options, progress: Progress | None) -> Conversion:
    options.routing.refuse_for_other_networks()
    stages = Stages(progress or (lambda _: None))
    with stages("capture"):
        channels = network.input_channels or input_channels_of(network.module, network.extra_inputs)
        if channels is None:
            raise InputError(
                "Nothing tells how many channels the image has: pass --input-channels (input_channels=)."
            )
        _refuse_images_without_memory(options, channels)
        stages.report(f"images of {channels} channels")
        captured = capture(
            network.module,
            input_channels=channels,
            extra_inputs=network.extra_inputs,
            multiple_hint=network.multiple,
            minimum_hint=network.minimum,
            permission=Permission(options.accept_multiple, options.accept_minimum, options.static_size),
            progress=stages.report,
        )
    sha256 = network.sha256 or state_sha256(network.module)
    return _convert_captured(captured, options, network.pixels, sha256, stages)


def _convert_captured(
    captured: Captured, options: Options, pixels: Pixels, sha256: str, stages: Stages
) -> Conversion:
    program, requirements = captured.program, captured.requirements
    draft = Draft(program)
    guards = GuardsAfterCapture(program, requirements)
    growths = output_growth(captured)
    kept = None if options.all_outputs else keep_output(program, options.output_index)
    indices = range(len(growths)) if kept is None else [kept]
    extents, output_notes = images_kept(growths, indices)
    bare = _bare(captured, kept)
    if not serves_an_image(requirements, extents):
        options = replace(options, size_wrapper=False)
    if options.size_wrapper:
        output_notes += padding_note(captured, bare, indices, extents)
    _refuse_static_size(options, requirements, extents)
    refuse_larger([*options.verify_sizes, *filter(None, [options.static_size])], requirements)
    facts = NetworkFacts(requirements, extents, captured.inputs, output_names(program), captured.original)
    steps, journal = pipeline(options, facts), Journal(options.dump)
    journal.begin(draft)
    with stages("fold"):
        _fold(steps, draft, journal)
    with stages("localize"):
        image = image_size(program)
        demanded = demands(program.graph, image)
        unlocalized = with_own_graph(program)
        steps.run("localize", draft, journal)
        localized = _localized(journal)
        left_global = (localized or journal.of_step("audit")).skipped
    _refuse_sizes_without_memory(program, options)
    if options.strict and left_global:
        raise StrictError(_still_global(left_global))
    with stages("export"):
        steps.run("speed", draft, journal)
        reach = reach_of(program, image, demanded, localized, requirements)
        steps.run("wrap", draft, journal)
        guards.wrapped(program)
        converted = runnable(program)
        draft.axes = _axis_names(program)
        draft.metadata = describe(captured, program, options, pixels, localized, sha256, extents)
        steps.run("write", draft, journal)
        tried, assumed = ((), ()) if options.static_size else guards.sizes_to_try()
    assert draft.model is not None
    model, weights = draft.model, draft.weights

    def session() -> InferenceSession:
        if weights is None:
            return inference_session(model.SerializeToString())
        weights.release()
        return inference_session(model.SerializeToString(), weights.folder, weights_in_file=True)

    def twin(train_size: tuple[int, int]) -> Twin:
        return _twin(unlocalized, replace(options, train_size=train_size), facts)

    with stages("verify"):
        subject = Subject(
            model=model,
            open_session=session,
            converted=converted,
            original=_wrapped(bare, options, requirements, extents),
            bare=bare,
            captured=captured,
            localized=localized,
            reach=reach,
            twin=twin if weights is None else None,
        )
        parity = verify_conversion(subject, options, stages.report, also_at=tried)
        unproven = tuple(f"the file relies on {guard}, at sizes too large to run" for guard in assumed)
        parity = Parity(parity.comparisons, parity.notes + unproven)
    exported = None
    if options.exported_program:
        with stages("program"):
            window = localized.training.base_size if localized else None
            exported, own = verified_program(
                program, converted, captured.inputs, window, cheap_sizes(parity, reach), stages.report
            )
            parity = Parity(parity.comparisons + own.comparisons, parity.notes + own.notes)
    parity = Parity(parity.comparisons, parity.notes + captured.notes + output_notes)
    parity.raise_for_mismatch()
    return Conversion(
        model=model,
        module=converted,
        journal=tuple(journal.entries),
        left_global=left_global,
        parity=parity,
        metadata=dict(draft.metadata),
        seconds=stages.seconds,
        weights=weights,
        program=exported,
    )


def _twin(unlocalized: ExportedProgram, options: Options, facts: NetworkFacts) -> Twin:
    """``unlocalized`` taken through the same steps for the train size of ``options``."""
    draft, steps, journal = Draft(with_own_graph(unlocalized)), pipeline(options, facts), Journal()
    for stage in ("localize", "speed", "wrap"):
        steps.run(stage, draft, journal)
    converted = runnable(draft.program)
    draft.axes = _axis_names(draft.program)
    steps.run("write", draft, journal)
    assert draft.model is not None
    model = draft.model
    return Twin(converted, model, lambda: inference_session(model.SerializeToString()))


def _fold(steps: Pipeline, draft: Draft, journal: Journal) -> None:
    try:
        steps.run("fold", draft, journal)
    except TrainingBatchNorm as error:
        raise InputError(str(error)) from error


def _localized(journal: Journal) -> Localized | None:
    """What localising did; None where it was not asked for."""
    results = (entry.result for entry in journal.entries)
    return next((result for result in results if isinstance(result, Localized)), None)


def _refuse_static_size(
    options: Options, requirements: SizeRequirements, extents: Sequence[Extents | None]
) -> None:
    """A file of one size must return something, and without the wrapper the network must accept that size."""
    if options.static_size is None:
        return
    size = "x".join(map(str, options.static_size))
    if any(min(image.at(*options.static_size)) < 1 for image in extents if image is not None):
        raise InputError(f"The network returns an empty output for images of {size}.")
    if options.size_wrapper:
        return
    if any(requirements.up(extent) != extent for extent in options.static_size):
        raise InputError(
            f"The network needs multiples of {requirements.multiple} and at least {requirements.minimum} pixels: "
            f"a file for {size} needs the size wrapper."
        )


def _refuse_images_without_memory(options: Options, channels: int) -> None:
    """An image that does not fit is told before the network is captured."""

    def image_bytes(batch: int, height: int, width: int) -> int:
        return 4 * batch * channels * height * width

    refuse_what_does_not_fit(image_bytes, _sizes_asked_for(options))


def _refuse_sizes_without_memory(program: ExportedProgram, options: Options) -> None:
    refuse_what_does_not_fit(FeatureMapMemory(program).peak_bytes, _sizes_asked_for(options))


def _sizes_asked_for(options: Options) -> list[tuple[int, int, int]]:
    """(batch, height, width) of every image that is run because the caller says so."""
    asked = [*options.verify_sizes, *filter(None, [options.static_size])]
    return [size if len(size) == 3 else (1, *size) for size in asked]


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


def _bare(captured: Captured, kept: int | None) -> nn.Module:
    """The original network with the file's outputs."""
    return captured.original if kept is None else OneOutput(captured.original, kept)


def _wrapped(
    network: nn.Module,
    options: Options,
    requirements: SizeRequirements,
    extents: Sequence[Extents | None],
) -> nn.Module:
    """``network`` inside the file's wrapper."""
    if not options.size_wrapper:
        return network
    return SizeWrapper(network, requirements.multiple, requirements.minimum, extents)
