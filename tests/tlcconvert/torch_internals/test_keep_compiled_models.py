"""torch's export of bytecode forgets every compiled model, unless it is kept from it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, fx, nn
from torch.export import Dim, ExportedProgram

from tlcconvert.torch_internals.keep_compiled_models import keep_compiled_models


class Halves(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return image[..., : image.shape[-1] // 2] * image.shape[-2]


class BranchesOnPixels(Halves):
    def forward(self, image: Tensor) -> Tensor:
        return super().forward(image) if image.mean() > 0 else image


def exported(width: int) -> ExportedProgram:
    shapes = ({2: Dim.DYNAMIC, 3: Dim.DYNAMIC},)
    return torch.export.export(Halves(), (torch.rand(1, 3, 7, width),), dynamic_shapes=shapes, strict=True)


def compilations_around_an_export(context: AbstractContextManager[None]) -> int:
    count = 0

    def backend(graph: fx.GraphModule, _: Any) -> Callable[..., Any]:
        nonlocal count
        count += 1
        return graph.forward

    model = torch.compile(nn.Conv2d(3, 3, 1), backend=backend)
    model(torch.rand(1, 3, 8, 8))
    with context:
        exported(20)
    model(torch.rand(1, 3, 8, 8))
    torch.compiler.reset()
    return count


def test_a_compiled_model_stays_compiled() -> None:
    assert compilations_around_an_export(keep_compiled_models()) == 1


def test_without_it_the_model_is_compiled_again() -> None:
    """Where this fails, PyTorch leaves compiled models alone by itself: delete the file and its use."""
    assert compilations_around_an_export(nullcontext()) == 2


def test_what_was_traced_before_or_failed_to_be_changes_no_graph() -> None:
    forgetful = [exported(width) for width in (20, 30)]
    with keep_compiled_models():
        with pytest.raises(RuntimeError, match="Data-dependent"):
            torch.export.export(BranchesOnPixels(), (torch.rand(1, 3, 7, 20),), strict=True)
        kept = [exported(width) for width in (20, 30, 20)]
    expected = [str(program.graph) for program in (*forgetful, forgetful[0])]
    assert [str(program.graph) for program in kept] == expected


@pytest.mark.parametrize("context", [keep_compiled_models, nullcontext])
def test_asked_for_outside_of_a_conversion_models_are_forgotten(context: Any) -> None:
    with context():
        pass
    model = torch.compile(nn.ReLU(), backend="eager")
    model(torch.rand(2))
    torch.compiler.reset()
    with torch.compiler.set_stance("fail_on_recompile"), pytest.raises(RuntimeError):
        model(torch.rand(2))
