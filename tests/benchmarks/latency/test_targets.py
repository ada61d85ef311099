"""Whether a target is met is computed from what was measured; its floor from what the machine takes at the least."""

from __future__ import annotations

import dataclasses

import pytest
from torch import nn

from benchmarks.latency.files import FAST, GLOBAL, ON_A_CPU, PORTABLE, PREFIX_SUM
from benchmarks.latency.floors import Floors
from benchmarks.latency.measurement import CONVOLUTION, Row
from benchmarks.latency.memory import FreshProcess
from benchmarks.latency.subjects import Subject
from benchmarks.latency.targets_document import targets

COSTS = {
    "8x8": {PORTABLE: 10.0, ON_A_CPU: 10.0, CONVOLUTION: 2.0},
    "16x16": {PORTABLE: 15.0, ON_A_CPU: 11.0, CONVOLUTION: 3.0},
}


@pytest.fixture
def row() -> Row:
    seconds = {
        GLOBAL: [0.1, 0.1], PREFIX_SUM: [2.0, 2.0], PORTABLE: [0.6, 0.6], ON_A_CPU: [0.5, 0.5], FAST: [0.4, 0.4]
    }  # fmt: skip
    processes = {
        GLOBAL: FreshProcess(100, 0.2, 0.1),
        PORTABLE: FreshProcess(110, 0.7, 0.6),
        ON_A_CPU: FreshProcess(105, 0.7, 0.5, loaded=40),
        FAST: FreshProcess(130, 0.8, 0.4),
    }
    block = Subject("SE block", nn.Identity, 64, (96, 128), is_bound_by_memory=True)
    return Row(
        block,
        seconds,
        {},
        processes,
        0.2,
        "2030-01-02",
        "Model A",
        Floors(traffic=0.1, maps=30, first=0.06, steady=0.01),
    )


def test_a_line_has_the_limit_the_ratio_and_the_floor(row: Row) -> None:
    lines = targets([row], COSTS).splitlines()
    assert "| portable / prefix sum | SE block | 0.30 | 0.30 | yes | 0.10 |" in lines
    assert "| onnxruntime-cpu / prefix sum | SE block | 0.25 | 0.25 | yes | 0.10 |" in lines
    assert "| peak memory / global | SE block | 1.10 | 1.30 | **no** | 0.70 |" in lines
    assert "| first / third run | SE block | 1.50 | 2.00 | **no** | 1.10 |" in lines
    assert (
        "| portable, largest / smallest cost of a pixel | NAFNet-16 | 1.10 | 1.50 | **no** | 1.50 |" in lines
    )


def test_what_is_missed_is_explained_and_nothing_else(row: Row) -> None:
    items = [line for line in targets([row], COSTS).splitlines() if line.startswith("- ")]
    assert items == [
        "- *peak memory / global*, SE block.",
        "- *first / third run*, SE block.",
        "- *Cost of a pixel.*",
    ]


def test_what_has_not_been_measured_is_a_dash(row: Row) -> None:
    unmeasured = dataclasses.replace(
        row, floors=None, seconds={kind: row.seconds[kind] for kind in (PORTABLE, ON_A_CPU, GLOBAL)}
    )
    lines = targets([unmeasured], {}).splitlines()
    assert "| portable / prefix sum | SE block | 0.30 | - | - | - |" in lines
    assert "| peak memory / global | SE block | 1.10 | 1.30 | **no** | - |" in lines
    assert "| portable, largest / smallest cost of a pixel | NAFNet-16 | 1.10 | - | - | - |" in lines


def test_a_goal_of_another_processor_is_no_goal_of_a_row(row: Row) -> None:
    network = dataclasses.replace(row, subject=dataclasses.replace(row.subject, name="NAFNet-32"))
    limits = {
        processor: [
            line.split(" | ")[2]
            for line in targets([dataclasses.replace(network, processor=processor)], COSTS).splitlines()
            if line.startswith("| portable / global")
        ]
        for processor in ("AMD EPYC", "Intel Xeon", "Model A")
    }
    assert limits == {"AMD EPYC": ["0.75"], "Intel Xeon": ["0.85"], "Model A": []}
