"""The inputs a network takes: an image, and sometimes a named map or vector beside it (a noise level)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

BATCH, HEIGHT, WIDTH = "batch", "height", "width"


@dataclass(frozen=True)
class ExtraInput:
    """An input after the image.

    Attributes:
        name: the name it has in the ONNX file, e.g. ``"noise_level"``.
        shape: one entry per axis, a number or ``"batch"``, ``"height"``, ``"width"``; a noise level map is
            ``("batch", 1, "height", "width")``, one noise level per image ``("batch", 1, 1, 1)``.
    """

    name: str
    shape: tuple[int | str, ...] = (BATCH, 1, HEIGHT, WIDTH)


@dataclass(frozen=True)
class NetworkInputs:
    """The shapes of all inputs of one network: ``[batch, channels, height, width]``, then the extra ones."""

    channels: int
    extra: tuple[ExtraInput, ...] = ()

    @property
    def shapes(self) -> tuple[tuple[int | str, ...], ...]:
        return ((BATCH, self.channels, HEIGHT, WIDTH), *(extra.shape for extra in self.extra))

    def sizes(self, batch: int, height: int, width: int) -> tuple[tuple[int, ...], ...]:
        """The shapes in numbers."""
        known = {BATCH: batch, HEIGHT: height, WIDTH: width}
        return tuple(
            tuple(known[axis] if isinstance(axis, str) else axis for axis in shape) for shape in self.shapes
        )

    def random(self, batch: int, height: int, width: int, *, seed: int = 0) -> tuple[Tensor, ...]:
        """Uniform float32 values in [0, 1), the same for the same arguments whatever the global seed."""
        # An extra input can be asked for before torch is imported, which takes seconds.
        import torch

        generator = torch.Generator().manual_seed(seed)
        return tuple(torch.rand(shape, generator=generator) for shape in self.sizes(batch, height, width))
