"""The original on overlapping tiles."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.tlcconvert.diagnosis.networks import Brightened, brightened
from tlcconvert.tuning.tiles import in_tiles


@pytest.mark.parametrize(("over", "times"), [(1, 1), (2, 1), (1, 3), (2, 3)])
@pytest.mark.parametrize("size", [(8, 8), (24, 8), (40, 56)])
def test_where_the_statistic_is_nothing_tiles_are_the_whole(
    size: tuple[int, int], over: int, times: int
) -> None:
    network = Brightened(0.0, over, times)
    image = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(in_tiles(brightened(8, over, times), network, image), network(image))


def test_every_pixel_is_a_mean_of_the_tiles_over_it() -> None:
    seen: list[Tensor] = []

    def numbered(tile: Tensor) -> Tensor:
        seen.append(tile)
        return torch.full_like(tile, float(len(seen)))

    image = torch.rand(1, 3, 16, 64)
    output = in_tiles(brightened(16), numbered, image)
    # Tiles of 16 every 8 pixels, as positions are multiples of 8 and neighbours share a quarter at least.
    assert len(seen) == 7
    row = output[0, 0, 0]
    assert row[:8].tolist() == [1.0] * 8
    assert row[56:].tolist() == [7.0] * 8
    assert torch.all(row.diff() >= 0)
    # Four pixels and a half from the border of the second tile, eleven and a half from that of the first: 5 to 4.
    assert float(row[12]) == pytest.approx((4 * 1 + 5 * 2) / 9)
