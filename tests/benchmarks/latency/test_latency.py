"""The page and the plot say what was measured; memory is that of the process that ran the file."""

from __future__ import annotations

import dataclasses
import json
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from torch import nn

from benchmarks.latency.document import document
from benchmarks.latency.files import FAST, GLOBAL, ON_A_CPU, PORTABLE, PREFIX_SUM, at_most
from benchmarks.latency.floors import Floors
from benchmarks.latency.measurement import CONVOLUTION, EAGER_GLOBAL, EAGER_LOCAL, Row, Threaded
from benchmarks.latency.memory import FreshProcess, fresh_process
from benchmarks.latency.operators import add_file
from benchmarks.latency.plot import plot
from benchmarks.latency.rows import Measurements, read, write
from benchmarks.latency.subjects import SUBJECTS, Subject

PER_PIXEL = {
    "256x256": {PORTABLE: 640.2, ON_A_CPU: 512.4, GLOBAL: 699.6, CONVOLUTION: 20.0},
    "512x768": {PORTABLE: 768.6, ON_A_CPU: 768.6, GLOBAL: 699.6, CONVOLUTION: 24.0},
}


@pytest.fixture
def rows() -> list[Row]:
    memory = {GLOBAL: 200.0, PREFIX_SUM: 500.0, PORTABLE: 220.0, ON_A_CPU: 210.0, FAST: 190.0}
    processes = {kind: FreshProcess(peak, 3.0, 2.0, 60.0, 8.0) for kind, peak in memory.items()}
    seconds = {
        GLOBAL: [1.0, 2.0], PREFIX_SUM: [4.0, 8.0], PORTABLE: [0.8, 1.6], ON_A_CPU: [0.7, 1.4], FAST: [0.5, 1.0]
    }  # fmt: skip
    eager = {EAGER_GLOBAL: [3.0, 6.0], EAGER_LOCAL: [5.0, 10.0]}
    peers = {GLOBAL: "onnxsim", PREFIX_SUM: "onnxslim"}
    net = Subject("Net", nn.Identity, 64, (96, 128), "half of it")
    attention = Subject("Attention & co", nn.Identity, 64, (96, 128))
    alone = {kind: process for kind, process in processes.items() if kind != PREFIX_SUM}
    return [
        Row(
            net, seconds | eager, peers, processes, 0.75, "2030-01-02", "Model A", Floors(0.1, 40.0, 0.9, 0.1)
        ),
        Row(
            attention,
            {kind: seconds[kind] for kind in alone},
            {GLOBAL: "onnxsim"},
            alone,
            0.5,
            "2030-01-03",
            "Model B",
        ),
    ]


def test_the_page_has_ratios_within_a_round(rows: list[Row]) -> None:
    twice = {"Net": Threaded(2, {GLOBAL: [0.5, 0.6], PORTABLE: [0.4, 0.48], PREFIX_SUM: [1.0, 1.2]})}
    page = document(rows, {"Net": {"channel_mean": 1.3}}, PER_PIXEL, twice)
    assert "| Net | 2 | 550 | 0.80 | - | - | - | 0.40 |" in page
    assert "| Net | 96x128 | 1500 | 0.80 | 0.70 | 0.50 | - | 0.20 | 3.00 | 5.00 | 75% | Model A |" in page
    assert "| Attention & co | 96x128 | 1500 | 0.80 | 0.70 | 0.50 | - | - | - | - | 50% | Model B |" in page
    assert "| Net | 200 | 2.50 | 1.10 | 1.05 | 0.95 | - | 1.50 | 1.50 | 9.00 |" in page
    assert "| Attention & co | 200 | - | 1.10 | 1.05 | 0.95 | - | 1.50 | 1.50 | - |" in page
    assert "| Net | channel_mean | 1.30 |" in page
    assert "| 256x256 | 640 | 512 | 700 | 20 | - |" in page
    assert "Median over 2 rounds" in page
    assert "Measured on 2030-01-02 and 2030-01-03: Model A and Model B," in page
    assert "- Net: half of it; trained at 64; fastest exports: global onnxsim, prefix sum onnxslim." in page


def test_measurements_are_kept_in_the_order_of_the_networks(rows: list[Row], tmp_path: Path) -> None:
    threaded = {SUBJECTS[1].name: Threaded(2, {PORTABLE: [0.4], GLOBAL: [0.5]})}
    kept = Measurements(without={"Net": {"channel_mean": 1.3}}, per_pixel=PER_PIXEL, threaded=threaded)
    for subject, row in zip(reversed(SUBJECTS[:2]), rows, strict=True):
        kept.keep(dataclasses.replace(row, subject=subject))
    write(tmp_path / "kept.json", kept)
    again = read(tmp_path / "kept.json")
    assert (again.in_order(), again.threaded) == (kept.in_order(), threaded)
    assert [row.subject for row in again.in_order()] == list(SUBJECTS[:2])
    assert read(tmp_path / "none.json") == Measurements()


def test_a_processor_replaces_what_it_has_measured_itself(rows: list[Row]) -> None:
    kept = Measurements()
    first, second = (dataclasses.replace(row, subject=SUBJECTS[0]) for row in rows)
    for row in (first, second, dataclasses.replace(first, products=0.5)):
        kept.keep(row)
    assert [(row.processor, row.products) for row in kept.in_order()] == [("Model A", 0.5), ("Model B", 0.5)]
    assert kept.row(SUBJECTS[0], "Model B") == second


def test_measurements_without_floors_are_read(rows: list[Row], tmp_path: Path) -> None:
    file = tmp_path / "kept.json"
    write(file, Measurements([dataclasses.replace(rows[0], subject=SUBJECTS[0])]))
    stored = json.loads(file.read_text())
    (row,) = stored["rows"]
    del row["floors"]
    for process in row["processes"].values():
        del process["loaded"], process["output"]
    file.write_text(json.dumps(stored))
    (again,) = read(file).in_order()
    assert again.floors is None
    assert again.processes[ON_A_CPU] == FreshProcess(210.0, 3.0, 2.0)


def test_the_plot_has_a_bar_per_file(rows: list[Row]) -> None:
    root = ElementTree.fromstring(plot(rows))
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts.count("0.80") == texts.count("0.70") == 2
    assert texts.count("4.00") == 1
    assert "Attention & co" in texts


def test_a_simplifier_that_does_not_end_is_stopped() -> None:
    with pytest.raises(TimeoutError, match="not done within 1 s"), at_most(1):
        time.sleep(60)


def test_memory_is_of_the_fresh_process(tmp_path: Path) -> None:
    """One that holds far less than this process, which imported PyTorch, and at least its image twice."""
    file = add_file(tmp_path / "add.onnx")
    small, large = (fresh_process(file, 1, size) for size in [(8, 8), (4096, 4096)])
    assert small.peak < 250
    assert 128 <= large.peak - small.peak < 400
    assert large.loaded is not None and 64 <= large.peak - large.loaded < 128
    assert large.output == 64
