"""Reading the parts of a split map where they stand in it, so that the split itself is not computed."""

from __future__ import annotations

from typing import Any

from onnxscript import ir


def channels(x: ir.Value) -> int:
    """C of a map [N, C, H, W]."""
    assert x.shape is not None
    return int(x.shape[1])  # type: ignore[arg-type]  # channels are static


def in_place(maps: list[ir.Value]) -> list[tuple[ir.Value, int]]:
    """The map to read each of ``maps`` from, and its first channel there.

    That is the map it was split from if it and its siblings in ``maps`` are equal parts that make up the
    whole; else itself, from channel 0.
    """
    origins = [_origin(x) for x in maps]

    def source(index: int) -> tuple[ir.Value, int]:
        whole, first = origins[index]
        parts = [channels(x) for x, (origin, _) in zip(maps, origins, strict=True) if origin is whole]
        makes_up_whole = sum(parts) == channels(whole) and len(set(parts)) == 1
        return (whole, first) if makes_up_whole else (maps[index], 0)

    return [source(index) for index in range(len(maps))]


def _origin(x: ir.Value) -> tuple[ir.Value, int]:
    """The map x was split from along the channels and the first channel of x in it; else x and 0."""
    item = x.producer()
    if item is None or len(item.inputs) != 2 or item.inputs[0] is None:
        return x, 0
    split = item.inputs[0].producer()
    if split is None or split.op_type != "SplitToSequence" or split.attributes["axis"].as_int() != 1:
        return x, 0
    whole, index, sizes = split.inputs[0], _constant(item.inputs[1]), _constant(split.inputs[1])
    if whole is None or index is None or index < 0 or sizes is None:
        return x, 0
    return whole, int(index * sizes if sizes.ndim == 0 else sizes[: int(index)].sum())


def _constant(x: ir.Value | None) -> Any:
    tensor = ir.convenience.get_const_tensor(x) if x is not None else None
    return None if tensor is None else tensor.numpy()
