"""Where a guard breaks is found by its smallest shape, its minimum and its maximum."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from tlcconvert.capture.export_guards import Guards
from tlcconvert.network.network_inputs import NetworkInputs
from tlcconvert.sizes.size_requirements import SizeRequirements

_INPUTS = NetworkInputs(3)


class Doubled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 2


@pytest.fixture(scope="module")
def program() -> ExportedProgram:
    sizes = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    return torch.export.export(Doubled(), (torch.rand(2, 3, 40, 56),), dynamic_shapes=(sizes,))


def written(text: str) -> str:
    """``text`` with n, h and w for the extents of the batch."""
    return re.sub(r"\b[nhw]\b", lambda name: f"L['x'].size()[{'n hw'.index(name[0])}]", text)


@pytest.mark.parametrize(
    ("text", "multiple", "shape"),
    [
        ("h >= 1", 1, None),
        ("h != 3", 1, (1, 3, 1)),
        ("h % 2 == 0", 1, (1, 1, 1)),
        ("h % 2 == 0", 4, None),
        ("n <= 4", 1, (5, 4, 6)),
        ("h <= 100", 1, (1, 101, 2)),
        ("w < 3000", 8, (1, 8, 3000)),
        ("h * w <= 4096", 1, (1, 46, 91)),
        ("h != 300", 1, (1, 300, 2)),
        ("h // 4 != 75", 4, (1, 300, 8)),
        ("h != 123 or w != 77", 1, (1, 123, 77)),
        ("h < 50000", 1, (1, 50000, 2)),
    ],
)
def test_the_smallest_shape_that_breaks_a_guard_is_found(
    program: ExportedProgram, text: str, multiple: int, shape: tuple[int, int, int] | None
) -> None:
    guards = Guards(program, _INPUTS, [written(text)])
    (guard,) = guards.conditions
    found = guards.smallest_break(guard, SizeRequirements(multiple, multiple))
    if "*" in text:
        # Of the shapes with one pixel too many any will do.
        assert found is not None and 4096 < found[1] * found[2] < 4300
    else:
        assert found == shape


@pytest.mark.parametrize(
    ("text", "multiple", "minimum", "maximum"),
    [
        ("h >= 81", 1, 81, None),
        ("h >= 81", 8, 88, None),
        ("h <= 512", 1, None, 512),
        ("w <= 513", 8, None, 512),
        ("h * w > 4096", 1, 65, None),
        ("h * w <= 4096", 1, None, 64),
        ("torch.sym_max(h, w) > 100", 1, 101, None),
        ("h % 2 == 1", 1, None, None),
        ("h % 8 != 0", 1, None, None),
        ("h != w", 1, None, None),
        ("h > 1500", 1, None, None),
    ],
)
def test_the_minimum_and_the_maximum_at_which_a_guard_holds(
    program: ExportedProgram, text: str, multiple: int, minimum: int | None, maximum: int | None
) -> None:
    guards = Guards(program, _INPUTS, [written(text)])
    (guard,) = guards.conditions
    requirements = SizeRequirements(multiple, multiple)
    assert guards.minimum_for(guard, requirements, 1) == minimum
    assert guards.maximum_for(guard, requirements, 1) == maximum


def test_what_cannot_be_read_is_kept_with_the_reason(program: ExportedProgram) -> None:
    guards = Guards(program, _INPUTS, ["L['x'].stride()[0] == 1"])
    assert not guards.conditions
    (text,) = guards.unreadable
    assert text == "L['x'].stride()[0] == 1 (it has L['x'].stride()[0])"


class EveryOperation(nn.Module):
    """Branches on sizes in every way the exporter writes down."""

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        checks = (
            height // 2 * 2 != width % 7,
            min(height, width) > 3,
            max(height, width) < 3000,
            height / width < 1,
            int(height / 2) > 4,
            height * width > 100 or height == 7,
            height**2 > width,
            round(height / 3) < width,
            -(-height // 8) < width,
        )
        return x * sum(checks)


def test_every_guard_of_a_network_that_branches_in_every_way_can_be_read() -> None:
    sizes = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    program = torch.export.export(EveryOperation(), (torch.rand(2, 3, 40, 57),), dynamic_shapes=(sizes,))
    guards = Guards(program, _INPUTS)
    assert len(guards.conditions) > 5
    assert not guards.unreadable
    assert not guards.broken_at((2, 40, 57))
