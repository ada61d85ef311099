"""Where a file is checked: sizes that together reach what the graph depends on, at a bounded cost.

    below, at and above the windows, odd and oblong, batches of 1 and 2     where they are cheap
    a long thin image along each axis                                      reaches far for little
    one size people run                                                    the largest that is affordable

The cost is counted in multiply-adds. Each size is run two or three times in float32 and, where float64 has to judge,
once more in double, which takes about five times as long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from tlcconvert import options
from tlcconvert.verification.compare import Trial

Size = tuple[int, int, int]
"""Batch, height and width in pixels."""

BUDGET = 3 * 10**11
"""Multiply-adds of one run at every size that is compared: about a minute and a half with float64 everywhere."""
MEMORY = 2 * 2**30
"""Bytes of feature maps in float32 that a size may take."""

REAL_SIZES = ((720, 1280), (512, 768), (360, 640), (256, 384))
"""Height and width of images people run."""
_WITHOUT_WINDOWS = (64, 64)


@dataclass(frozen=True)
class Reach:
    """What the extents of an image must exceed, in pixels of the image as the file takes it.

    Attributes:
        across: height and width a thin image has on its short axis.
        structure: height and width that exceed everything the network's own graph compares sizes with.
        windows: height and width that exceed the windows of all statistics too; None where nothing is local.
        cost: multiply-adds of one run at (batch, height, width).
        peak_bytes: of the feature maps alive at once there.
    """

    across: tuple[int, int]
    structure: tuple[int | None, int | None]
    windows: tuple[int | None, int | None] | None
    cost: Callable[[int, int, int], int]
    peak_bytes: Callable[[int, int, int], int]


@dataclass
class Purse:
    """What is left of the budget.

    Attributes:
        runs: how often the budget's one run is taken: 2 where the original network runs at the same sizes too.
    """

    reach: Reach
    budget: int
    runs: int = 1
    spent: int = 0

    def affords(self, size: Size, share: float = 1.0) -> bool:
        """Whether ``size`` fits the memory, what is left, and ``share`` of the whole budget."""
        cost = self.runs * self.reach.cost(*size)
        fits = cost <= min(self.budget - self.spent, share * self.budget)
        return fits and self.reach.peak_bytes(*size) <= MEMORY

    def pay(self, size: Size) -> None:
        self.spent += self.runs * self.reach.cost(*size)


@dataclass
class Plan:
    """Sizes to compare at.

    Attributes:
        trials: the file against the converted network.
        unchanged: the converted network against the original.
        notes: what could not be reached within the budget.
        reaches_beyond_windows: whether both axes of one image exceed every window.
    """

    trials: list[Trial] = field(default_factory=list)
    unchanged: list[Trial] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    reaches_beyond_windows: bool = False


def planned(
    reach: Reach,
    purse: Purse,
    window: tuple[int, int] | None,
    taken: Callable[[int], int],
) -> Plan:
    """The trials of a file against the network it was made from.

    Args:
        window: height and width of the largest window in pixels of the image; None where nothing is local.
        taken: the extent a file takes in the place of one that is asked for.
    """
    plan = Plan()

    def add(size: Size, purpose: str, is_photograph: bool = False) -> None:
        batch, height, width = size
        fitted = (batch, taken(height), taken(width))
        if any(trial.size == fitted and trial.is_photograph == is_photograph for trial in plan.trials):
            return
        if fitted[1] < height or fitted[2] < width:
            purpose = "as large as the file takes"
        purse.pay(fitted)
        plan.trials.append(Trial(fitted, purpose, is_photograph))

    _around_the_windows(plan, purse, window, taken, add)
    _thin(plan, purse, taken, add)
    _real(plan, purse, taken, add)
    beyond = reach.windows
    if beyond is not None:
        plan.reaches_beyond_windows = any(_exceeds(trial.size, beyond) for trial in plan.trials)
    return plan


Add = Callable[[Size, str, bool], None]


def _around_the_windows(
    plan: Plan, purse: Purse, window: tuple[int, int] | None, taken: Callable[[int], int], add: Add
) -> None:
    height, width = window or _WITHOUT_WINDOWS
    small = (2, min(height // 3 | 1, 33), min(width // 4 | 1, 45))
    add(small, "small, odd, batch 2", False)
    add((1, *small[1:]), "small, a photograph", True)
    for size, purpose in bracketing_sizes((height, width)):
        fitted = (size[0], taken(size[1]), taken(size[2]))
        if purse.affords(fitted, 1 / 20):
            add(fitted, purpose if window else _without_windows(size), False)


def _without_windows(size: Size) -> str:
    return f"batch {size[0]}" if size[0] > 1 else "odd and even, oblong"


def _thin(plan: Plan, purse: Purse, taken: Callable[[int], int], add: Add) -> None:
    """One image along each axis, as long as is affordable."""
    reach = purse.reach
    for axis, name in enumerate(("height", "width")):
        structure, windows = reach.structure[axis], reach.windows[axis] if reach.windows else None
        if structure is None:
            plan.notes.append(
                f"a map of the network is too small along its {name} at every size that was considered"
            )
            structure = taken(_WITHOUT_WINDOWS[axis])
        far = max(structure, windows or 0, REAL_SIZES[0][axis])
        beyond = f"{name} beyond {'the windows and ' if windows else ''}every size in the graph"
        choices = [(far, beyond, 1 / 8), (max(structure, windows or 0), beyond, 1 / 4)]
        choices.append((structure, f"{name} beyond every size in the graph but the windows", 1 / 4))
        for extent, purpose, share in choices:
            size = _along(axis, taken(extent), taken(reach.across[1 - axis]))
            if purse.affords(size, share):
                add(size, purpose, axis == 0)
                break
        else:
            label = _label(_along(axis, taken(structure), taken(reach.across[1 - axis])))
            plan.notes.append(
                f"{name} not proven beyond what the graph compares it with: {label} is over the budget"
            )


def _along(axis: int, extent: int, across: int) -> Size:
    return (1, extent, across) if axis == 0 else (1, across, extent)


def _real(plan: Plan, purse: Purse, taken: Callable[[int], int], add: Add) -> None:
    for height, width in REAL_SIZES:
        size = (1, taken(height), taken(width))
        if purse.affords(size, 3 / 4):
            add(size, "a size people run", True)
            return
    smallest = (1, taken(REAL_SIZES[-1][0]), taken(REAL_SIZES[-1][1]))
    plan.notes.append(
        f"no image of {_label(smallest)} or larger was compared: one run takes {purse.reach.cost(*smallest):.1e} "
        f"multiply-adds and {purse.reach.peak_bytes(*smallest) / 2**20:.0f} MB of feature maps"
    )


def _exceeds(size: Size, beyond: Sequence[int | None]) -> bool:
    return all(least is not None and extent >= least for extent, least in zip(size[1:], beyond, strict=True))


def _label(size: Size) -> str:
    return "x".join(map(str, size[1:]))


def bracketing_sizes(window: tuple[int, int]) -> list[tuple[Size, str]]:
    """(batch, height, width) below, at and above a window of the given pixels, and what each is for."""
    height, width = window
    tall, wide = (extent + extent // 4 + 1 | 1 for extent in window)
    sizes = {
        (2, height // 3 | 1, width // 4 | 1): "below the windows, batch 2",
        (1, height, width): "at the windows",
        (1, tall, wide + 2): "both axes beyond the windows",
        (2, height // 3 + 1, wide): "width beyond the windows, batch 2",
        (1, tall, width // 3 + 1): "height beyond the windows",
    }
    return list(sizes.items())


def unchanged_sizes(
    window: tuple[int, int], across: tuple[int, int], is_unchanged: Callable[[int, int], bool]
) -> list[Size]:
    """(batch, height, width) at which every statistic still covers its whole map; empty where there is none.

    A small oblong one with a batch of 2, thin ones as long as the windows, and the largest of the window's shape.

    Args:
        across: height and width of thin images on their short axis.
    """
    height, width = window
    for cut in range(min(height, width)):
        if is_unchanged(height - cut, width - cut):
            tall, wide = height - cut, width - cut
            sizes = [
                (2, min(tall // 2 + 1, 33), min(wide // 3 + 1, 45)),
                (1, tall, min(across[1], wide)),
                (1, min(across[0], tall), wide),
                (1, tall, wide),
            ]
            return [size for size in dict.fromkeys(sizes) if is_unchanged(*size[1:])]
    return []


def with_batch(sizes: Iterable[options.Size]) -> list[Size]:
    """``sizes`` with a batch of 1 where they have none."""
    return [size if len(size) == 3 else (1, *size) for size in sizes]
