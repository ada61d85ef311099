"""The exporter runs a graph once more to promote types, unless it is kept from it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, fx, nn

from tlcconvert.torch_internals.promote_types_once import promote_types_once


class SumOfTypes(nn.Module):
    def forward(self, image: Tensor, count: Tensor) -> Tensor:
        return torch.relu(torch.relu(image)) + count


@contextmanager
def counted_runs(seen: list[str]) -> Iterator[None]:
    """Appends the operation of every node an fx interpreter computes to ``seen``."""
    original = fx.Interpreter.call_function

    def call_function(self, target, args, kwargs):  # type: ignore[no-untyped-def]
        seen.append(str(target))
        return original(self, target, args, kwargs)

    fx.Interpreter.call_function = call_function
    try:
        yield
    finally:
        fx.Interpreter.call_function = original


def exported(context: AbstractContextManager[None]) -> tuple[list[str], bytes]:
    """What the exporter computed again, and the model it wrote."""
    inputs = (torch.rand(1, 3, 8, 8), torch.ones(1, dtype=torch.int64))
    program = torch.export.export(SumOfTypes(), inputs).run_decompositions({})
    vars(program)["run_decompositions"] = lambda _: program
    seen: list[str] = []
    with context, counted_runs(seen), torch.no_grad():
        model = torch.onnx.export(program, dynamo=True, optimize=False, verbose=False)
    assert model is not None
    return seen, model.model_proto.graph.SerializeToString(deterministic=True)


def test_only_what_is_promoted_is_computed_again() -> None:
    seen, _ = exported(promote_types_once())
    assert "aten.relu.default" not in seen


def test_without_it_all_is() -> None:
    """Where this fails, the exporter reads the types from the graph by itself: delete the file and its use."""
    seen, _ = exported(nullcontext())
    assert seen.count("aten.relu.default") == 2


def test_the_model_is_the_same() -> None:
    assert exported(promote_types_once())[1] == exported(nullcontext())[1]
