"""The sizes of feature maps as a model states them, each expression under one short name.

Where a map's size is computed from shapes, as local statistics do, onnxruntime cannot tell that two summands are of
one size, and does not fuse their sum into the convolution before it. A tenth of a NAFNet's time hangs on it.
"""

from __future__ import annotations

import onnx


def keep_map_sizes(graph: onnx.GraphProto) -> None:
    """Leaves ``graph`` the shapes of maps [N, C, H, W] with symbolic H and W, and no other value's."""
    maps = [value for value in graph.value_info if _is_map(value)]
    names: dict[str, str] = {}
    for value in maps:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param:
                dim.dim_param = names.setdefault(dim.dim_param, f"size_{len(names)}")
    del graph.value_info[:]
    graph.value_info.extend(maps)


def _is_map(value: onnx.ValueInfoProto) -> bool:
    dims = value.type.tensor_type.shape.dim
    is_known = all(dim.HasField("dim_param") or dim.HasField("dim_value") for dim in dims)
    return len(dims) == 4 and is_known and bool(dims[2].dim_param and dims[3].dim_param)
