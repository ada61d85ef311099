"""Strips of a fixed number of rows or columns that a program cuts from a map of any size.

    rows = slice(x, 2, 0, 32)          x [N, C, H, W]

An export from PyTorch to ONNX that turned ``int(H / 2)`` into a number has such strips, and is right at the size
of its example alone. A cyclic shift has them at every size:

    cat(slice(x, 2, 4, end), slice(x, 2, 0, 4))
"""

from __future__ import annotations

import torch
from torch import fx
from torch.export import ExportedProgram

from passes.arguments import bound_arguments
from passes.program import where
from passes.sizes import image_size, shape_expressions

aten = torch.ops.aten
_SHOWN = 3


def fixed_strips(program: ExportedProgram) -> str:
    """A sentence that names where ``program`` cuts strips which stay as they are while their map grows, or ``""``."""
    image = image_size(program)
    named: dict[str, str] = {}
    for node in program.graph.find_nodes(op="call_function", target=aten.slice.Tensor):
        axis = bound_arguments(node)["dim"]
        source = node.all_input_nodes[0]
        before, after = shape_expressions(source)[axis], shape_expressions(node)[axis]
        if image.is_spatial(before) and after.is_Integer and not _is_of_a_shift(node):
            height, width = image.grows_with_height(before), image.grows_with_width(before)
            grown = "height" if height and not width else "width" if width and not height else "size"
            named.setdefault(where(node), f"{after} of it at node {where(node)!r} whatever the {grown}")
    if not named:
        return ""
    more = f"; and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
    return "the file cuts a map at a fixed place, " + "; ".join(list(named.values())[:_SHOWN]) + more


def _is_of_a_shift(node: fx.Node) -> bool:
    """Whether ``node`` and what is left beside it are joined again in the other order, and nothing else is done."""
    if len(node.users) != 1:
        return False
    joined = next(iter(node.users))
    if joined.target is not aten.cat.default:
        return False
    parts = bound_arguments(joined)["tensors"]
    is_cut = [
        isinstance(part, fx.Node)
        and part.target is aten.slice.Tensor
        and part.args[0] is node.args[0]
        and bound_arguments(part)["dim"] == bound_arguments(node)["dim"]
        for part in parts
    ]
    starts = [bound_arguments(part)["start"] or 0 for part, own in zip(parts, is_cut, strict=True) if own]
    return len(parts) == 2 and all(is_cut) and isinstance(starts[1], int) and starts[1] == 0
