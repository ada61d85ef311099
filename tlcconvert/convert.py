"""From a network to a verified ONNX model: captured, taken through the pipeline, and compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import onnx
from onnxruntime import InferenceSession
from torch import nn
from torch.export import ExportedProgram

from passes.fold.batch_norm import TrainingBatchNorm
from passes.localize import Localized
from passes.program import runnable, with_own_graph
from passes.result import Skipped
from passes.sizes import image_size
from tlcconvert.architectures.classsr import ClassSR
from tlcconvert.begun import Begun
from tlcconvert.capture.capture import Captured, capture
from tlcconvert.capture.fixed_strips import fixed_strips
from tlcconvert.capture.guards_after_capture import GuardsAfterCapture
from tlcconvert.capture.narrowed_sizes import Permission
from tlcconvert.capture.output_growth import images_kept, output_growth, padding_note
from tlcconvert.classsr.from_options import convert_from_options
from tlcconvert.conversion import Conversion
from tlcconvert.diagnosis.diagnosis import Diagnosis
from tlcconvert.dtype import Dtype
from tlcconvert.errors import InputError, StrictError
from tlcconvert.machine.memory_limit import refuse_what_does_not_fit
from tlcconvert.machine.out_of_memory import memory_named, refuse_left_out
from tlcconvert.network.input_channels import input_channels_of
from tlcconvert.network.network import Network
from tlcconvert.network.outputs import OneOutput, keep_output, output_names
from tlcconvert.network.source_file import SourceFile
from tlcconvert.options import Options
from tlcconvert.options.keyword_arguments import taking
from tlcconvert.output.exported_output import verified_program
from tlcconvert.output.metadata import describe, state_sha256
from tlcconvert.output.output_paths import refuse_taken_folder
from tlcconvert.output.write import write_bytes
from tlcconvert.pipeline import Draft, Journal, NetworkFacts, Pipeline, pipeline
from tlcconvert.sizes.output_extents import Extents
from tlcconvert.sizes.size_limit import refuse_larger
from tlcconvert.sizes.size_requirements import SizeRequirements
from tlcconvert.sizes.size_wrapper import SizeWrapper, serves_an_image
from tlcconvert.stages import Stages
from tlcconvert.verification.conversion import (
    Subject,
    cheap_sizes,
    compare_with_source,
    half_sizes,
    reach_of,
    verify_conversion,
)
from tlcconvert.verification.cost_of_a_run import CostChange, cost_of_a_run, counted_size
from tlcconvert.verification.extents import demands
from tlcconvert.verification.feature_map_memory import FeatureMapMemory
from tlcconvert.verification.half import Rounded, compare_half, in_float32
from tlcconvert.verification.parity import Parity
from tlcconvert.verification.session import callable_of, inference_session
from tlcconvert.verification.twin import Twin


@taking(Options)
def convert(network: nn.Module | ExportedProgram | Network, options: Options) -> Conversion:
    """Converts a network to a verified ONNX model with local statistics.

    Args:
        network: any ``nn.Module`` of an image batch [N, C, H, W], or an exported program with symbolic batch,
            height and width; or a :class:`tlcconvert.load.Network`, with what its file says of it. It is not changed.

    Raises:
        InputError: an argument is out of range or the network cannot be read.
        CaptureError: no graph with symbolic sizes reproduces the network.
        ParityError: a comparison failed.
        StrictError: ``strict``, and a statistic stays global.
    """
    conversion = convert_network(known(network), options)
    if conversion.cost_file and options.routing.calibrate is not None:
        write_bytes(conversion.cost_file.encode(), options.routing.calibrate)
    return conversion


def known(network: nn.Module | ExportedProgram | Network) -> Network:
    """``network`` with all that is known of it.

    Raises:
        InputError: it is no network.
    """
    if isinstance(network, Network):
        return network
    if isinstance(network, nn.Module | ExportedProgram):
        return Network(network)
    raise InputError(
        f"A network is an nn.Module, an exported program, or a file's, read by tlcconvert.load.load_network; "
        f"not a {type(network).__name__}."
    )


def convert_network(network: Network, options: Options) -> Conversion:
    """:func:`convert`, but writes nothing."""
    network, options = as_asked(network, options)
    refuse_taken_folder(options.dump)
    with memory_named():
        if isinstance(network.module, ClassSR):
            conversion = convert_from_options(network, options)
        else:
            conversion = convert_begun(begin(network, options), options)
    refuse_left_out(conversion.parity.notes)
    return conversion


def as_asked(network: Network, options: Options) -> tuple[Network, Options]:
    """What is known of a network counts where the caller says nothing."""
    network = replace(
        network,
        input_channels=options.input_channels or network.input_channels,
        extra_inputs=options.extra_inputs or network.extra_inputs,
        pixels=options.pixels or network.pixels,
    )
    if options.output_index is None and not options.all_outputs:
        options = replace(options, output_index=network.output_index)
    return network, options


def begin(network: Network, options: Options) -> Begun:
    """Captures ``network``, of one graph.

    Raises:
        InputError: options for other networks, or nothing tells the image's channels.
        CaptureError: no graph with symbolic sizes reproduces the network.
    """
    options.routing.refuse_for_other_networks()
    stages = Stages(options.progress or (lambda _: None))
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
    if network.source_file is not None:
        _leave_out_source_lines(captured.program)
    guards = GuardsAfterCapture(captured.program, captured.requirements)
    sha256 = network.sha256 or state_sha256(network.module)
    return Begun(captured, guards, replace(network, sha256=sha256), stages)


def convert_begun(begun: Begun, options: Options, diagnosis: Diagnosis | None = None) -> Conversion:
    """Converts a captured network, whose program is used up.

    Args:
        diagnosis: what decided whether statistics are local; the file and the report say so.

    Raises:
        ConversionError: as :func:`convert`.
    """
    captured, guards, network, stages = begun.captured, begun.guards, begun.network, begun.stages
    source = network.source_file
    program, requirements = captured.program, captured.requirements
    draft = Draft(program)
    size = counted_size(requirements, options.static_size)
    before = cost_of_a_run(program, size)
    growths = output_growth(captured)
    kept = None if options.all_outputs else keep_output(program, options.output_index)
    indices = range(len(growths)) if kept is None else [kept]
    extents, output_notes = images_kept(growths, indices)
    if source is not None:
        output_notes += _fixed_strips(program, options)
    bare = _bare(captured, kept)
    if not serves_an_image(requirements, extents):
        options = replace(options, size_wrapper=False)
    if options.size_wrapper:
        output_notes += padding_note(captured, bare, indices, extents)
    _refuse_static_size(options, requirements, extents)
    refuse_larger([*options.verify_sizes, *filter(None, [options.static_size])], requirements)
    facts = NetworkFacts(
        requirements,
        extents,
        captured.inputs,
        output_names(program) if source is None else [source.output_names[index] for index in indices],
        captured.original,
        source,
    )
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
    _refuse_large_half(draft, options)
    _refuse_sizes_without_memory(program, options)
    if options.strict and left_global:
        raise StrictError(_still_global(left_global))
    with stages("export"):
        steps.run("speed", draft, journal)
        reach = reach_of(program, image, demanded, localized, requirements)
        cost = CostChange(before, cost_of_a_run(program, size))
        steps.run("wrap", draft, journal)
        guards.wrapped(program)
        converted = runnable(program)
        draft.axes = _axis_names(program)
        described = describe(
            captured, program, options, network.pixels, localized, network.sha256, extents, diagnosis
        )
        draft.metadata = described if source is None else {**source.metadata, **described}
        half = _half(steps, draft, journal) if options.dtype is Dtype.FLOAT16 else None
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
        if source is not None:
            stages.report("running the source file in onnxruntime")
            file = _wrapped(_of_source(source, kept), options, requirements, extents)
            own = compare_with_source(subject, file, parity)
            parity = Parity(parity.comparisons + own.comparisons, parity.notes + own.notes)
        if half is not None:
            stages.report("running the model in float16")
            rounded = _compared_in_half(half, subject, options, half_sizes(parity, subject, options))
            parity = Parity(parity.comparisons + rounded.comparisons, parity.notes)
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
        model=model if half is None else _model(half),
        module=converted,
        original=subject.original,
        journal=tuple(journal.entries),
        left_global=left_global,
        parity=parity,
        metadata=dict(draft.metadata),
        seconds=stages.seconds,
        weights=weights,
        program=exported,
        diagnosis=diagnosis,
        cost=cost,
    )


def _half(steps: Pipeline, draft: Draft, journal: Journal) -> Draft:
    """What ``draft``, which nothing is written of, is in float16, written."""
    half = Draft(with_own_graph(draft.program), metadata=draft.metadata, axes=draft.axes)
    steps.run("half", half, journal)
    steps.run("write", half, journal)
    return half


def _compared_in_half(
    half: Draft, subject: Subject, options: Options, sizes: Sequence[tuple[int, int, int]]
) -> Parity:
    session = inference_session(_model(half).SerializeToString())
    return compare_half(
        in_float32(callable_of(session), options.io),
        in_float32(Rounded(runnable(half.program)).run, options.io),
        callable_of(subject.open_session()),
        subject.captured.inputs,
        sizes,
    )


def _model(draft: Draft) -> onnx.ModelProto:
    assert draft.model is not None
    return draft.model


def _refuse_large_half(draft: Draft, options: Options) -> None:
    if options.dtype is Dtype.FLOAT16 and draft.weights is not None:
        raise InputError(
            "The network has more than 2 GB of weights, which are not converted to float16: leave out --dtype."
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


def _fixed_strips(program: ExportedProgram, options: Options) -> tuple[str, ...]:
    """A note on what an exporter may have fixed.

    Raises:
        StrictError: there is something, and the caller wants none.
    """
    found = fixed_strips(program)
    if found and options.strict:
        raise StrictError(f"{found[0].upper()}{found[1:]}: the size of the example may be part of the file.")
    return (found,) if found else ()


def _leave_out_source_lines(program: ExportedProgram) -> None:
    """The place of a node read from a file is its name there; the lines of Python are the same for all of them."""
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)


def _of_source(source: SourceFile, kept: int | None) -> nn.Module:
    """The file the network was read from, with the outputs of the file that is written."""
    return source.opened() if kept is None else OneOutput(source.opened(), kept)


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
