"""Sizes are expressions in the image size, and a size that never changes is a number."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim
from torch.nn import functional

from passes.sizes import image_size, shape_expressions


class Partition(nn.Module):
    """Windows of 4 columns of the padded image."""

    def forward(self, x: Tensor) -> Tensor:
        x = functional.pad(x, (0, -x.shape[3] % 4))
        return x.view(*x.shape[:3], x.shape[3] // 4, 4)


class Half(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[..., : x.shape[3] // 2]


class Unshuffled(nn.Module):
    """For even sizes only."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.pixel_unshuffle(x, 2)


@pytest.mark.parametrize(
    ("network", "at_9_rows"),
    [
        (Partition(), {37: [3, 9, 10, 4], 1: [3, 9, 1, 4], 64: [3, 9, 16, 4]}),
        (Half(), {37: [3, 9, 18], 1: [3, 9, 0], 64: [3, 9, 32]}),
        (Unshuffled(), {36: [12, 4, 18], 2: [12, 4, 1], 64: [12, 4, 32]}),
    ],
    ids=["windows", "half", "unshuffled"],
)
def test_only_extents_that_grow_with_the_image_are_expressions(
    network: nn.Module, at_9_rows: dict[int, list[int]]
) -> None:
    """The width of a window and a number of channels stay numbers, however the exporter derived them."""
    dynamic = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    image = torch.zeros(2, 3, 12, 14)
    program = torch.export.export(network, (image,), dynamic_shapes=(dynamic,)).run_decompositions({})
    size = image_size(program)
    shape = shape_expressions(program.graph.output_node().args[0][0])
    assert size.spatial_axes(shape) == (2, 3)
    for width, expected in at_9_rows.items():
        assert [size.at(extent, 9, width) for extent in shape[1:]] == expected
