"""What is chosen, from qualities that are given."""

from __future__ import annotations

import json
import math

import pytest

from tlcconvert.tuning.quality import Quality
from tlcconvert.tuning.tuning import ORIGINAL, RATIOS, TILES, PairQuality, Tuning, text_of


def tuned(original: float, tiles: float, *windows: float) -> Tuning:
    names = (ORIGINAL, TILES, *map(text_of, RATIOS))
    of = {name: Quality(psnr, 0.9) for name, psnr in zip(names, (original, tiles, *windows), strict=True)}
    return Tuning("0" * 64, (64, 64), (PairQuality("a.png", ("1", "2"), of),))


def test_the_window_of_the_highest_psnr_is_best() -> None:
    found = tuned(30, 30.1, 30.2, 30.3, 30.6, 30.4, 30.2)
    assert found.base_ratio == 2
    assert found.sentence == (
        "Windows of 2 training crops are best: +0.60 dB over 30.00 dB of the original, better on 1 of 1."
    )


def test_of_windows_that_are_as_good_the_one_nearest_to_the_default_is() -> None:
    assert tuned(30, 30, 30.104, 30.1, 30.102, 30, 30).base_ratio == 1.5
    assert tuned(30, 30, 30.11, 30.1, 30.102, 30, 30).base_ratio == 1


@pytest.mark.parametrize("best", [29.0, 30.0, 30.019])
def test_not_converting_is_best_where_no_window_gains(best: float) -> None:
    found = tuned(30, 29, 28, best, 27, 26, 25)
    assert found.base_ratio is None
    assert found.sentence.startswith("Not converting is best: the best window, 1.5 training crops, has ")
    assert found.facts()["localize"] is False


def test_it_says_so_where_tiles_are_better_than_any_file() -> None:
    assert "tiles are better still, by 0.50 dB" in tuned(30, 31, 30.5, 30.4, 30.3, 30.2, 30.1).sentence
    assert "tiles are better still, by 1.00 dB" in tuned(30, 31, 29, 29, 29, 29, 29).sentence


def test_an_output_without_any_error_is_null_in_json() -> None:
    facts = tuned(math.inf, 30, 30, 30, 30, 30, 30).facts()
    assert facts["base_ratio"] is None
    assert facts["mean"]["original"]["psnr"] is None
    json.dumps(facts, allow_nan=False)
