"""The eager operator, itself held against crops in float64, is the reference here."""

import numpy as np
import pytest
import torch

SITES = [((1, 1), 6), ((3, 5), 6), ((40, 9), 6), ((4, 4), 3), ((5, 3), 1)]
SIZES = [(2, 11, 13), (1, 1, 1), (3, 8, 8), (1, 1, 20), (1, 20, 1), (1, 41, 37)]


def normalise(x):
    return tuple(torch.ops.tlc.local_normalize(x, *window, groups, 1e-5) for window, groups in SITES)


@pytest.fixture(scope="module")
def file(in_onnxruntime):
    return in_onnxruntime(normalise, channels=(6,))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_one_file_equals_the_eager_operator_at_any_size(file, size):
    batch, height, width = size
    x = torch.randn(batch, 6, height, width) * torch.arange(1, 7)[:, None, None] + 4
    for got, expected, site in zip(file(x), normalise(x), SITES, strict=True):
        assert np.abs(got - expected.numpy()).max() <= 1e-5, site


@pytest.mark.parametrize("level", [0, 100])
def test_a_flat_map_with_an_edge_keeps_its_digits_at_any_level(file, level):
    x = torch.full((1, 6, 200, 300), float(level))
    x[..., 250:] += torch.rand(200, 50) * 1e-2
    for got, expected, site in zip(file(x), normalise(x), SITES, strict=True):
        assert np.abs(got - expected.numpy()).max() <= 1e-5, site


def test_static_sizes_are_lowered_too(in_onnxruntime):
    x = torch.randn(1, 6, 9, 12)
    file = in_onnxruntime(normalise, channels=(6,), dynamic=False, example=(1, 9, 12))
    for got, expected in zip(file(x), normalise(x), strict=True):
        torch.testing.assert_close(torch.from_numpy(got), expected)


@pytest.mark.full
@pytest.mark.parametrize("level", [0, 100])
def test_a_large_mostly_flat_image_is_normalised_within_a_thousandth(in_onnxruntime, level):
    file = in_onnxruntime(lambda x: torch.ops.tlc.local_normalize(x, 384, 384, 1, 1e-5), channels=(1,))
    x = torch.rand(1, 1, 4096, 4096) * 2 - 1
    x[..., :2458, :] = 0.5
    x += level
    got = torch.from_numpy(file(x)[0])
    assert torch.isfinite(got).all()
    assert (got - torch.ops.tlc.local_normalize(x, 384, 384, 1, 1e-5)).abs().max() <= 1e-3
