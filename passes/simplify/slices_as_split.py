"""Slices that together are the whole of an axis become one split.

Given::

    x [N, C, H, W] ──► slice(x, d, 0, a)
                   ──► slice(x, d, a, b)
                   ──► slice(x, d, b, C)          # C a number; in any order, each as often as it is

Result::

    x ──► split_with_sizes(x, [a, b - a, C - b], d) ──► three items

The elements are the same. ONNX exporters write ``chunk`` as such slices; what looks for splits finds these too.
"""

from __future__ import annotations

import operator
from collections import defaultdict

import torch
from torch import fx
from torch.export import ExportedProgram

from passes.arguments import bound_arguments
from passes.emitter import Emitter, substitute
from passes.program import refresh, where
from passes.result import PassResult, Rewrite

aten = torch.ops.aten

_Part = tuple[int, int]
"""First element and the one after the last."""


def slices_as_split(program: ExportedProgram) -> PassResult:
    """Replaces every set of slices that cut one axis into parts without gap or overlap, in place."""
    siblings: dict[tuple[fx.Node, int], dict[fx.Node, _Part]] = defaultdict(dict)
    for node in program.graph.find_nodes(op="call_function", target=aten.slice.Tensor):
        found = _part(node)
        if found is not None:
            source, axis, part = found
            siblings[source, axis][node] = part
    rewrites = []
    for (source, axis), slices in siblings.items():
        parts = sorted(set(slices.values()))
        if len(parts) < 2 or not _are_the_whole(parts, int(source.meta["val"].shape[axis])):
            continue
        first = next(iter(slices))
        emit = Emitter(first)
        split = emit.call(aten.split_with_sizes.default, source, [end - start for start, end in parts], axis)
        items = {part: emit.call(operator.getitem, split, place) for place, part in enumerate(parts)}
        for node, part in slices.items():
            substitute(node, items[part])
        rewrites.append(Rewrite("slices", where(first), f"{len(slices)} slices", "1 split"))
    if rewrites:
        refresh(program)
    return PassResult(tuple(rewrites))


def _part(node: fx.Node) -> tuple[fx.Node, int, _Part] | None:
    """What ``node`` takes of which axis of what, if that is known in numbers."""
    arguments = bound_arguments(node)
    source, start, end = arguments["self"], arguments["start"] or 0, arguments["end"]
    axis = arguments["dim"] % source.meta["val"].dim()
    extent = source.meta["val"].shape[axis]
    end = extent if end is None else end
    if not all(isinstance(number, int) for number in (extent, start, end)) or arguments["step"] != 1:
        return None
    first, last, _ = slice(start, end).indices(extent)
    return (source, axis, (first, last)) if first < last else None


def _are_the_whole(parts: list[_Part], extent: int) -> bool:
    """Whether ``parts``, in order, begin at 0, follow each other and end at ``extent``."""
    ends = [0, *(end for _, end in parts)]
    starts = [*(start for start, _ in parts), extent]
    return starts == ends
