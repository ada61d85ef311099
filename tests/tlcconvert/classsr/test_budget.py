"""Classes chosen within a budget: never above it, never an upgrade short, and the best for what is spent."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tlcconvert.classsr.budget import classes_within
from tlcconvert.classsr.costs import Costs
from tlcconvert.errors import InputError

COSTS = Costs((468, 1079, 1600), "multiply-adds")
BUDGETS = [0.001, 0.2925, 0.3, 0.4, 0.5, 0.6, 0.7, 0.85, 0.999, 1.0]


def drawn_logits(images: int, patches: int, classes: int = 3, seed: int = 0) -> torch.Tensor:
    return torch.randn(images, patches, classes, generator=torch.Generator().manual_seed(seed))


def spent(classes: torch.Tensor, costs: Costs) -> int:
    return sum(costs.per_patch[index] for index in classes.flatten().tolist())


def choose(budget: float, logits: torch.Tensor, costs: Costs = COSTS) -> torch.Tensor:
    return classes_within(torch.tensor(budget), logits, costs)


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("patches", [1, 2, 7, 700])
def test_the_budget_is_kept_and_used_up_to_one_upgrade(budget: float, patches: int) -> None:
    for image in choose(budget, drawn_logits(3, patches)):
        allowed = Fraction(float(torch.tensor(budget))) * patches * COSTS.per_patch[-1]
        least = patches * COSTS.per_patch[0]
        cost = spent(image, COSTS)
        assert cost <= max(allowed, least)
        dearest_step = max(high - low for low, high in itertools.pairwise(COSTS.per_patch))
        step_of_the_budget = Fraction(patches * COSTS.per_patch[-1], 2**20)
        assert (image == 2).all() or max(allowed, least) - cost < dearest_step + step_of_the_budget


@pytest.mark.parametrize("budget", BUDGETS)
def test_an_image_gets_the_same_classes_whatever_else_is_in_its_batch(budget: float) -> None:
    logits = drawn_logits(4, 30)
    together = choose(budget, logits)
    for index in range(4):
        assert torch.equal(choose(budget, logits[index : index + 1])[0], together[index])


def test_the_whole_budget_puts_every_patch_on_the_last_branch_and_more_is_no_more() -> None:
    logits = drawn_logits(2, 50)
    assert (choose(1.0, logits) == 2).all()
    assert torch.equal(choose(7.0, logits), choose(1.0, logits))


def test_more_budget_never_lowers_the_class_of_a_patch() -> None:
    logits = drawn_logits(2, 200)
    for less, more in itertools.pairwise(sorted(BUDGETS)):
        assert (choose(less, logits) <= choose(more, logits)).all()


def test_among_equal_patches_the_first_are_upgraded() -> None:
    classes = choose(0.5, torch.zeros(1, 40, 3))[0]
    assert torch.equal(classes, classes.sort(descending=True).values)
    assert classes[0] > classes[-1]


def test_a_middle_branch_that_pays_less_than_the_last_is_passed_over() -> None:
    """One patch at most is caught half way, where the budget ends."""
    logits = torch.tensor([0.0, -5.0, 1.0]).expand(1, 100, 3) + 0.01 * drawn_logits(1, 100)
    for budget in BUDGETS:
        assert (choose(budget, logits) == 1).sum() <= 1


def test_a_budget_is_spent_even_where_the_classifier_sees_no_need() -> None:
    assert (choose(1.0, torch.tensor([[[5.0, 0.0, -5.0]]])) == 2).all()


@settings(max_examples=60, deadline=None)
@given(
    patches=st.integers(1, 4),
    classes=st.integers(2, 4),
    budget=st.floats(2**-6, 1, width=32),
    lowest_slope=st.sampled_from([0.0, -0.3]),
    seed=st.integers(0, 9999),
)
def test_nothing_better_can_be_had_for_what_is_spent(
    patches: int, classes: int, budget: float, lowest_slope: float, seed: int
) -> None:
    """Against all assignments that cost the same; or less, where no upgrade scores worse.

    Each patch's logits are concave in cost, so that every step is one of its hull.
    """
    generator = torch.Generator().manual_seed(seed)
    per_patch = torch.randint(1, 30, (classes,), generator=generator).cumsum(0)
    slopes = (
        torch.rand(patches, classes - 1, generator=generator).add(lowest_slope).sort(descending=True).values
    )
    gains = (slopes * per_patch.diff()).cumsum(1)
    logits = torch.cat([torch.zeros(patches, 1), gains], dim=1)
    costs = Costs(tuple(per_patch.tolist()), "multiply-adds")
    chosen = choose(budget, logits[None], costs)[0]

    def worth(assignment: tuple[int, ...]) -> float:
        return sum(float(logits[patch, index]) for patch, index in enumerate(assignment))

    def is_rival(assignment: tuple[int, ...]) -> bool:
        saved = spent(chosen, costs) - sum(costs.per_patch[index] for index in assignment)
        return saved == 0 or (saved > 0 and lowest_slope == 0)

    rivals = filter(is_rival, itertools.product(range(classes), repeat=patches))
    assert worth(tuple(chosen.tolist())) >= max(map(worth, rivals)) - 1e-3


def test_logits_beyond_any_range_keep_the_budget() -> None:
    logits = 1e30 * drawn_logits(1, 60)
    assert spent(choose(0.6, logits), COSTS) <= 0.6 * 60 * COSTS.per_patch[-1]


@pytest.mark.parametrize("per_patch", [(10, 10, 20), (20, 10, 30), (0, 1, 2)])
def test_costs_that_do_not_grow_are_refused(per_patch: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="cost grows from the first to the last"):
        Costs(per_patch, "microseconds")


def test_costs_are_reduced_but_keep_their_ratios() -> None:
    assert Costs((1000, 2500, 4000), "multiply-adds").units == (2, 5, 8)
    huge = Costs((3 * 10**9 + 1, 7 * 10**9, 2 * 10**10), "multiply-adds")
    for unit, cost in zip(huge.units, huge.per_patch, strict=True):
        assert unit / huge.units[-1] == pytest.approx(cost / huge.per_patch[-1], rel=1e-5)
    assert huge.units[-1] <= 2**22
