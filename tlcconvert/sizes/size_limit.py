"""Makes a file refuse images larger than it is proven for, in whatever runtime it runs.

Given      x [N, C, H, W] -> network -> y

Result     x [N, C, H, W] -> reshape(x, [N, C, min(H, maximum), min(W, maximum)]) -> network -> y

The reshape changes nothing up to the maximum and copies nothing. Beyond it, the number of elements differs, which
every runtime refuses.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.export import ExportedProgram

from passes.emitter import place_new_nodes
from passes.program import refresh, user_inputs
from passes.result import PassResult, Rewrite
from tlcconvert.errors import InputError
from tlcconvert.sizes.size_requirements import SizeRequirements

_ATEN = torch.ops.aten


def limit_sizes(program: ExportedProgram, maximum: int) -> PassResult:
    """Adds the reshape in front of everything that reads the image, in place.

    Args:
        maximum: largest height and width in pixels.
    """
    image = user_inputs(program)[0]
    readers = list(image.users)
    graph = program.graph
    known = set(graph.nodes)
    with graph.inserting_before(user_inputs(program)[-1].next):
        sizes = [graph.call_function(_ATEN.sym_size.int, (image, axis)) for axis in range(4)]
        limited = [graph.call_function(torch.sym_min, (size, maximum)) for size in sizes[2:]]
        checked = graph.call_function(
            _ATEN.reshape.default, (image, [sizes[0], image.meta["val"].shape[1], *limited])
        )
    checked.meta["val"] = image.meta["val"]
    for reader in readers:
        reader.replace_input_with(image, checked)
    place_new_nodes(graph, known, "size_limit")
    refresh(program)
    return PassResult((Rewrite("image sizes", "<root>", "every size", f"up to {maximum} pixels on a side"),))


def refuse_larger(sizes: Sequence[tuple[int, ...]], requirements: SizeRequirements) -> None:
    """
    Args:
        sizes: of images in pixels; the last two numbers are height and width.

    Raises:
        InputError: one is larger than the file takes.
    """
    if requirements.maximum is None:
        return
    for size in sizes:
        if max(size[-2:]) > requirements.maximum:
            raise InputError(
                f"The network is not proven for images of more than {requirements.maximum} pixels on a side, "
                f"so no file is made or checked at {'x'.join(map(str, size))}."
            )
