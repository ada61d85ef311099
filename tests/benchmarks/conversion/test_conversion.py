"""What a conversion costs is compared with an export of the same network, verification apart."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from benchmarks.conversion.document import document
from benchmarks.conversion.measurement import Row, measure
from benchmarks.conversion.memory import Memory, network
from benchmarks.conversion.subjects import SUBJECTS, Subject

pytest.importorskip("spandrel_extra_arches")


def small() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.InstanceNorm2d(4), nn.Conv2d(4, 3, 1))


@pytest.mark.full
def test_both_are_timed_in_every_round_and_verification_apart() -> None:
    row = measure(Subject("small", small), repeats=2)
    assert (row.name, row.sites) == ("small", 1)
    for seconds in (row.own, row.stock, row.verification):
        assert len(seconds) == 2
        assert min(seconds) > 0


def test_no_weight_of_a_subject_folds_a_block_away() -> None:
    for subject in SUBJECTS:
        assert all(bool(parameter.any()) for parameter in subject.network().parameters())


def test_the_network_of_the_memory_measurement_exceeds_one_file() -> None:
    with torch.device("meta"):
        large = network()
    parameters = sum(parameter.numel() for parameter in large.parameters())
    assert 600e6 < parameters < 650e6
    assert 4 * parameters > 2**31


def test_no_weight_of_the_memory_measurement_is_zero() -> None:
    assert all(
        bool(parameter.any())
        for name, parameter in network(blocks=1).named_parameters()
        if "bias" not in name
    )


def test_the_page_has_the_ratio_of_the_rounds_and_memory_over_the_weights() -> None:
    row = Row("a network", 7, own=[3.0, 30.0], verification=[1.0, 2.0], stock=[2.0, 20.0])
    page = document([row], Memory(weights=2_000_000_000, before=2_500_000_000, peak=5_000_000_000), repeats=2)
    assert "| a network | 7 | 11.0 | 16.5 | 1.50 | 1.5 |" in page
    assert "medians of 2 rounds" in page
    assert "A NAFNet of 500 million parameters" in page
    assert "| peak, whole process | 5,000 | 2.50 |" in page
    assert "which libraries and graphs take | 4,000 | 2.00 |" in page
