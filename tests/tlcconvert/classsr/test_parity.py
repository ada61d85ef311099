"""The verification of a routed graph: what it forgives and what it does not."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from tests.tlcconvert.classsr.classsr_networks import small_network
from tlcconvert.classsr.costs import Costs
from tlcconvert.classsr.parity import cases_of, compare
from tlcconvert.classsr.patches import Grid, crop
from tlcconvert.classsr.routing import BudgetedImage, RoutedImage

GRID = Grid(32, 28)


@pytest.fixture
def routed() -> RoutedImage:
    return RoutedImage(small_network(), GRID).eval()


def failed(candidate: RoutedImage, reference: RoutedImage) -> set[str]:
    """What was compared with a difference in at least one case."""
    parity = compare(candidate, reference, cases_of(reference), "candidate / reference")
    return {row.what for row in parity.comparisons if not row.passed}


def test_a_network_passes_against_itself_in_every_case(routed: RoutedImage) -> None:
    assert failed(routed, routed) == set()
    controlled = BudgetedImage(routed.network, GRID, Costs((1, 2, 3), "microseconds"))
    assert failed(controlled, controlled) == set()


def test_another_choice_of_classes_fails_although_the_image_fits_it(routed: RoutedImage) -> None:
    class Moved(RoutedImage):
        def choose(self, patches: Tensor) -> Tensor:
            return (super().choose(patches) + 1) % 3

    assert failed(Moved(routed.network, GRID), routed) == {"class map, candidate / reference"}


@torch.no_grad()
def test_a_branch_that_computes_something_else_fails_although_the_classes_are_right(
    routed: RoutedImage,
) -> None:
    other = copy.deepcopy(routed)
    for branch in other.network.branches:
        branch.conv_last.bias += 1e-3
    assert failed(other, routed) == {"candidate / reference"}


@torch.no_grad()
def test_either_class_is_right_where_two_logits_are_equal_to_rounding(routed: RoutedImage) -> None:
    last = routed.network.classifier.lastOut
    last.weight[1] = last.weight[0]
    last.bias[1] = last.bias[0]

    class Undecided(RoutedImage):
        def choose(self, patches: Tensor) -> Tensor:
            classes = super().choose(patches)
            return torch.where(classes == 0, 1, classes)

    patches = crop(torch.rand(1, 3, 60, 60), GRID)
    assert not torch.equal(Undecided(routed.network, GRID).choose(patches), routed.choose(patches))
    assert failed(Undecided(routed.network, GRID), routed) == set()


def test_a_file_that_cannot_run_fails_with_the_reason(routed: RoutedImage) -> None:
    def broken(image: Tensor) -> tuple[Tensor, Tensor]:
        raise RuntimeError("no such operator")

    parity = compare(broken, routed, cases_of(routed), "candidate / reference")
    assert not any(row.passed for row in parity.comparisons)
    assert parity.comparisons[0].note == "it raises RuntimeError: no such operator"
