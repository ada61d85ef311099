"""Extents that are the same are read once; those that only may be are not."""

from __future__ import annotations

import onnx_ir as ir

from tlcconvert.lower.shared_extents import share_extents

Dims = list[int | str | None]


def read(shape: Dims | None, start: int | None = None, end: int | None = None, name: str = "") -> ir.Node:
    """A ``Shape`` of a value of its own."""
    source = ir.Value(name=f"map{name}", shape=None if shape is None else ir.Shape(shape))
    given = {"start": start, "end": end}
    return ir.node("Shape", [source], {key: value for key, value in given.items() if value is not None})


def read_after_sharing(*shapes: ir.Node) -> list[ir.Node]:
    """What each of ``shapes`` is read from once they share."""
    readers = [ir.node("Neg", [shape.outputs[0]]) for shape in shapes]
    outputs = [reader.outputs[0] for reader in readers]
    inputs = [shape.inputs[0] for shape in shapes]
    graph = ir.Graph(inputs, outputs, nodes=[*shapes, *readers])  # type: ignore[arg-type]
    share_extents(graph)
    kept = [node for node in graph if node.op_type == "Shape"]
    sources = [reader.inputs[0].producer() for reader in readers]  # type: ignore[union-attr]
    assert all(source in kept for source in sources)
    assert len(kept) == len(set(map(id, sources)))
    return sources  # type: ignore[return-value]


def test_one_axis_of_two_maps() -> None:
    first, second = read(["n", 4, "h", "w"], 2, 3), read(["n", 8, "h", "w // 2"], 2, 3)
    assert read_after_sharing(first, second) == [first, first]


def test_two_axes_of_one_extent() -> None:
    first, second = read(["n", 4, "h", "h"], 2, 3), read(["n", 4, "h", "h"], 3)
    assert read_after_sharing(first, second) == [first, first]


def test_shapes_are_shared_as_a_whole() -> None:
    first, second, longer = read(["n", 4, "h"]), read(["n", 4, "h"]), read(["n", 4, "h", 1])
    assert read_after_sharing(first, second, longer) == [first, first, longer]


def test_other_extents_are_read_for_themselves() -> None:
    shapes = [
        read(["n", 4, "h", "w"], 2, 3),
        read(["n", 4, "h // 2", "w"], 2, 3),
        read(["n", 4, "h", "w"], 3),
    ]
    assert read_after_sharing(*shapes) == shapes


def test_extents_that_nothing_states_are_read_for_themselves() -> None:
    shapes = [read(["n", 4, None], 2), read(["n", 4, None], 2), read(None, 2), read(None, 2)]
    assert read_after_sharing(*shapes) == shapes
