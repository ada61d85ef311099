"""Values of a file as a network takes them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tlcconvert.errors import InputError
from tlcconvert.images.network_image import as_network_takes_it, refuse_other_channels
from tlcconvert.network.pixels import Pixels

RGBA = np.array([[[255, 0, 51, 102]]], dtype=np.uint8)
RGB, GRAY = RGBA[..., :3], RGBA[..., 3:]


def values(pixels: np.ndarray, channels: int, meaning: Pixels | None = None) -> list[float]:
    image = as_network_takes_it(pixels, channels, meaning or Pixels())
    assert image.shape == (1, channels, 1, 1)
    assert image.dtype == torch.float32
    return image.flatten().tolist()


def test_every_kind_of_file_suits_every_kind_of_network() -> None:
    assert values(RGB, 3) == pytest.approx([1, 0, 0.2])
    assert values(RGBA, 3) == pytest.approx([1, 0, 0.2])
    assert values(GRAY, 3) == pytest.approx([0.4, 0.4, 0.4])
    assert values(GRAY, 1) == pytest.approx([0.4])
    assert values(RGB, 1) == pytest.approx([0.299 + 0.2 * 0.114])
    assert values(RGBA, 4) == pytest.approx([1, 0, 0.2, 0.4])
    assert values(RGB, 4) == pytest.approx([1, 0, 0.2, 1])
    assert values(GRAY, 4) == pytest.approx([0.4, 0.4, 0.4, 1])


def test_black_and_white_are_those_of_the_network() -> None:
    assert values(RGB, 3, Pixels((-1.0, 1.0))) == pytest.approx([1, -1, -0.6])
    assert values(RGB, 3, Pixels((0.0, 255.0), "BGR")) == pytest.approx([51, 0, 255])


def test_white_of_16_bits_is_white() -> None:
    assert values(np.array([[[65535, 0, 13107]]], dtype=np.uint16), 3) == pytest.approx([1, 0, 0.2])


def test_a_network_of_other_channels_is_refused() -> None:
    for channels in (1, 3, 4):
        refuse_other_channels(channels)
    with pytest.raises(InputError, match="9 channels"):
        refuse_other_channels(9)
