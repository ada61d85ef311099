"""Capturing, running and counting small programs for the fold tests."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import nn
from torch.export import Dim, ExportedProgram

from passes.program import runnable
from passes.result import PassResult
from tlcconvert.pipeline import FOLD, SIMPLIFY, run_steps

CONVOLUTIONS = {torch.ops.aten.conv2d.default, torch.ops.aten.conv2d.padding}


def capture(module: nn.Module, channels: int = 4, dtype: torch.dtype = torch.float32) -> ExportedProgram:
    """``module`` in the mode it is in, with batch, height and width symbolic."""
    dynamic = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    example = torch.randn(2, channels, 24, 26, dtype=dtype)
    return torch.export.export(module, (example,), dynamic_shapes=(dynamic,)).run_decompositions({})


@dataclass(frozen=True)
class Folded:
    """A program before and after ``simplify`` and ``fold``, and what they reported."""

    module: nn.Module
    program: ExportedProgram
    result: PassResult

    def convolutions(self) -> list[torch.fx.Node]:
        return convolutions(self.program)

    def reasons(self) -> str:
        return " | ".join(skipped.reason for skipped in self.result.skipped)


def folded(module: nn.Module, channels: int = 4, dtype: torch.dtype = torch.float32) -> Folded:
    """Captures, simplifies and folds a copy of ``module``."""
    program = capture(copy.deepcopy(module), channels, dtype)
    result = run_steps(SIMPLIFY + FOLD, program)
    return Folded(module, program, result)


def convolutions(program: ExportedProgram) -> list[torch.fx.Node]:
    return [node for node in program.graph.nodes if node.target in CONVOLUTIONS]


def operations(program: ExportedProgram) -> list[str]:
    return [str(node.target) for node in program.graph.nodes if node.op == "call_function"]


def largest_error(
    work: Folded, channels: int = 4, sizes: tuple[tuple[int, int], ...] = ((1, 1), (2, 3), (3, 1), (8, 11))
) -> float:
    """Largest difference to eager, relative to the largest value, over ``sizes`` with a batch of 3."""
    after, errors = runnable(work.program), []
    generator = torch.Generator().manual_seed(1)
    for size in sizes:
        x = torch.randn(3, channels, *size, generator=generator)
        with torch.no_grad():
            expected, actual = work.module(x), after(x)
        assert actual.shape == expected.shape
        errors.append(float((actual - expected).abs().max() / expected.abs().max().clamp(min=1e-30)))
    return max(errors)


def macs_of_last_run(program: ExportedProgram, channels: int, size: tuple[int, int]) -> int:
    """Multiply-adds of all convolutions when the program runs on one image of ``size``."""
    counted = 0

    class Counter(torch.fx.Interpreter):
        def run_node(self, node: torch.fx.Node) -> object:
            nonlocal counted
            value = super().run_node(node)
            if node.target in CONVOLUTIONS:
                weight = self.env.get(node.args[1])
                counted += value.shape[0] * value.shape[2] * value.shape[3] * weight.numel()
            return value

    with torch.no_grad():
        Counter(runnable(program), garbage_collect_values=False).run(torch.randn(1, channels, *size))
    return counted
