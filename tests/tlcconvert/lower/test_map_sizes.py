"""A model keeps the sizes of its feature maps, equal ones under equal names, and no other shapes."""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper

from tlcconvert.lower.map_sizes import keep_map_sizes


def test_maps_keep_their_shapes_under_short_names() -> None:
    shapes: dict[str, list[object]] = {
        "feature": ["s0", 8, "(s1 + 7)//8", "(s2 + 7)//8"],
        "product": ["s0", 8, "(s1 + 7)//8", "(s2 + 7)//8"],
        "interior": ["s0", 8, "(s1 + 7)//8 - Min(5, (s1 + 7)//8) + 1", 1],
        "larger": ["s0", 8, "s1", "s2"],
        "vector": ["s0", 8],
        "weights": [8, 8, 1, 1],
        "unknown": ["s0", 8, None, "s2"],
    }
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    graph = helper.make_graph([], "g", [], [], value_info=values)
    keep_map_sizes(graph)
    kept = {value.name: dims(value) for value in graph.value_info}
    assert kept.keys() == {"feature", "product", "larger"}
    assert kept["feature"] == kept["product"] == ["size_0", 8, "size_1", "size_2"]
    assert kept["larger"] == ["size_0", 8, "size_3", "size_4"]


def dims(value: onnx.ValueInfoProto) -> list[object]:
    return [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
