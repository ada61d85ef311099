"""Squeeze paths: which doors and window-side operations belong together.

The window side of a door is everything computed from its statistic that still is one vector per image. Doors
whose window sides touch form one path, which is localised as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from torch import fx

from passes.program import tensors_in
from passes.sizes import ImageSize, expression
from passes.window_domain.door import Door


@dataclass
class SqueezePath:
    """Doors, everything of the window side (the doors too) and the nodes where it meets pixels, in graph order."""

    doors: dict[fx.Node, Door] = field(default_factory=dict)
    statistics: list[fx.Node] = field(default_factory=list)
    meetings: list[fx.Node] = field(default_factory=list)


def squeeze_paths(graph: fx.Graph, doors: Iterable[Door], image: ImageSize) -> list[SqueezePath]:
    """The paths of all doors, in graph order of their first node."""
    by_node = {door.node: door for door in doors}
    owner: dict[fx.Node, SqueezePath] = {}
    for node in graph.nodes:
        sources = [owner[source] for source in node.all_input_nodes if source in owner]
        if node in by_node:
            path = owner[node] = SqueezePath()
            path.doors[node] = by_node[node]
            path.statistics.append(node)
        elif sources and is_window_side(node, image):
            path = _merged(sources, owner)
            path.statistics.append(node)
            owner[node] = path
    order = {node: index for index, node in enumerate(graph.nodes)}
    unique = list({id(path): path for path in owner.values()}.values())
    for path in unique:
        path.statistics = sorted(path.statistics, key=order.__getitem__)
        users = {user for node in path.statistics for user in node.users}
        path.meetings = sorted(users.difference(path.statistics), key=order.__getitem__)
    return unique


def is_window_side(node: fx.Node, image: ImageSize) -> bool:
    """Whether what ``node`` makes of a statistic is tensors without a pixel axis."""
    if node.op != "call_function":
        return False
    values = tensors_in(node)
    return bool(values) and not any(
        image.spatial_axes(expression(size) for size in value.shape) for value in values
    )


def _merged(parts: list[SqueezePath], owner: dict[fx.Node, SqueezePath]) -> SqueezePath:
    """One path out of several; every node of the others now belongs to it."""
    first, *rest = {id(part): part for part in parts}.values()
    for part in rest:
        first.doors |= part.doors
        first.statistics += part.statistics
        for node in part.statistics:
            owner[node] = first
    return first


def ancestors_within(node: fx.Node, path: SqueezePath) -> set[fx.Node]:
    """The doors of ``path`` whose statistic reaches ``node``."""
    inside = set(path.statistics)
    reached: set[fx.Node] = set()
    seen: set[fx.Node] = set()
    pending = [node]
    while pending:
        current = pending.pop()
        if current in seen:
            continue
        seen.add(current)
        if current in path.doors:
            reached.add(current)
        elif current is node or current in inside:
            pending.extend(current.all_input_nodes)
    return reached
