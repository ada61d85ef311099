"""Choosing which of a network's outputs the file returns."""

from __future__ import annotations

from torch.export import ExportedProgram
from torch.utils import _pytree as pytree

from passes.program import refresh
from tlcconvert.errors import InputError


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
            "(output_index= in Python)."
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


def _shape(value: object) -> str:
    tensor = getattr(value, "meta", {}).get("val")
    return "x".join(str(size) for size in getattr(tensor, "shape", ())) or "a number"
