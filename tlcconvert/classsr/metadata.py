"""What a converted ClassSR says about itself, as key and value pairs in its ONNX metadata."""

from __future__ import annotations

from importlib.metadata import version

from tlcconvert.architectures.classsr import ClassSR
from tlcconvert.classsr.costs import Costs
from tlcconvert.classsr.patches import Grid
from tlcconvert.network.pixels import Pixels
from tlcconvert.output.metadata_schema import as_text
from tlcconvert.sizes.output_extents import Extent, Extents
from tlcconvert.target import Target


def describe(
    network: ClassSR, grid: Grid, costs: Costs | None, pixels: Pixels, source_sha256: str
) -> dict[str, str]:
    """What :class:`tlcconvert.output.metadata_schema.Metadata` has for a ClassSR, as it is stored."""
    facts: dict[str, object] = {
        "tlcconvert_version": version("tlcconvert"),
        "source_sha256": source_sha256,
        "target": Target.PORTABLE.value,
        "input_channels": network.colors,
        "output_channels": [network.colors],
        "scale": network.scale,
        "output_extents": [Extents(Extent(network.scale), Extent(network.scale)).facts()],
        "classes": len(network.branches),
        "patch_size": grid.size,
        "patch_step": grid.step,
    }
    if pixels.value_range is not None:
        facts["value_range"] = list(pixels.value_range)
    if pixels.color_order:
        facts["color_order"] = pixels.color_order
    if costs is not None:
        facts |= {"cost_per_patch": list(costs.per_patch), "cost_unit": costs.unit}
    return as_text(facts)
