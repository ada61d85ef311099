"""Floors are those of files that do what has to be done and nothing else."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import onnx
from onnx import parser
from torch import nn

from benchmarks.latency.floors import measure_floors
from benchmarks.latency.operators import convolution_file
from benchmarks.latency.profile import products
from benchmarks.latency.subjects import Subject

LOOP = """<ir_version: 9, opset_import: ["" : 18]>
g (float[n, c, h, w] x) => (float[n, c, h, w] y) <int64 trips = {4}, bool go = {1}> {
  y = Loop (trips, go, x) <body = body (int64 i, bool before, float[n, c, h, w] a)
    => (bool after, float[n, c, h, w] b) { after = Identity(before)  b = MatMul(a, a) }>
}"""


def test_a_product_has_maps_besides_the_image(tmp_path: Path) -> None:
    """16 channels of 64 KiB each are written; those that are read are the image."""
    assert products(convolution_file(tmp_path / "f.onnx", 16), 16, (128, 128)).largest == 1


def test_products_in_a_loop_count_once(tmp_path: Path) -> None:
    onnx.save(parser.parse_model(LOOP), tmp_path / "loop.onnx")
    assert 0.7 < products(tmp_path / "loop.onnx", 1, (512, 512)).share <= 1


def test_a_larger_output_takes_more_traffic_and_the_larger_of_two_is_touched() -> None:
    bound = Subject("net", nn.Identity, 64, (1024, 1024), channels=8, is_bound_by_memory=True)
    small, large = (measure_floors(bound, output, 64) for output in (32, 128))
    assert large.traffic > small.traffic > 0
    assert (small.maps, large.maps) == (64, 128)
    assert small.touch > 0
    assert measure_floors(dataclasses.replace(bound, is_bound_by_memory=False), 32, 64).traffic == 0
