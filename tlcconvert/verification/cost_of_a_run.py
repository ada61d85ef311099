"""What one run of a program costs, counted from its symbolic shapes and not timed: the same on every machine."""

from __future__ import annotations

from dataclasses import dataclass

from torch.export import ExportedProgram

from passes.program import state
from passes.sizes import image_size
from tlcconvert.sizes.size_requirements import SizeRequirements
from tlcconvert.verification.cost import GraphCost
from tlcconvert.verification.feature_map_memory import FeatureMapMemory

_HD = (720, 1280)


@dataclass(frozen=True)
class CostOfARun:
    """One run on one image.

    Attributes:
        height, width: of the image in pixels.
        multiply_adds: of convolutions, products of matrices and attention; statistics and norms only add.
        feature_map_bytes: the least that is alive at one moment.
        weights: how many numbers the network has.
    """

    height: int
    width: int
    multiply_adds: int
    feature_map_bytes: int
    weights: int


@dataclass(frozen=True)
class CostChange:
    """What a conversion changed: the captured network with its global statistics, and the converted one."""

    before: CostOfARun
    after: CostOfARun


def counted_size(requirements: SizeRequirements, static_size: tuple[int, int] | None) -> tuple[int, int]:
    """Height and width at which runs are counted: those of a file of one size, else the nearest to 720x1280."""
    height, width = (
        extent if requirements.maximum is None else min(extent, requirements.maximum)
        for extent in static_size or _HD
    )
    return requirements.up(height), requirements.up(width)


def cost_of_a_run(program: ExportedProgram, size: tuple[int, int]) -> CostOfARun:
    """One run of ``program`` as it is at this moment, on an image of ``size`` that it takes without padding.

    Raises:
        ValueError: it has no image of symbolic size.
    """
    height, width = size
    return CostOfARun(
        height,
        width,
        GraphCost(program.graph, image_size(program), per_element=0).multiply_adds(1, height, width),
        FeatureMapMemory(program).peak_bytes(1, height, width),
        sum(tensor.numel() for tensor in state(program).values()),
    )
