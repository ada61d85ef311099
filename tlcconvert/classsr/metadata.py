"""What a converted ClassSR says about itself, as key and value pairs in its ONNX metadata."""

from __future__ import annotations

import json
from importlib.metadata import version

from tlcconvert.architectures.classsr import ClassSR
from tlcconvert.classsr.costs import Costs
from tlcconvert.classsr.patches import Grid
from tlcconvert.network.pixels import Pixels
from tlcconvert.sizes.output_extents import Extent, Extents


def describe(
    network: ClassSR, grid: Grid, costs: Costs | None, pixels: Pixels, source_sha256: str
) -> dict[str, str]:
    """Tool version, source, image, patches, and what a budget counts; JSON where a value is more than one word."""
    facts: dict[str, object] = {
        "tlcconvert_version": version("tlcconvert"),
        "source_sha256": source_sha256,
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
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in facts.items()}
