"""Resizing by a factor gives PyTorch's extent, with the factor as the scale of the coordinates, at any size."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from tlcconvert.lower.forms import PORTABLE
from tlcconvert.lower.forms.extents import quotient_of, whole_ratio

NEAREST = [
    ("nearest", (1.7, 0.3)), ("nearest", (1.1, 2.1)), ("nearest", (2, 3)), ("nearest", (0.5, 2.5)),
    ("nearest-exact", (1.7, 1.7)), ("nearest-exact", (4 / 3, 0.3)), ("nearest-exact", (2, 4)),
]  # fmt: skip
SMOOTH = [
    ("bilinear", (1.7, 0.3), False), ("bilinear", (1.1, 2), False), ("bilinear", (2, 4), False),
    ("bicubic", (1.1, 1.7), False), ("bicubic", (1 / 3, 2.5), False), ("bicubic", (2, 2), False),
    ("bilinear", (0.3, 1.7), True), ("bilinear", (0.5, 0.29), True), ("bicubic", (0.3, 1.1), True),
]  # fmt: skip


def resized(x):
    nearest = [functional.interpolate(x, scale_factor=factors, mode=mode) for mode, factors in NEAREST]
    smooth = [
        functional.interpolate(x, scale_factor=factors, mode=mode, antialias=antialias)
        for mode, factors, antialias in SMOOTH
    ]
    aligned = functional.interpolate(x, scale_factor=(1.7, 0.6), mode="bilinear", align_corners=True)
    to_extent = functional.interpolate(x, size=(17, 6), mode="nearest-exact")
    filtered = functional.interpolate(x, size=(5, 40), mode="bilinear", antialias=True)
    return *nearest, *smooth, aligned, to_extent, filtered


def tap(mode, distance):
    if mode == "bilinear":
        return max(0.0, 1 - distance)
    a = {"bicubic": -0.75, "antialiased bicubic": -0.5}[mode]
    if distance <= 1:
        return ((a + 2) * distance - (a + 3)) * distance**2 + 1
    return a * (((distance - 5) * distance + 8) * distance - 4) if distance < 2 else 0.0


def along_an_axis(extent, factor, mode, antialias):
    """The matrix [floor(extent * factor), extent] of PyTorch's resize, pixel by pixel in float64."""
    weights = np.zeros((math.floor(extent * factor), extent))
    stretch = max(1.0, 1 / factor) if antialias else 1.0
    mode = f"antialiased {mode}" if antialias and mode == "bicubic" else mode
    reach = 2 * stretch + 2
    for index, row in enumerate(weights):
        centre = (index + 0.5) / factor - 0.5
        for pixel in range(math.floor(centre - reach), math.ceil(centre + reach) + 1):
            weight = tap(mode, abs(pixel - centre) / stretch)
            if not antialias:
                row[min(max(pixel, 0), extent - 1)] += weight
            elif 0 <= pixel < extent:
                row[pixel] += weight
        row /= row.sum()
    return weights


@pytest.fixture(scope="module")
def file(table, in_onnxruntime):
    """Of the oldest opset from one table and of the newest from the other: their forms are the same here."""
    return in_onnxruntime(resized, opset=18 if table is PORTABLE else 24)


@pytest.mark.parametrize("size", [(4, 5), (9, 4), (7, 9), (10, 10), (45, 80), (33, 101), (131, 64)], ids=str)
def test_one_file_resizes_any_size(file, size):
    x = torch.rand(2, 3, *size)
    computed = file(x)
    for case, got, expected in zip(NEAREST, computed, resized(x), strict=False):
        np.testing.assert_array_equal(got, expected.numpy(), err_msg=str(case))
    for case, got in zip(SMOOTH, computed[len(NEAREST) :], strict=False):
        mode, factors, antialias = case
        rows, columns = (
            along_an_axis(extent, factor, mode, antialias)
            for extent, factor in zip(size, factors, strict=True)
        )
        expected = rows @ x.double().numpy() @ columns.T
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5, err_msg=str(case))
    for got, expected in zip(computed[-3:], resized(x.double())[-3:], strict=True):
        np.testing.assert_allclose(got, expected.numpy(), rtol=0, atol=1e-5)


def test_pytorch_repeats_the_first_row_of_a_filtered_map_one_pixel_wide_and_files_do_not():
    """Else the sizes above could be compared with PyTorch itself, where the filtered map has one column."""
    column = torch.rand(1, 1, 9, 1, dtype=torch.float64)
    filtered, doubled = (
        functional.interpolate(x, size=(3, x.shape[3]), mode="bilinear", antialias=True)
        for x in (column, column.expand(1, 1, 9, 2))
    )
    assert torch.equal(filtered, doubled[:, :, :1, :1].expand(1, 1, 3, 1))
    assert not torch.allclose(filtered, doubled[..., :1])


@pytest.mark.parametrize("factor", [1.7, 0.3, 1.1, 2.0, 0.5, 1 / 3, 2.5, 4 / 3, 0.29, 1.0, math.pi])
def test_an_extent_in_whole_numbers_is_the_extent_in_double(factor):
    ratio = whole_ratio(factor)
    if ratio is not None:
        numerator, denominator = ratio
        assert all(n * numerator // denominator == int(n * factor) for n in range(0, 65536, 7))


def test_a_factor_whose_products_are_rounded_both_ways_has_no_whole_numbers():
    assert math.floor(100 * 0.29) == 28 and math.floor(300 * 0.29) == 87
    assert whole_ratio(0.29) is None


@pytest.mark.parametrize("factor", [1 / 1.7, 1 / 0.29, 1 / 3, 0.5, 1 / math.pi, 1 / (1 / 3 + 4e-7)])
def test_a_position_as_a_quotient_is_the_position(factor):
    numerator, denominator = quotient_of(factor)
    assert abs(65536 * numerator / denominator - 65536 * factor) <= 1e-6
    assert 2 * 65536 * 2 * numerator < 2**63
