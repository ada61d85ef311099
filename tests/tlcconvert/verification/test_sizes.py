"""Sizes of a verification reach far, stay within the budget, and never claim equality where there is none."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from tlcconvert.verification.sizes import (
    MEMORY,
    REAL_SIZES,
    Plan,
    Purse,
    Reach,
    bracketing_sizes,
    planned,
    unchanged_sizes,
)

windows = st.tuples(st.integers(1, 600), st.integers(1, 600))


@given(windows)
def test_sizes_lie_below_at_and_above_the_window_with_two_batches(window: tuple[int, int]) -> None:
    sizes = [size for size, _ in bracketing_sizes(window)]
    assert (1, *window) in sizes
    assert any(height > window[0] and width > window[1] for _, height, width in sizes)
    assert any(height > window[0] and width <= window[1] for _, height, width in sizes)
    assert any(height <= window[0] and width > window[1] for _, height, width in sizes)
    assert {batch for batch, _, _ in sizes} == {1, 2}
    assert all(height >= 1 and width >= 1 for _, height, width in sizes)


@given(windows, st.integers(1, 700))
def test_only_sizes_that_change_nothing_are_compared_with_the_original(
    window: tuple[int, int], limit: int
) -> None:
    def is_unchanged(height: int, width: int) -> bool:
        return max(height, width) <= limit

    sizes = unchanged_sizes(window, (16, 24), is_unchanged)
    assert all(is_unchanged(*size[1:]) for size in sizes)
    assert not sizes or {size[0] for size in sizes} == {1, 2}


def test_a_network_without_such_a_size_gets_none() -> None:
    assert unchanged_sizes((48, 48), (16, 16), lambda height, width: False) == []


BUDGET = 3 * 10**11


def plan_of(
    per_pixel: int, window: tuple[int, int] | None, multiple: int = 1, bytes_per_pixel: int = 500
) -> tuple[Plan, Purse]:
    """The plan for a network of ``per_pixel`` multiply-adds whose structure asks for 100 x 90 pixels."""

    def cost(batch: int, height: int, width: int) -> int:
        return per_pixel * batch * height * width

    def peak_bytes(batch: int, height: int, width: int) -> int:
        return bytes_per_pixel * batch * height * width

    beyond = None if window is None else (window[0] + window[0] // 4 + 1, window[1] + window[1] // 4 + 1)
    purse = Purse(Reach((16, 24), (100, 90), beyond, cost, peak_bytes), BUDGET)
    return planned(purse.reach, purse, window, lambda extent: -(-extent // multiple) * multiple), purse


@given(st.integers(10**3, 10**8), windows, st.sampled_from([1, 8, 64]))
def test_the_budget_holds_whatever_the_network_costs(
    per_pixel: int, window: tuple[int, int], multiple: int
) -> None:
    # The two smallest images are compared in any case.
    assume(per_pixel * 3 * 64 * 64 < BUDGET)
    plan, purse = plan_of(per_pixel, window, multiple)
    assert purse.spent == sum(purse.reach.cost(*trial.size) for trial in plan.trials) <= BUDGET
    assert all(purse.reach.peak_bytes(*trial.size) <= MEMORY for trial in plan.trials)
    assert {trial.size[0] for trial in plan.trials} == {1, 2}
    assert {trial.is_photograph for trial in plan.trials} == {True, False}
    assert all(extent % multiple == 0 for trial in plan.trials for extent in trial.size[1:])
    assert all(trial.purpose for trial in plan.trials)


def test_a_cheap_network_is_compared_at_the_largest_size_people_run() -> None:
    plan, _ = plan_of(10**3, (48, 48))
    assert (1, *REAL_SIZES[0]) in [trial.size for trial in plan.trials]
    assert any(trial.size[1] >= 720 and trial.size[2] == 24 for trial in plan.trials)
    assert any(trial.size[2] >= 1280 and trial.size[1] == 16 for trial in plan.trials)
    assert plan.reaches_beyond_windows
    assert plan.notes == []


def test_of_the_sizes_people_run_the_largest_affordable_one_is_taken() -> None:
    taken = {
        per_pixel: [trial.size[1:] for trial in plan_of(per_pixel, None)[0].trials][-1]
        for per_pixel in (2 * 10**5, 4 * 10**5, 8 * 10**5, 16 * 10**5)
    }
    assert list(taken.values()) == list(REAL_SIZES)


def test_what_a_dear_network_is_not_compared_at_is_said() -> None:
    plan, purse = plan_of(15 * 10**6, (384, 384))
    assert not plan.reaches_beyond_windows
    assert any("256x384" in note and "1.5e+12 multiply-adds" in note for note in plan.notes)
    longest = [max(trial.size[1 + axis] for trial in plan.trials) for axis in (0, 1)]
    assert longest[0] >= 100
    assert longest[1] >= 90
    assert purse.spent <= purse.budget


def test_no_size_takes_more_memory_than_allowed() -> None:
    plan, _ = plan_of(1, None, bytes_per_pixel=2**13)
    assert (512, 768) not in [trial.size[1:] for trial in plan.trials]
    assert (360, 640) in [trial.size[1:] for trial in plan.trials]
