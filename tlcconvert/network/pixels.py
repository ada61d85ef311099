"""What the values of an image mean, as far as anything says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Pixels:
    """The convention an image's values follow, input and output alike.

    Attributes:
        value_range: the values of black and white, or None where nothing says.
        color_order: ``"RGB"``, ``"RGBA"``, ``"gray"``, or ``""`` where nothing says.
    """

    value_range: tuple[float, float] | None = None
    color_order: str = ""


def registry_pixels(channels: int | None) -> Pixels:
    """The convention of every network in spandrel's registry: 0 to 1, colours in the order red, green, blue."""
    return Pixels((0.0, 1.0), {1: "gray", 3: "RGB", 4: "RGBA"}.get(channels or 0, ""))
