"""Floors are those of files that do what has to be done and nothing else."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import parser
from torch import nn

from benchmarks.latency_floors import measure_floors
from benchmarks.latency_operators import convolution_file
from benchmarks.latency_profile import products
from benchmarks.latency_subjects import Subject

LOOP = """<ir_version: 9, opset_import: ["" : 18]>
g (float[n, c, h, w] x) => (float[n, c, h, w] y) <int64 trips = {4}, bool go = {1}> {
  y = Loop (trips, go, x) <body = body (int64 i, bool before, float[n, c, h, w] a)
    => (bool after, float[n, c, h, w] b) { after = Identity(before)  b = MatMul(a, a) }>
}"""


def test_the_largest_product_is_that_of_its_maps(tmp_path: Path) -> None:
    """16 channels read and 16 written, of 64 KiB each."""
    assert products(convolution_file(tmp_path / "f.onnx", 16), 16, (128, 128)).largest == 2


def test_products_in_a_loop_count_once(tmp_path: Path) -> None:
    onnx.save(parser.parse_model(LOOP), tmp_path / "loop.onnx")
    assert 0.7 < products(tmp_path / "loop.onnx", 1, (512, 512)).share <= 1


def test_more_traffic_takes_longer_and_a_first_touch_some_time() -> None:
    once, thrice = (
        measure_floors(Subject("net", nn.Identity, 64, (1024, 1024), channels=8, least_traffic=traffic), 64)
        for traffic in (2, 6)
    )
    assert thrice.traffic > once.traffic > 0
    assert once.touch > 0
    assert once.maps == 64
