"""The network a diagnosis runs: one captured program, with its statistics over windows and over whole images."""

from __future__ import annotations

import math
from dataclasses import dataclass

import sympy
from torch import fx
from torch.export import ExportedProgram

from passes.fold.batch_norm import TrainingBatchNorm
from passes.localize import Localized, LocalSite, Training, localize
from passes.program import runnable, with_own_graph
from passes.simplify.fold_constants import fold_constants
from tlcconvert.begun import Begun
from tlcconvert.capture.output_growth import images_kept, output_growth
from tlcconvert.diagnosis.observed_program import ObservedProgram
from tlcconvert.errors import InputError
from tlcconvert.network.outputs import keep_output
from tlcconvert.network.pixels import Pixels
from tlcconvert.options import Options
from tlcconvert.pipeline import FOLD, SIMPLIFY, run_steps
from tlcconvert.sizes.output_extents import Extent, Extents
from tlcconvert.sizes.size_requirements import SizeRequirements
from tlcconvert.verification.cost import GraphCost
from tlcconvert.verification.feature_map_memory import FeatureMapMemory

_WHOLE = 2**20
"""A window in pixels of the image that no image exceeds."""
_LEAST_ALIGNMENT = 8
_LARGE = 2**12
"""Pixels at which the stride of a map is told from its extent."""


@dataclass(frozen=True)
class Subject:
    """One network, ready to run.

    Attributes:
        local, whole: the same network with statistics over windows, and over whole images as it was made.
        folded: the program both are made of.
        localized: what became local.
        requirements: sizes both accept.
        extents: of the output.
        channels, pixels: of the image.
        cost, memory: of a run of ``local``.
    """

    local: ObservedProgram
    whole: ObservedProgram
    folded: ExportedProgram
    localized: Localized
    requirements: SizeRequirements
    extents: Extents
    channels: int
    pixels: Pixels
    cost: GraphCost
    memory: FeatureMapMemory

    @property
    def crop_size(self) -> tuple[int, int]:
        """Height and width of crops: the training size, or the next the network accepts."""
        height, width = self.localized.training.train_size
        return self.requirements.up(height), self.requirements.up(width)

    @property
    def alignment(self) -> int:
        """What the positions of crops are multiples of, so that every map of a crop lies on one of the image.

        That is the network's multiple and the strides of its maps, and at least 8 pixels: unaligned crops differ from
        the image by the phase of their strides (C of one network fell from 5.7 to 1.4 dB).
        """
        strides = [self._stride(extent) for site in self.localized.sites for extent in _extents(site)]
        overs = self.extents.height.over, self.extents.width.over
        known = math.lcm(self.requirements.multiple, *overs)
        every = math.lcm(known, *strides)
        alignment = every if every <= min(self.crop_size) else known
        return alignment * -(-_LEAST_ALIGNMENT // alignment)

    def is_within_window(self, height: int, width: int) -> bool:
        """Whether local statistics are global ones for an image of that size."""
        return self.localized.is_unchanged_at(height, width)

    @property
    def white(self) -> float:
        """White minus black."""
        black, white = self.pixels.value_range or (0.0, 1.0)
        return white - black

    def output_begins_at(self, top: int, left: int) -> tuple[int, int]:
        """Where in the output of an image the output of its part from (``top``, ``left``) on begins, both aligned."""
        return _output_step(self.extents.height, top), _output_step(self.extents.width, left)

    def at_ratio(self, ratio: float) -> fx.GraphModule:
        """The same network with windows of ``ratio`` training crops, as a function of an image [N, C, H, W]."""
        train = self.localized.training.train_size
        program, _ = _localized(self.folded, Training.on_crops(train, ratio))
        return runnable(program)

    def _stride(self, extent: sympy.Expr) -> int:
        return max(1, round(_LARGE / max(1, self.localized.image.at(extent, _LARGE, _LARGE))))


def _output_step(extent: Extent, pixels: int) -> int:
    return extent.step * (extent.times * pixels // extent.over)


def _extents(site: LocalSite) -> tuple[sympy.Expr, sympy.Expr]:
    return site.map.height, site.map.width


def subject_of(begun: Begun, options: Options) -> Subject:
    """The network of ``begun``, whose program stays as it is.

    Raises:
        InputError: its output is no image, it takes more than an image, or a batch norm is in training mode.
    """
    captured = begun.captured
    if captured.inputs.extra:
        names = ", ".join(extra.name for extra in captured.inputs.extra)
        raise InputError(
            f"The network takes {names} beside the image: only networks of an image are diagnosed."
        )
    assert options.train_size is not None
    program = with_own_graph(captured.program)
    growths = output_growth(captured)
    kept = keep_output(program, 0 if options.all_outputs else options.output_index)
    (extents,), _ = images_kept(growths, [kept])
    if extents is None:
        raise InputError(f"Output {kept} of the network is no image, so there is nothing to compare.")
    try:
        run_steps((*SIMPLIFY, *(FOLD if options.fold_branches else ())), program)
    except TrainingBatchNorm as error:
        raise InputError(str(error)) from error
    multiple = captured.requirements.multiple
    training = Training.on_crops(options.train_size, options.base_ratio, multiple)
    whole, _ = _localized(program, Training(training.train_size, (_WHOLE, _WHOLE)))
    local, localized = _localized(program, training)
    return Subject(
        local=ObservedProgram(local),
        whole=ObservedProgram(whole),
        folded=program,
        localized=localized,
        requirements=captured.requirements,
        extents=extents,
        channels=captured.inputs.channels,
        pixels=begun.network.pixels,
        cost=GraphCost(local.graph, localized.image),
        memory=FeatureMapMemory(local),
    )


def _localized(program: ExportedProgram, training: Training) -> tuple[ExportedProgram, Localized]:
    own = with_own_graph(program)
    localized = localize(own, training)
    fold_constants(own)
    return own, localized
