"""Choosing which of a network's outputs the file returns."""

from __future__ import annotations

from torch import Tensor, nn
from torch.export import ExportedProgram

from passes.program import refresh
from passes.torch_internals.names import pytree
from tlcconvert.errors import InputError
from tlcconvert.network.eager_reference import tensors_of


def keep_output(program: ExportedProgram, index: int | None) -> int:
    """Removes every output but one, and what only the others needed; returns the index of the one kept.

    Args:
        index: position among the flattened outputs, negative from the end; None is allowed where there is one.

    Raises:
        InputError: several outputs and no index, or an index out of range.
    """
    output = program.graph.output_node()
    values = output.args[0]
    assert isinstance(values, (tuple, list))
    count = len(values)
    if index is None and count > 1:
        shapes = "; ".join(f"{number}: {_shape(value)}" for number, value in enumerate(values))
        raise InputError(
            f"The network returns {count} tensors ({shapes}): choose the final image with --output-index "
            "(output_index=) or keep all with --all-outputs (all_outputs=True)."
        )
    chosen = 0 if index is None else index
    if not -count <= chosen < count:
        raise InputError(f"There is no output {chosen}: the network returns {count}.")
    chosen %= count
    output.args = ((values[chosen],),)
    program.graph_signature.output_specs[:] = [program.graph_signature.output_specs[chosen]]
    signature = program.module_call_graph[0].signature
    assert signature is not None
    signature.out_spec = pytree.tree_structure(0)
    refresh(program)
    return chosen


def output_names(program: ExportedProgram) -> list[str]:
    """``output``, ``output_1``, ``output_2`` ... for what ``program`` returns."""
    values = program.graph.output_node().args[0]
    assert isinstance(values, (tuple, list))
    return ["output", *(f"output_{number}" for number in range(1, len(values)))]


class OneOutput(nn.Module):
    """A network reduced to one of its flattened outputs."""

    def __init__(self, network: nn.Module, index: int) -> None:
        super().__init__()
        self.network = network
        self.index = index

    def forward(self, *inputs: Tensor) -> Tensor:
        return tensors_of(self.network(*inputs))[self.index]


def _shape(value: object) -> str:
    tensor = getattr(value, "meta", {}).get("val")
    return "x".join(str(size) for size in getattr(tensor, "shape", ())) or "a number"
