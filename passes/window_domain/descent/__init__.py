"""From the image to every tensor of the graph: which of their axes still hold its pixels, and where.

    image [N, C, H, W]  --rule per operation-->  digits of every axis of every tensor computed from it

An operation without a rule ends the descent: what it makes holds no pixels, whatever its shape.
"""

from __future__ import annotations

import operator
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import fx

from passes.sizes import ImageSize, expression, shape_expressions
from passes.window_domain.axis import Axis
from passes.window_domain.descent.digits import Axes, Counts, Digits, channels, whole
from passes.window_domain.descent.operation import NoRule, Operation, Result, axes_by_shape
from passes.window_domain.descent.rules import rule_of
from passes.window_domain.descent.sampled import is_constant, sampled

_READ_NO_PIXELS = frozenset(
    f"{prefix}{kind}{suffix}"
    for prefix, suffix in (("new_", ""), ("", "_like"))
    for kind in ("zeros", "ones", "full", "empty", "rand", "randn")
) | {"sym_size", "sym_numel", "new_empty_strided", "scalar_tensor"}


def descend(graph: fx.Graph, image: ImageSize) -> Mapping[fx.Node, Result]:
    """The digits of every tensor that depends on an input; of several tensors, a list."""
    known: dict[fx.Node, Result] = {}
    inputs = _inputs(graph)
    for node in graph.nodes:
        if node.op == "placeholder" and node in inputs:
            known[node] = _with_extents(node, _input_axes(node, image))
        elif node.op == "call_function" and any(source in known for source in node.all_input_nodes):
            result = _result(Operation(node, image, known))
            if result is not None:
                known[node] = _with_extents(node, result) if isinstance(result, tuple) else result
    return known


def first_clash(
    graph: fx.Graph, image: ImageSize, known: Mapping[fx.Node, Result], maps: Mapping[fx.Node, Axes]
) -> fx.Node | None:
    """The first tensor that would no longer count what it does if nodes the same everywhere became ``maps``.

    Numbers spread over a map fit any order of pixels; once they differ from place to place they have one.
    """
    changed: dict[fx.Node, Result] = dict(maps)
    both = ChainMap(changed, dict(known))
    for node in graph.nodes:
        if node in maps or not any(source in changed for source in node.all_input_nodes):
            continue
        result = _result(Operation(node, image, both))
        if result is None:
            continue
        pairs = _pairs(known.get(node), result)
        if any(_is_firm(old) and old != new for old, new in pairs):
            return node
        if any(_is_firm(old) != _is_firm(new) or old != new for old, new in pairs):
            changed[node] = _with_extents(node, result) if isinstance(result, tuple) else result
    return None


def _pairs(old: Result | None, new: Result) -> list[tuple[Digits, Digits]]:
    if isinstance(old, tuple) and isinstance(new, tuple):
        return list(zip(old, new, strict=True))
    if isinstance(old, list) and isinstance(new, list):
        return [pair for a, b in zip(old, new, strict=True) if a and b for pair in zip(a, b, strict=True)]
    return []


def _is_firm(digits: Digits) -> bool:
    """Whether the tensor differs from place to place along an axis."""
    return not all(digit.is_free for digit in digits)


def _inputs(graph: fx.Graph) -> set[fx.Node]:
    """Placeholders of what a caller feeds: those whose shape holds a symbol."""
    return {
        node
        for node in graph.nodes
        if node.op == "placeholder" and isinstance(value := node.meta.get("val"), torch.Tensor)
        and any(isinstance(size, torch.SymInt) for size in value.shape)
    }  # fmt: skip


def _input_axes(node: fx.Node, image: ImageSize) -> Axes:
    """Rows and columns where the extent is the image's; an input of other extents is a map by its shape alone."""
    axes = []
    for size in shape_expressions(node):
        values = sampled(size, image)
        if size.free_symbols and size.free_symbols <= image.batch:
            axes.append(whole(Counts.IMAGES, values))
        elif size == image.height:
            axes.append(whole(Counts.ROWS, values))
        elif size == image.width:
            axes.append(whole(Counts.COLUMNS, values))
        elif is_constant(values):
            axes.append(channels(values))
        else:
            return axes_by_shape(node, image)
    return tuple(axes)


def _result(operation: Operation) -> Result | None:
    node = operation.node
    value = node.meta.get("val")
    if node.target is operator.getitem:
        source = operation.known.get(node.args[0])  # type: ignore[arg-type]
        index = node.args[1]
        axes = source[index] if isinstance(source, list) and isinstance(index, int) else None
        if axes is None and isinstance(value, torch.Tensor):
            return operation.ended_axes("made")
        return axes
    if operation.packet in _READ_NO_PIXELS:
        return None
    rule = rule_of(operation)
    try:
        if rule is None:
            raise NoRule
        return rule(operation)
    except NoRule:
        if isinstance(value, torch.Tensor):
            return operation.ended_axes("reordered or mixed")
        if isinstance(value, (tuple, list)):
            return [
                operation.ended_axes("reordered or mixed", [expression(size) for size in item.shape])
                if isinstance(item, torch.Tensor)
                else None
                for item in value
            ]
        return None


def _with_extents(node: fx.Node, axes: Axes) -> Axes:
    """A digit alone on its axis gets that as the place to ask for its extent."""
    return tuple(
        (replace(digits[0], extent=Axis(node, index)),) if len(digits) == 1 else digits
        for index, digits in enumerate(axes)
    )


__all__ = ["descend", "first_clash"]
