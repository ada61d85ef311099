"""What branches cost: counted by hand, measured, written and read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.tlcconvert.classsr.classsr_networks import small_network
from tlcconvert.architectures.classsr import FSRCNN, Classifier, ClassSR
from tlcconvert.classsr import calibrate
from tlcconvert.classsr.costs import Costs, cost_text, multiply_adds, read_costs
from tlcconvert.errors import InputError

COSTS = Costs((100, 250, 900), "microseconds")


def test_multiply_adds_of_fsrcnn_are_those_of_its_layers() -> None:
    network = ClassSR(Classifier(classes=2), [FSRCNN(width=16), FSRCNN(width=56)])

    def by_hand(width: int) -> int:
        pixels = 32 * 32
        body = 3 * width * 25 + width * 12 + 4 * 12 * 12 * 9 + 12 * width
        return pixels * (body + width * 3 * 81)

    assert multiply_adds(network, 32).per_patch == (by_hand(16), by_hand(56))


def given_seconds(monkeypatch: pytest.MonkeyPatch, seconds: tuple[tuple[float, ...], ...]) -> list[int]:
    """Lets the n-th run of each branch take what ``seconds`` says; returns whose turn it was, as it is measured."""
    made: list[Callable[[], object]] = []
    turns: list[int] = []

    def runner(branch: nn.Module, patches: torch.Tensor) -> Callable[[], object]:
        made.append(lambda: None)
        return made[-1]

    def timed(run: Callable[[], object]) -> float:
        branch = made.index(run)
        turns.append(branch)
        return seconds[branch][(turns.count(branch) - 1) % len(seconds[branch])]

    monkeypatch.setattr(calibrate, "_runner", runner)
    monkeypatch.setattr(calibrate, "_seconds", timed)
    return turns


def test_measured_costs_are_median_microseconds_per_patch(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = given_seconds(monkeypatch, ((0.8, 0.8, 90.0), (1.6, 1.6, 0.01)))
    costs = calibrate.measured_costs(small_network(classes=2), 32)
    assert costs == Costs((100_000, 200_000), "microseconds")
    assert turns[:6] == [0, 1, 0, 1, 0, 1], "branches take turns"


def test_a_branch_measured_to_be_no_slower_than_the_one_before_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given_seconds(monkeypatch, ((1.0,), (1.0,)))
    with pytest.raises(InputError, match="cost grows from the first to the last"):
        calibrate.measured_costs(small_network(classes=2), 32)


@torch.no_grad()
def test_what_is_timed_is_the_branch_on_several_patches() -> None:
    branch, patches = small_network(classes=2).branches[0], torch.rand(8, 3, 32, 32)
    (restored,) = calibrate._runner(branch, patches)()
    np.testing.assert_allclose(restored, branch(patches).numpy(), rtol=0, atol=2e-6)


def test_measuring_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    given_seconds(monkeypatch, ((1.0,), (2.0,)))
    network = small_network("CARN", classes=2)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    calibrate.measured_costs(network, 32)
    assert all(tensor.equal(before[name]) for name, tensor in network.state_dict().items())
    assert any(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def test_a_cost_file_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "costs.json"
    path.write_text(cost_text(COSTS, 32))
    assert read_costs(path, 32, 3) == COSTS


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"patch_size": 32}', '{"cost_per_patch": "many"}'])
def test_what_is_no_cost_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "costs.json"
    path.write_text(content)
    with pytest.raises(InputError, match="is no cost file"):
        read_costs(path, 32, 3)


@pytest.mark.parametrize(("patch_size", "classes"), [(48, 3), (32, 2)])
def test_costs_of_other_patches_or_branches_are_refused(
    tmp_path: Path, patch_size: int, classes: int
) -> None:
    path = tmp_path / "costs.json"
    path.write_text(json.dumps(json.loads(cost_text(COSTS, 32))))
    with pytest.raises(InputError, match="3 branches on 32-pixel patches"):
        read_costs(path, patch_size, classes)


def test_a_missing_cost_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"costs\.json cannot be read"):
        read_costs(tmp_path / "costs.json", 32, 3)
