"""The proofs a conversion must pass before it is handed over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import onnx
import onnxruntime
import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram

from passes.localize import Localized, Training
from passes.localize.exact_counterpart import exact_counterpart
from passes.sizes import ImageSize
from tlcconvert.capture.capture import Captured
from tlcconvert.capture.narrowed_sizes import has_wider_multiple
from tlcconvert.errors import ParityError, first_line
from tlcconvert.network.eager_reference import tensors_of
from tlcconvert.network.output_distance import TOLERANCE, distance, magnitude
from tlcconvert.options import Options
from tlcconvert.sizes.size_requirements import SizeRequirements
from tlcconvert.verification import sizes as budget
from tlcconvert.verification.compare import Trial, expected_at
from tlcconvert.verification.cost import GraphCost
from tlcconvert.verification.extents import Demands, with_windows
from tlcconvert.verification.feature_map_memory import FeatureMapMemory
from tlcconvert.verification.half import PHOTOGRAPH
from tlcconvert.verification.parity import Parity
from tlcconvert.verification.session import callable_of
from tlcconvert.verification.sizes import (
    Plan,
    Purse,
    Reach,
    Size,
    planned,
    unchanged_sizes,
    with_batch,
)
from tlcconvert.verification.twin import Twin, differs_in_numbers_only, small_train_size

ONNX = "onnx / converted"
ORIGINAL = "converted / original"
TWIN = "onnx / twin"
SOURCE = "source file / original"
_WITHOUT_WINDOWS = (64, 64)
_ACROSS = 16
"""Pixels a thin image has at least on its short axis."""


@dataclass(frozen=True)
class Subject:
    """What is to be proven of one conversion.

    Attributes:
        model: the file.
        open_session: loads it; called once the converted network has run and its weights may go.
        converted: the converted network in eager PyTorch.
        original: the network it was made from, with the file's outputs and inside the file's wrapper.
        bare: the same without a wrapper.
        captured: its inputs, and the sizes it takes.
        localized: its windows; None where it was not asked for.
        reach: how far images must go.
        twin: makes the twin for a train size; None where there is none.
    """

    model: onnx.ModelProto
    open_session: Callable[[], onnxruntime.InferenceSession]
    converted: fx.GraphModule
    original: nn.Module
    bare: nn.Module
    captured: Captured
    localized: Localized | None
    reach: Reach
    twin: Callable[[tuple[int, int]], Twin] | None = None

    @property
    def window(self) -> tuple[int, int] | None:
        """Height and width of the largest window in pixels of the image."""
        return self.localized.training.base_size if self.localized and self.localized.sites else None


def reach_of(
    program: ExportedProgram,
    image: ImageSize,
    network: Demands,
    localized: Localized | None,
    requirements: SizeRequirements,
) -> Reach:
    """How far the images of a verification must go, and what they cost.

    Args:
        program: the converted one, before sizes are wrapped.
        image: the symbols of its image.
        network: what its graph demanded before it was localised.
    """
    cost, memory = GraphCost(program.graph, image), FeatureMapMemory(program)
    up = requirements.up
    across = network.least_across(2, up)

    def multiply_adds(batch: int, height: int, width: int) -> int:
        return cost.multiply_adds(batch, up(height), up(width))

    def peak_bytes(batch: int, height: int, width: int) -> int:
        return memory.peak_bytes(batch, up(height), up(width))

    return Reach(
        across=(max(_ACROSS, across[0]), max(_ACROSS, across[1])),
        structure=network.shortest(up),
        windows=with_windows(network, localized.sites).shortest(up)
        if localized and localized.sites
        else None,
        cost=multiply_adds,
        peak_bytes=peak_bytes,
    )


def verify_conversion(
    subject: Subject,
    options: Options,
    report: Callable[[str], None],
    also_at: Sequence[Size] = (),
) -> Parity:
    """The model against the converted network in eager PyTorch, and that against the original.

    Sizes are chosen so that they reach what the graph depends on (:mod:`tlcconvert.verification.sizes`); the original
    is compared where every statistic still covers its whole map, at all sizes where nothing was localised. Where
    no affordable image exceeds the windows on both axes, a twin with small windows does. Sizes the caller chose
    take the place of all that, and the notes say what they leave unproven; a file of one size is run at that size.

    Args:
        also_at: (batch, height, width) that are compared in any case, because something after capture told sizes
            apart there.

    Raises:
        ParityError: nothing could be compared.
    """
    purse = Purse(subject.reach, budget.BUDGET, runs=1 if subject.window else 2)
    plan = _plan(subject, options, purse, also_at)
    report("running the converted network")
    expected = expected_at(subject.converted, subject.captured.inputs, plan.trials, ONNX)
    report("running the converted network against the original")
    unchanged = _unchanged(subject, plan)
    report("running the model in onnxruntime")
    parity = expected.compare(callable_of(subject.open_session()), TOLERANCE)
    if not parity.comparisons:
        raise ParityError("The file was compared with nothing:\n" + parity.table())
    assumed = tuple(
        f"the graph relies on what is not proven: {assumption}" for assumption in subject.captured.assumptions
    )
    parity = _joined(parity, Parity((), (*plan.notes, *assumed, *_deviation(subject, purse))), unchanged)
    if plan.reaches_beyond_windows or subject.window is None or options.static_size or options.verify_sizes:
        return parity
    return _joined(parity, _twin(subject, options, purse, report))


def compare_with_source(subject: Subject, source: nn.Module, parity: Parity) -> Parity:
    """The ONNX file a network was read from against the network, where no statistic is local.

    The network is the reference, as it has a run in float64 to judge by, and that run owes nothing to the file's.

    Args:
        source: the file in onnxruntime, inside the wrapper of the file that is written.
        parity: of the conversion; it names the sizes.

    Raises:
        ParityError: onnxruntime runs the file at none of them.
    """
    inputs = subject.captured.inputs
    sizes = _cheap(parity.sizes(ORIGINAL), subject.reach)
    refused = {size: _objection(source, inputs.random(*size)) for size in sizes}
    trials = [Trial(size, "the source file") for size in sizes if not refused[size]]
    notes = tuple(
        f"{SOURCE} not compared at {_label(size)}: onnxruntime says {why}"
        for size, why in refused.items()
        if why
    )
    if sizes and not trials:
        raise ParityError("onnxruntime runs the source file at no size that was tried:\n" + "\n".join(notes))
    compared = expected_at(subject.original, inputs, trials, SOURCE).compare(source, TOLERANCE)
    return _joined(compared, Parity((), notes))


def _objection(source: nn.Module, images: tuple[Tensor, ...]) -> str:
    """Why ``source`` does not run, or ``""``."""
    try:
        source(*images)
    except Exception as error:
        return first_line(error)
    return ""


def cheap_sizes(parity: Parity, reach: Reach) -> list[Size]:
    """Where another file of the same network is compared: the sizes of ``parity``, the dear ones left out."""
    return _cheap(parity.sizes(ONNX), reach)


def _cheap(sizes: list[Size], reach: Reach) -> list[Size]:
    return [size for size in sizes if reach.cost(*size) <= budget.BUDGET / 8] or sizes[:2]


def half_sizes(parity: Parity, subject: Subject, options: Options) -> list[Size]:
    """Where the file in float16 is compared with that in float32: the photograph's size, and those that are cheap.

    Sizes people run prove long sums, which both files have in float32.
    """
    if options.static_size is not None:
        return parity.sizes(ONNX)
    own = _rounded([PHOTOGRAPH], _taken(options, subject.captured.requirements))
    cheap = [size for size in cheap_sizes(parity, subject.reach) if size[1:] not in budget.REAL_SIZES]
    return list(dict.fromkeys([*own, *cheap]))


def _joined(*parities: Parity) -> Parity:
    return Parity(
        tuple(row for parity in parities for row in parity.comparisons),
        tuple(note for parity in parities for note in parity.notes),
    )


def _plan(subject: Subject, options: Options, purse: Purse, also_at: Sequence[Size]) -> Plan:
    requirements = subject.captured.requirements
    taken = _taken(options, requirements)
    if options.static_size:
        size = (1, *options.static_size)
        return Plan(
            [Trial(size, "the file's size"), Trial(size, "the file's size, a photograph", True)], notes=[]
        )
    if options.verify_sizes:
        own = _rounded(with_batch(options.verify_sizes), taken)
        plan = Plan([Trial(size, "asked for") for size in own], notes=_left_unproven(own, subject))
    else:
        plan = planned(subject.reach, purse, subject.window, taken)
    asked = [size for size in _rounded(also_at, taken) if size not in {trial.size for trial in plan.trials}]
    plan.trials += [Trial(size, "where writing told sizes apart") for size in asked]
    plan.unchanged = _unchanged_trials(subject, plan, options, purse, taken)
    if not options.verify_sizes:
        plan.notes.append(
            f"sizes were chosen within {purse.budget:.1e} multiply-adds for one run at each; "
            f"they take {purse.spent:.1e}"
        )
    return plan


def _left_unproven(sizes: Sequence[Size], subject: Subject) -> list[str]:
    """What the sizes a caller asked for do not reach."""
    reach = subject.reach
    gaps = []
    for axis, name in enumerate(("height", "width")):
        longest = max(size[1 + axis] for size in sizes)
        structure, windows = reach.structure[axis], reach.windows[axis] if reach.windows else None
        needed = max(structure or 0, windows or 0)
        if structure is None or longest < needed:
            gaps.append(f"{name}s beyond {longest} (the graph depends on them up to {needed})")
    if max(size[0] for size in sizes) == 1:
        gaps.append("batches of more than one image")
    beyond = reach.windows
    if beyond and not any(_exceed(size, beyond) for size in sizes):
        gaps.append("images beyond the windows on both axes")
    return ["the sizes were asked for; they do not prove " + gap for gap in gaps]


def _exceed(size: Size, beyond: Sequence[int | None]) -> bool:
    return all(least is not None and extent >= least for extent, least in zip(size[1:], beyond, strict=True))


def _unchanged_trials(
    subject: Subject, plan: Plan, options: Options, purse: Purse, taken: Callable[[int], int]
) -> list[Trial]:
    """Where the converted network computes what the original does."""
    localized, up = subject.localized, subject.captured.requirements.up
    if localized is None or not localized.sites:
        return plan.trials

    def is_unchanged(height: int, width: int) -> bool:
        return localized.is_unchanged_at(up(height), up(width))

    own = [trial for trial in plan.trials if is_unchanged(*trial.size[1:])]
    if options.verify_sizes and own:
        return own
    window = localized.training.base_size
    trials: list[Trial] = []
    for size in _rounded(unchanged_sizes(window, subject.reach.across, is_unchanged), taken):
        if trials and not purse.affords(size, 1 / 10):
            plan.notes.append(f"{ORIGINAL} not compared at {_label(size)}: it is over the budget")
            continue
        purse.pay(size)
        trials.append(Trial(size, "all maps within their windows", is_photograph=len(trials) == 1))
    return trials


def _unchanged(subject: Subject, plan: Plan) -> Parity:
    if not plan.unchanged:
        return Parity((), (f"{ORIGINAL} not compared: at no size does every feature map fit its window",))
    inputs = subject.captured.inputs
    parity = expected_at(subject.original, inputs, plan.unchanged, ORIGINAL).compare(
        subject.converted, TOLERANCE
    )
    return _joined(parity, _bare(subject, plan))


def _bare(subject: Subject, plan: Plan) -> Parity:
    """Where the file pads and the network would not have needed it: against the network as it is.

    A multiple that was widened knowingly is known to differ there; how far is among the notes.
    """
    requirements = subject.captured.requirements
    if has_wider_multiple(subject.captured.accepted, requirements):
        return Parity(())
    padded = [
        trial
        for trial in plan.unchanged
        if any(requirements.up(extent) != extent for extent in trial.size[1:])
        and trial.size[1:] in budget.REAL_SIZES
    ]
    expected = expected_at(subject.bare, subject.captured.inputs, padded, "converted / unpadded")
    return replace(expected, notes=()).compare(subject.converted, TOLERANCE)


def _twin(subject: Subject, options: Options, purse: Purse, report: Callable[[str], None]) -> Parity:
    """The same graph with small windows, beyond them on both axes."""
    localized, requirements = subject.localized, subject.captured.requirements
    assert localized is not None
    unproven = "no image beyond the windows on both axes was compared: "
    train_size = small_train_size(
        localized.sites, localized.training, options.base_ratio, requirements.multiple, localized.image
    )
    if subject.twin is None or train_size is None:
        return Parity((), (unproven + "no smaller train size has windows on every map",))
    windows = Training.on_crops(train_size, options.base_ratio, requirements.multiple).base_size
    trials = _twin_trials(windows, subject, options, train_size[0])
    if any(subject.reach.cost(*trial.size) > purse.budget / 4 for trial in trials):
        size = _label(max(trial.size for trial in trials))
        return Parity((), (f"{unproven}{size} with a train size of {train_size[0]} is over the budget",))
    report(f"converting once more for a train size of {train_size[0]}")
    twin = subject.twin(train_size)
    report("running the twin in onnxruntime")
    expected = expected_at(twin.converted, subject.captured.inputs, trials, TWIN)
    parity = expected.compare(callable_of(twin.open_session()), TOLERANCE)
    same = differs_in_numbers_only(subject.model, twin.model)
    note = f"the twin is the same network converted for a train size of {train_size[0]}; its file " + (
        "differs in numbers only" if same else "differs in operators too, so that it proves the method only"
    )
    return _joined(parity, Parity((), (note,)))


def _twin_trials(windows: tuple[int, int], subject: Subject, options: Options, train: int) -> list[Trial]:
    taken = _taken(options, subject.captured.requirements)
    height, width = windows
    around = f"train size {train}"
    return [
        Trial((1, taken(2 * height + 5), taken(2 * width + 11)), f"both axes beyond the windows, {around}"),
        Trial(
            (1, taken(height + height // 2 + 3), taken(2 * width + 6)),
            f"the same, a photograph, {around}",
            True,
        ),
        Trial(
            (2, taken(height + height // 4 + 2), taken(width + width // 4 + 1)),
            f"the same, batch 2, {around}",
        ),
    ]


def _taken(options: Options, requirements: SizeRequirements) -> Callable[[int], int]:
    """The extent nearest to one that is asked for which the file takes."""

    def taken(extent: int) -> int:
        if not options.size_wrapper:
            extent = requirements.up(extent)
        return extent if requirements.maximum is None else min(extent, requirements.maximum)

    return taken


def _label(size: Size) -> str:
    return "x".join(map(str, size))


def _rounded(sizes: Iterable[Size], taken: Callable[[int], int]) -> list[Size]:
    """``sizes`` with height and width as the file takes them."""
    return list(dict.fromkeys((batch, taken(height), taken(width)) for batch, height, width in sizes))


def _deviation(subject: Subject, purse: Purse) -> tuple[str, ...]:
    """What statistics on a grid cost against exact ones, at an image of four windows; empty where all are exact."""
    localized = subject.localized
    if localized is None or localized.training.nodes_per_window is None:
        return ()
    height, width = subject.window or _WITHOUT_WINDOWS
    size = (1, 2 * height, 2 * width)
    if not purse.affords(size, 1 / 4):
        size = (1, 2 * height, subject.reach.across[1])
    images = subject.captured.inputs.random(*size)
    with torch.no_grad():
        (fast,) = tensors_of(subject.converted(*images))
        (exact,) = tensors_of(exact_counterpart(subject.converted)(*images))
    off = distance(fast, exact) / max(magnitude(exact), 1e-300)
    label = "x".join(str(extent) for extent in images[0].shape[2:])
    return (
        f"statistics on a grid change the output by up to {off:.1e} of its scale at {label}, against exact ones",
    )
