"""Covering an image and putting it together again."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tlcconvert.classsr.merge import merge
from tlcconvert.classsr.patches import Grid, crop
from tlcconvert.errors import InputError

GRIDS = st.integers(1, 12).flatmap(lambda size: st.tuples(st.just(size), st.integers(-(-size // 2), size)))


@given(grid=GRIDS, length=st.integers(1, 60))
def test_patches_reach_the_end_and_none_is_superfluous(grid: tuple[int, int], length: int) -> None:
    size, step = grid
    count = Grid(size, step).count(length)
    assert (count - 1) * step + size >= length
    assert count == 1 or (count - 2) * step + size < length


@given(grid=GRIDS, height=st.integers(1, 30), width=st.integers(1, 30))
def test_cropping_and_merging_give_the_image_back(grid: tuple[int, int], height: int, width: int) -> None:
    image = torch.rand(2, 3, height, width)
    chosen = Grid(*grid)
    torch.testing.assert_close(merge(crop(image, chosen), chosen, height, width), image, rtol=0, atol=1e-7)


def test_beyond_the_border_its_last_pixel_is_repeated() -> None:
    image = torch.arange(6.0).reshape(1, 1, 2, 3)
    patches = crop(image, Grid(4, 3))
    expected = torch.tensor([[0, 1, 2, 2], [3, 4, 5, 5], [3, 4, 5, 5], [3, 4, 5, 5]])
    assert torch.equal(patches[0, 0, 0, 0], expected.float())


def test_where_two_patches_meet_their_mean_is_taken_and_where_four_meet_theirs() -> None:
    grid = Grid(3, 2)
    values = torch.tensor([[1.0, 2.0], [4.0, 8.0]])
    patches = values[None, :, :, None, None, None].expand(1, 2, 2, 1, 3, 3)
    merged = merge(patches, grid, 5, 5)[0, 0]
    assert merged[0, 2] == 1.5
    assert merged[2, 0] == 2.5
    assert merged[2, 2] == 3.75
    assert merged[4, 4] == 8


@pytest.mark.parametrize(("size", "step"), [(32, 15), (32, 33), (32, 0), (31, 15)])
def test_a_step_that_leaves_gaps_or_piles_up_patches_is_refused(size: int, step: int) -> None:
    with pytest.raises(InputError, match="between half the patch size and the patch size"):
        Grid(size, step)
