"""Reports that no conversion made, for tests of what becomes of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tlcconvert.output.report_schema import Compared, ImageSeen, LocalStatistic, Report
from tlcconvert.report.restored import Restored
from tlcconvert.report.statistic_shift import StatisticShift


def compared(**other: Any) -> Compared:
    row: Compared = {
        "what": "onnx / converted",
        "size": [1, 8, 9],
        "error": 2e-7,
        "scale": 2.0,
        "relative_error": 1e-7,
        "bound": 1e-5,
        "passed": True,
        "note": "",
        "proves": "small",
        "histogram": {"equal": 5, "not_finite": 0, "first": -16, "counts": [3, 0, 7]},
    }
    return {**row, **other}  # type: ignore[typeddict-item]


def local(**other: Any) -> LocalStatistic:
    site: LocalStatistic = {
        "kind": "global mean",
        "where": "body.0 (network.py:7)",
        "before": "aten.mean.dim",
        "after": "window 24x24",
        "note": "",
        "feature_size": [16, 16],
        "window": [24, 24],
        "window_in_image": [24, 24],
    }
    return {**site, **other}  # type: ignore[typeddict-item]


def report(**other: Any) -> Report:
    made: Report = {
        "schema": "1",
        "metadata": {
            "tlcconvert_version": "0.1.0",
            "source_sha256": "ab" * 32,
            "train_size": "[16, 16]",
            "input_channels": "3",
        },
        "localized": [local()],
        "folded": [],
        "left_global": [],
        "not_folded": [],
        "parity": [compared()],
        "parity_notes": ["a note"],
        "cost": {
            "before": {"size": [64, 64], "multiply_adds": 2000, "feature_map_bytes": 4000, "weights": 10},
            "after": {"size": [64, 64], "multiply_adds": 3000, "feature_map_bytes": 4000, "weights": 9},
        },
        "seconds": {"capture": 1.0},
        "steps": [],
        "provenance": {
            "command": "tlcconvert model.pth",
            "network": "model.pth",
            "outputs": [{"name": "out.onnx", "bytes": 1234, "sha256": "cd" * 32}],
            "versions": {"torch": "2.14"},
        },
    }
    return {**made, **other}  # type: ignore[typeddict-item]


def seen(**other: Any) -> ImageSeen:
    made: ImageSeen = {
        "name": "photograph.png",
        "sha256": "ef" * 32,
        "size": [48, 64],
        "failed": "",
        "region": [48, 64],
        "region_at": [0, 0],
        "change_db": -31.5,
        "largest_change": 0.1,
        "visible_share": 0.5,
        "statistics": [],
    }
    return {**made, **other}  # type: ignore[typeddict-item]


def restored(height: int = 48, width: int = 64, seed: int = 0, **other: Any) -> Restored:
    """Noise, which no format makes smaller."""
    random = np.random.default_rng(seed)
    pictures = [random.integers(0, 256, (height, width, 3), np.uint8) for _ in range(3)]
    shift = StatisticShift(
        "body.0 (network.py:7)", "local_mean", (24, 24), 0.25, 0.75, random.random((30, 40), np.float32)
    )
    difference = 0.1 * random.random((height, width), np.float32)
    return Restored(seen(region=[height, width], **other), *pictures, difference, [shift])
