"""What one patch costs on each branch, in integers: multiply-adds, or measured microseconds."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from passes.torch_internals.names import FakeTensorMode
from tlcconvert.architectures.classsr import ClassSR
from tlcconvert.errors import InputError

_LARGEST = 2**22  # of a cost in units: times 2**20 patches and 2**20 budget steps it fits an int64


@dataclass(frozen=True)
class Costs:
    """Cost of one patch per branch, and what it is counted in.

    Attributes:
        per_patch: of the first branch to the last.
        unit: ``"multiply-adds"`` or ``"microseconds"``.

    Raises:
        InputError: the costs do not increase from branch to branch.
    """

    per_patch: tuple[int, ...]
    unit: str

    def __post_init__(self) -> None:
        units = self.units
        if any(low >= high for low, high in zip((0, *units), units, strict=False)):
            raise InputError(
                "A budget needs branches whose cost grows from the first to the last; these cost "
                f"{', '.join(map(str, self.per_patch))} {self.unit} per patch."
            )

    @property
    def units(self) -> tuple[int, ...]:
        """``per_patch`` over its greatest common divisor, rounded up to at most 2**22 steps."""
        divisor = math.gcd(*self.per_patch)
        divisor = max(divisor, -(-max(self.per_patch) // _LARGEST))
        return tuple(-(-cost // divisor) for cost in self.per_patch)


def multiply_adds(network: ClassSR, patch_size: int) -> Costs:
    """Multiply-adds of the convolutions of each branch on one patch, counted without running them."""
    counts = []
    for branch in network.branches:
        with FakeTensorMode(allow_non_fake_inputs=True), FlopCounterMode(display=False) as counter:
            branch(torch.empty(1, network.colors, patch_size, patch_size))
        counts.append(counter.get_total_flops() // 2)
    return Costs(tuple(counts), "multiply-adds")


def read_costs(path: Path, patch_size: int, classes: int) -> Costs:
    """What a cost file says, as :func:`cost_text` wrote it.

    Raises:
        InputError: no such file, or it was measured for other branches or patches.
    """
    try:
        content = json.loads(path.read_text())
        measured_size = content["patch_size"]
        costs = Costs(tuple(int(cost) for cost in content["cost_per_patch"]), str(content["unit"]))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is no cost file; --calibrate writes one.") from error
    if (measured_size, len(costs.per_patch)) != (patch_size, classes):
        raise InputError(
            f"{path} holds costs of {len(costs.per_patch)} branches on {measured_size}-pixel patches; this network "
            f"has {classes}, on {patch_size}-pixel patches."
        )
    return costs


def cost_text(costs: Costs, patch_size: int) -> str:
    """The content of a cost file, JSON."""
    content = {"unit": costs.unit, "patch_size": patch_size, "cost_per_patch": list(costs.per_patch)}
    return json.dumps(content, indent=2) + "\n"
