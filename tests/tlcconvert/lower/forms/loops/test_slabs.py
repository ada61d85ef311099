"""Slabs small enough that every map here has several, against the operators on whole maps."""

import numpy as np
import pytest
import torch

from tlcconvert.lower.forms import IN_LOOPS
from tlcconvert.lower.forms.loops import slabs

tlc = torch.ops.tlc
SIZES = [(1, 1, 1), (2, 5, 7), (1, 8, 8), (3, 9, 11), (1, 1, 40), (2, 30, 1), (1, 25, 31)]


pytestmark = pytest.mark.parametrize("table", [IN_LOOPS], ids=["in_loops"], indirect=True)


@pytest.fixture(scope="module", params=[1, 80, 130, 10**6], ids=str)
def file(request, in_onnxruntime):
    """With 6 planes and from 1 to 6 of them in a slab, by the size of the image."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slabs, "_SLAB", request.param)
        return in_onnxruntime(statistics, channels=(6,))


def statistics(x):
    return (
        tlc.local_mean(x, 4, 5),
        tlc.local_variance(x, 3, 6),
        tlc.local_max(x, 5, 2),
        tlc.local_normalize(x, 4, 4, 6, 1e-5),
        tlc.local_normalize(x, 4, 4, 2, 1e-5),
        tlc.grid_normalize(x, 9, 12, 6, 1e-5, 4),
        tlc.grid_variance(x, 9, 12, 4),
        tlc.replicated_product(x, tlc.local_mean(x, 4, 5)),
        tlc.spread_product(x, tlc.grid_mean(x, 9, 12, 4), 9, 12, 4),
        tlc.spread_product(x, tlc.grid_mean(x, 2, 3, 4), 2, 3, 4),
    )


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_map_taken_in_slabs_has_the_statistics_of_the_whole(file, size):
    batch, height, width = size
    x = torch.randn(batch, 6, height, width) + torch.arange(6)[:, None, None]
    for got, expected in zip(file(x), statistics(x), strict=True):
        largest = max(1.0, expected.abs().max().item())
        np.testing.assert_allclose(got, expected.numpy(), rtol=0, atol=1e-5 * largest)
