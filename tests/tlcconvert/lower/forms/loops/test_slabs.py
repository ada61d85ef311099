"""Slabs small enough that every map here has several, against the operators on whole maps."""

from itertools import product

import numpy as np
import pytest
import torch

from passes.statistics import OPERATORS
from tests.operator_calls import arguments_of, names_of, options_of
from tlcconvert.lower.forms import ON_A_CPU
from tlcconvert.lower.forms.loops import slabs

SIZES = [(1, 1, 1), (2, 5, 7), (1, 8, 8), (3, 9, 11), (1, 1, 40), (2, 30, 1), (1, 25, 31)]


pytestmark = pytest.mark.parametrize("table", [ON_A_CPU], ids=["on_a_cpu"], indirect=True)


@pytest.fixture(scope="module", params=[1, 80, 130, 10**6], ids=str)
def file(request, in_onnxruntime):
    """With 6 planes and from 1 to 6 of them in a slab, by the size of the image."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slabs, "_SLAB", request.param)
        return in_onnxruntime(statistics, channels=(6,))


def statistics(x):
    """Of a norm, groups of one channel and of more; of a grid, every window and some."""
    results = []
    for operator in OPERATORS:
        if not operator.is_plane_by_plane:
            continue
        windows = [(9, 12), (2, 3)] if "ratio" in names_of(operator) else [(4, 5)]
        for window, options in product(windows, options_of(operator, groups=(6, 2))):
            results.append(operator.overload(*arguments_of(operator, x, window, ratio=4, **options)))
    return tuple(results)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_map_taken_in_slabs_has_the_statistics_of_the_whole(file, size):
    batch, height, width = size
    x = torch.randn(batch, 6, height, width) + torch.arange(6)[:, None, None]
    for got, expected in zip(file(x), statistics(x), strict=True):
        largest = max(1.0, expected.abs().max().item())
        np.testing.assert_allclose(got, expected.numpy(), rtol=0, atol=1e-5 * largest)
