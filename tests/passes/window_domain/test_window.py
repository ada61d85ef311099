"""Windows where rounding down, up and to the nearest differ along both axes."""

from __future__ import annotations

import pytest
import sympy

from passes.sizes import ImageSize
from passes.window_domain.window import FeatureMap, Training

HEIGHT, WIDTH = sympy.symbols("height width", integer=True, positive=True)
TRAINED = (50, 63)


def feature_map(training: Training, divisor: int, multiple: int = 1) -> FeatureMap:
    """A map of ceil(H / divisor) rows and ceil(W / divisor) columns of an image of multiples of ``multiple``."""
    image = ImageSize(frozenset(), multiple * HEIGHT, multiple * WIDTH)
    height, width = (sympy.ceiling(axis / sympy.Integer(divisor)) for axis in (image.height, image.width))
    return FeatureMap.of(height, width, image, training)


@pytest.mark.parametrize(
    ("ratio", "base_size"), [(1.3, (65, 81)), (1.5, (75, 94)), (1.0, (50, 63)), (0.99, (49, 62))]
)
def test_the_window_in_pixels_is_cut_to_whole_ones(ratio: float, base_size: tuple[int, int]) -> None:
    """1.3 * 63 = 81.9, 1.5 * 63 = 94.5, 0.99 * 50 = 49.5."""
    assert Training.on_crops(TRAINED, ratio).base_size == base_size


@pytest.mark.parametrize(
    ("multiple", "train_size", "base_size"),
    [(1, (50, 63), (75, 94)), (8, (56, 64), (84, 96)), (64, (64, 64), (96, 96)), (25, (50, 75), (75, 112))],
)
def test_a_crop_is_padded_up_to_the_multiple_before_its_window_is_taken(
    multiple: int, train_size: tuple[int, int], base_size: tuple[int, int]
) -> None:
    training = Training.on_crops(TRAINED, 1.5, multiple)
    assert (training.train_size, training.base_size) == (train_size, base_size)


@pytest.mark.parametrize(
    ("ratio", "divisor", "feature_size", "window"),
    [
        (1.5, 1, (50, 63), (75, 94)),
        (1.5, 4, (13, 16), (19, 23)),  # 19.5 and 23.87; 24.13 from a window of 95 pixels
        (1.3, 4, (13, 16), (16, 20)),  # 16.9 and 20.57
        (1.5, 16, (4, 4), (6, 5)),  # 6 and 5.97
        (1.5, 64, (1, 1), (1, 1)),  # 1.5 and 1.49
        (0.5, 64, (1, 1), (1, 1)),  # 0.5 and 0.49: no window is empty
    ],
)
def test_a_window_on_a_map_is_its_share_of_the_training_crop_rounded_down(
    ratio: float, divisor: int, feature_size: tuple[int, int], window: tuple[int, int]
) -> None:
    made = feature_map(Training.on_crops(TRAINED, ratio), divisor)
    assert (made.feature_size, made.window) == (feature_size, window)


def test_a_crop_that_was_captured_as_multiples_counts_as_whole_ones() -> None:
    made = feature_map(Training.on_crops(TRAINED, 1.5, 8), 4, multiple=8)
    assert made.feature_size == (14, 16)
    assert made.window == (21, 24)


@pytest.mark.parametrize(
    ("height", "width", "fits"), [(76, 92, True), (77, 92, False), (76, 93, False), (1, 1, True)]
)
def test_a_map_fits_up_to_its_window_and_no_further(height: int, width: int, fits: bool) -> None:
    """Windows of 19 x 23 elements are 76 x 92 pixels at a quarter of the resolution."""
    made = feature_map(Training.on_crops(TRAINED), 4)
    assert made.fits(ImageSize(frozenset(), HEIGHT, WIDTH), height, width) is fits
