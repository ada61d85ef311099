"""Folding random programs of affine operations is never wrong and never costs a multiply-add."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch import fx
from torch.export import ExportedProgram

from passes.program import runnable
from tests.passes.fold.random_program import (
    CHANNELS,
    OPERATIONS,
    Instruction,
    empty_program,
    macs_per_pixel,
    rebuild,
)
from tlcconvert.pipeline import FOLD, SIMPLIFY, run_steps

SIZES = ((1, 1), (1, 2), (2, 3), (3, 5), (6, 4), (7, 8), (13, 11))
index = st.integers(0, 5)
instructions = st.lists(
    st.tuples(st.sampled_from(sorted(OPERATIONS)), index, index, st.integers(0, 10**6)),
    min_size=1,
    max_size=12,
)
counts = st.integers(1, 2)
seeds = st.integers(0, 2**16)


@pytest.fixture(scope="module")
def program() -> ExportedProgram:
    return empty_program()


class _RefusingEmpty(fx.Interpreter):
    def run_node(self, node: fx.Node) -> object:
        value = super().run_node(node)
        if isinstance(value, torch.Tensor) and not value.numel():
            raise RuntimeError("empty")
        return value


def _values(module: fx.Interpreter) -> dict[tuple[int, int], list[torch.Tensor]]:
    """Results on every size the program runs at."""
    found = {}
    for size in SIZES:
        x = torch.randn(2, CHANNELS, *size, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
        try:
            result = module.run(x)
        except RuntimeError:
            continue
        found[size] = list(result) if isinstance(result, tuple) else [result]
    return found


def check(program: ExportedProgram, steps: list[Instruction], outputs: int, seed: int) -> None:
    rebuild(program, steps, outputs, seed)
    before, macs = _values(_RefusingEmpty(runnable(program))), macs_per_pixel(program)
    run_steps(SIMPLIFY + FOLD, program)
    # A crop and the zeros after it may leave nothing in between on the smallest sizes.
    after = _values(fx.Interpreter(runnable(program)))
    for size, expected in before.items():
        assert size in after, f"the folded program no longer runs at {size}"
        for value, wanted in zip(after[size], expected, strict=True):
            assert value.shape == wanted.shape
            scale = max(1.0, float(wanted.abs().max()))
            assert float((value - wanted).abs().max()) <= 1e-9 * scale, f"at {size}"
    assert macs_per_pixel(program) <= macs * (1 + 1e-4), (macs_per_pixel(program), macs)


common = {"deadline": None, "print_blob": True, "suppress_health_check": list(HealthCheck)}


@example(steps=[("half", 0, 0, 0), ("convolution", 0, 0, 507)], outputs=1, seed=1)
@settings(max_examples=30, **common)
@given(steps=instructions, outputs=counts, seed=seeds)
def test_folding_is_exact_and_never_costs_more(
    program: ExportedProgram, steps: list[Instruction], outputs: int, seed: int
) -> None:
    check(program, steps, outputs, seed)


@pytest.mark.full
@settings(max_examples=500, **common)
@given(steps=instructions, outputs=counts, seed=seeds)
def test_five_hundred_random_programs(
    program: ExportedProgram, steps: list[Instruction], outputs: int, seed: int
) -> None:
    check(program, steps, outputs, seed)
