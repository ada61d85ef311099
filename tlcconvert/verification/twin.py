"""The twin of a converted network: the same graph with windows so small that an image beyond them costs little.

Large windows make images beyond them dear: one of 400 x 400 pixels takes a published RCAN a minute. The twin is the
same captured and folded program, made local for a small train size and written by the same steps. Its file differs
from the real one in the numbers that are windows; what holds for statistics on both axes of the one holds for
the other. Whether it does differ in numbers only is looked at, not assumed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import onnx
from onnxruntime import InferenceSession
from torch import fx

from passes.localize import FeatureMap, LocalSite, Training
from passes.sizes import ImageSize

_LEAST_WINDOW = 3
"""Pixels per axis: a window of one is no statistic."""


@dataclass(frozen=True)
class Twin:
    """A network converted for a smaller train size.

    Attributes:
        converted: in PyTorch.
        model: as a file.
        open_session: loads the model.
    """

    converted: fx.GraphModule
    model: onnx.ModelProto
    open_session: Callable[[], InferenceSession]


def small_train_size(
    sites: Sequence[LocalSite], training: Training, ratio: float, multiple: int, image: ImageSize
) -> tuple[int, int] | None:
    """The smallest square crop, a multiple of ``multiple``, for which every window is a window on both axes.

    None where that is not smaller than the crop the network was trained on.
    """
    limit = min(training.train_size)
    for extent in range(multiple * -(-8 // multiple), limit, multiple):
        own = Training.on_crops((extent, extent), ratio, multiple)
        maps = (FeatureMap.of(site.map.height, site.map.width, image, own) for site in sites)
        if all(min(map_.window) >= _LEAST_WINDOW for map_ in maps):
            return extent, extent
    return None


def differs_in_numbers_only(model: onnx.ModelProto, other: onnx.ModelProto) -> bool:
    """Whether both graphs have the same operators, attributes and connections, and differ in constants alone.

    The lengths of a pool of means are such: windows are averaged in blocks.
    """
    return _structure(model.graph) == _structure(other.graph)


def _structure(graph: onnx.GraphProto) -> list[tuple[object, ...]]:
    """Each node with the positions of what it reads; what is no node's result is a number or an input."""
    positions = {value.name: f"input {index}" for index, value in enumerate(graph.input)}
    nodes: list[tuple[object, ...]] = []
    for index, node in enumerate(graph.node):
        positions |= {name: f"{index}.{number}" for number, name in enumerate(node.output)}
        if node.op_type == "Constant":
            nodes.append(("Constant",))
            continue
        reads = tuple(positions.get(name, "number" if name else "") for name in node.input)
        nodes.append((node.op_type, reads, *_attributes(node)))
    return nodes


def _attributes(node: onnx.NodeProto) -> Iterator[object]:
    for attribute in node.attribute:
        if node.op_type == "AveragePool" and attribute.type == onnx.AttributeProto.INTS:
            yield attribute.name, len(attribute.ints)
        elif attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.name, tuple(_structure(attribute.g))
        else:
            yield attribute.name, attribute.SerializeToString()
