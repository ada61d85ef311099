"""Replaces global statistics by local ones.

Given::

    x [N, C, H, W] --global mean--> s [N, C, 1, 1] --squeeze path--> a [N, C, 1, 1]
    x -----------------------------------------------------------------> x * a

Result::

    x --tlc::local_mean--> S [N, C, H', W'] --the same path per window--> A --tlc::replicate--> [N, C, H, W]
    x -------------------------------------------------------------------------------------------> x * A

with H' = H - min(H, window_height) + 1, likewise W'. Where the map fits its window, H' = W' = 1 and nothing
has changed. The method is the Test-time Local Converter (Improving Image Restoration by Revisiting Global
Information Aggregation, ECCV 2022); which operation a statistic passes through does not matter as long as a
rule of :mod:`passes.window_domain.rules` carries it over.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from torch import fx
from torch.export import ExportedProgram

from passes.emitter import Emitter
from passes.localize import meets_pixels
from passes.localize.audit import audit
from passes.localize.global_forms import unify_global_forms
from passes.localize.nested import separate_nested
from passes.localize.squeeze_path import SqueezePath, ancestors_within, squeeze_paths
from passes.operators.grid_nodes import spacing
from passes.program import refresh, where
from passes.result import PassResult, Rewrite, Skipped
from passes.simplify.common_subexpressions import share_common_subexpressions
from passes.sizes import ImageSize, image_size
from passes.statistics import STATISTICS, match
from passes.statistics.statistic import Found, Whole
from passes.window_domain.door import Door, Doorway
from passes.window_domain.layout import PixelLayout, PixelLayouts, pixel_layouts
from passes.window_domain.lifted import Grid, Lifted, NotLiftable, aten
from passes.window_domain.rules import Site, Value, lift
from passes.window_domain.window import FeatureMap, Training


@dataclass(frozen=True, kw_only=True)
class LocalSite(Rewrite):
    """A statistic that has become local, and the map it is taken over."""

    map: FeatureMap


@dataclass(frozen=True, kw_only=True)
class Localized(PassResult):
    """What localising did; ``skipped`` are the statistics that are still global, with the reason.

    Attributes:
        image: the symbols the maps' extents are written in.
        training: the crop and the window in pixels of the image.
    """

    image: ImageSize
    training: Training

    @property
    def sites(self) -> tuple[LocalSite, ...]:
        """The statistics that are local now."""
        return tuple(rewrite for rewrite in self.rewrites if isinstance(rewrite, LocalSite))

    def is_unchanged_at(self, height: int, width: int) -> bool:
        """Whether the network still computes what it did for an image of ``height x width`` pixels."""
        return all(site.map.fits(self.image, height, width) for site in self.sites)


def localize(program: ExportedProgram, training: Training) -> Localized:
    """Makes every global statistic of ``program`` local, in place, or says why not.

    Args:
        program: functional ATen graph with a symbolic height and width.
        training: the crop the network was trained on and the window it implies.

    Raises:
        ValueError: the program has no image input with symbolic height and width.
    """
    image = image_size(program)
    prepared = unify_global_forms(program) + separate_nested(program)
    graph = program.graph
    layouts = pixel_layouts(graph, image)
    sites: list[LocalSite] = []
    for statistic in STATISTICS:
        if statistic.whole is not None:
            sites += _localize_whole(statistic.whole, graph, layouts, image, training)
    if sites:
        refresh(program)
        layouts = pixel_layouts(graph, image)
    skipped: dict[fx.Node, Skipped] = {}
    doors = [door for node in graph.nodes if (door := match(node, layouts)) is not None]
    for path in squeeze_paths(graph, doors, image):
        _localize_path(path, graph, layouts, image, training, sites, skipped)
    shared = share_common_subexpressions(graph)
    refresh(program)
    return Localized(
        rewrites=(*prepared.rewrites, *sites, *shared.rewrites),
        skipped=(*skipped.values(), *audit(program, skipped).skipped),
        image=image,
        training=training,
    )


def _localize_whole(
    whole: Whole, graph: fx.Graph, layouts: PixelLayouts, image: ImageSize, training: Training
) -> list[LocalSite]:
    """Replaces what does something to pixels by their statistics, as one."""
    sites = []
    for node in list(graph.nodes):
        found = whole.match(node, layouts, image)
        if found is None:
            continue
        grid = _grid(found.layout, image, training)
        ratio = grid.ratio if whole.has_grid_form else None
        whole.localize(found, grid.map, layouts, ratio)
        sites.append(_site(found, grid.map, ratio))
    return sites


def _localize_path(
    path: SqueezePath,
    graph: fx.Graph,
    layouts: PixelLayouts,
    image: ImageSize,
    training: Training,
    sites: list[LocalSite],
    skipped: dict[fx.Node, Skipped],
) -> None:
    """Lifts a squeeze path; a door that reaches something no rule covers is left out and the rest tried again."""
    blocked: dict[fx.Node, Skipped] = {}
    while len(blocked) < len(path.doors):
        before = set(graph.nodes)
        try:
            local = _lifted(path, blocked.keys(), layouts, image, training)
        except _Blocked as stop:
            _take_back(graph, before)
            doors = ancestors_within(stop.node, path) - blocked.keys()
            for door in doors:
                blocked[door] = _left_global(path.doors[door], stop)
            continue
        _rewire(path, local.values, layouts)
        sites.extend(local.sites)
        break
    skipped.update(blocked)


def _take_back(graph: fx.Graph, before: Collection[fx.Node]) -> None:
    """Erases what an attempt wrote that was given up: a rule may find out half-way that it does not apply."""
    for node in reversed(graph.nodes):
        if node not in before:
            graph.erase_node(node)


class _Blocked(Exception):
    """A window-side node that could not be lifted."""

    def __init__(self, node: fx.Node, reason: str) -> None:
        super().__init__(reason)
        self.node = node


def _left_global(door: Door, stop: _Blocked) -> Skipped:
    at = "" if stop.node is door.node else f" at {stop.node.name} ({where(stop.node)})"
    return Skipped(door.kind, where(door.node), f"{stop}{at}")


@dataclass(frozen=True)
class _Local:
    values: dict[fx.Node, Value]
    sites: list[LocalSite]


def _lifted(
    path: SqueezePath,
    blocked: Collection[fx.Node],
    layouts: PixelLayouts,
    image: ImageSize,
    training: Training,
) -> _Local:
    """Local counterparts of every statistic of the path that no blocked door reaches alone."""
    values: dict[fx.Node, Value] = {}
    sites: list[LocalSite] = []
    for node in path.statistics:
        emit = Emitter(node)
        try:
            if node in path.doors:
                if node in blocked:
                    continue
                door = path.doors[node]
                grid = _grid(door.layout, image, training)
                if not door.has_grid_form:
                    grid = replace(grid, ratio=None)
                values[node] = door.local(Doorway(door, emit, grid))
                sites.append(_site(door, grid.map, grid.ratio))
            elif any(source in values for source in node.all_input_nodes):
                values[node] = lift(Site(node, emit, values, image))
        except NotLiftable as reason:
            raise _Blocked(node, str(reason)) from None
    for node in path.meetings:
        _check_meeting(node, values, layouts)
    meetings = {node: _statistics(node, values) for node in path.meetings}
    try:
        meets_pixels.check_order(meetings, layouts)
    except meets_pixels.Disorder as reason:
        raise _Blocked(reason.node, str(reason)) from None
    return _Local(values, sites)


def _statistics(node: fx.Node, values: dict[fx.Node, Value]) -> dict[fx.Node, Value]:
    return {source: values[source] for source in node.all_input_nodes if source in values}


def _check_meeting(node: fx.Node, values: dict[fx.Node, Value], layouts: PixelLayouts) -> None:
    statistics = _statistics(node, values)
    if not statistics or node.target is aten.sym_size.int:
        return
    if node.op == "output":
        raise _Blocked(node, "the network returns it as it is, one vector per image")
    try:
        meets_pixels.check(node, layouts, statistics)
    except NotLiftable as reason:
        raise _Blocked(node, str(reason)) from None


def _rewire(path: SqueezePath, values: dict[fx.Node, Value], layouts: PixelLayouts) -> None:
    """Lets the nodes on the pixel side use the local statistics."""
    replicas: meets_pixels.Replicas = {}
    for node in path.meetings:
        statistics = {
            source: value
            for source in node.all_input_nodes
            if isinstance(value := values.get(source), Lifted)
        }
        if not statistics:
            continue
        if node.target is aten.sym_size.int:
            _ask_local_batch(node, next(iter(statistics.values())))
        else:
            meets_pixels.meet(node, layouts[node], statistics, Emitter(node), replicas)


def _ask_local_batch(node: fx.Node, lifted: Lifted) -> None:
    """A size asked of the statistic is its batch; reading it there would keep the global one alive."""
    if node.args[1] == 0:
        node.replace_all_uses_with(Emitter(node).size(lifted.node, 0))


def _grid(layout: PixelLayout, image: ImageSize, training: Training) -> Grid:
    height, width = layout.height, layout.width
    map_ = FeatureMap.of(height.size, width.size, image, training, layout.part)
    ratio = training.nodes_per_window
    if ratio is not None and all(spacing(window, ratio) == 1 for window in map_.window):
        ratio = None
    return Grid(map_, height, width, ratio=ratio)


def _site(door: Door | Found, map_: FeatureMap, ratio: int | None = None) -> LocalSite:
    feature, window = (f"{height}x{width}" for height, width in (map_.feature_size, map_.window))
    return LocalSite(
        kind=door.kind,
        where=where(door.node),
        before=str(door.node.target),
        after=f"window {window}" if ratio is None else f"window {window}, {ratio} nodes each",
        note=f"feature {feature} at train size",
        map=map_,
    )


__all__ = ["LocalSite", "Localized", "localize"]
