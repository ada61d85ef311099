"""The exported model as a stranger should receive it: small, plainly named, telling nothing of the machine.

Dead nodes go, axes are called batch, height and width, and what the exporter noted
about the source (stack traces with local paths, class names) is removed. What the file is, is written into
its metadata instead.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import onnx
import onnx_graphsurgeon as gs

from tlcconvert.errors import ConversionError
from tlcconvert.lower.external_weights import ExternalWeights
from tlcconvert.lower.map_sizes import keep_map_sizes


def tidy(
    model: onnx.ModelProto,
    axes: Mapping[str, str],
    metadata: Mapping[str, str],
    weights: ExternalWeights | None = None,
    *,
    has_map_sizes: bool = True,
) -> onnx.ModelProto:
    """A cleaned copy of ``model``, checked by onnx.

    Args:
        axes: what the symbols of the input's axes are called in the file, by the exporter's name.
        metadata: key and value pairs to store.
        weights: where the weights are if they are not part of the model.
        has_map_sizes: whether the sizes of maps stay in it.

    Raises:
        ConversionError: the model does not pass onnx's full check.
    """
    graph = gs.import_onnx(model)
    graph.cleanup(remove_unused_graph_inputs=False).toposort()
    clean = gs.export_onnx(graph, do_type_check=False)
    _forget_the_source(clean, axes)
    if has_map_sizes:
        keep_map_sizes(clean.graph)
    else:
        clean.graph.ClearField("value_info")
    _describe(clean, metadata)
    try:
        if weights is None:
            onnx.checker.check_model(clean, full_check=True)
        else:
            weights.check(clean)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ConversionError(f"The exported model is not valid ONNX: {error}") from error
    return clean


def _forget_the_source(model: onnx.ModelProto, axes: Mapping[str, str]) -> None:
    graph = model.graph
    graph.name = "tlcconvert"
    graph.doc_string = model.doc_string = ""
    del graph.metadata_props[:], model.metadata_props[:]
    for part in (*graph.node, *graph.initializer, *graph.input, *graph.output):
        part.doc_string = ""
        del part.metadata_props[:]
    for value, prefix in [(value, "") for value in graph.input] + [
        (value, "output_") for value in graph.output
    ]:
        for position, dim in enumerate(value.type.tensor_type.shape.dim):
            if dim.dim_param:
                dim.dim_param = _axis_name(dim.dim_param, axes, prefix, position)


def _axis_name(symbol: str, axes: Mapping[str, str], prefix: str, position: int) -> str:
    """``height``, a simple multiple such as ``2*height``, or ``output_height`` for anything longer."""
    renamed = re.sub(r"\w+", lambda word: axes.get(word.group(), word.group()), symbol)
    if re.fullmatch(r"(\d+\*)?[a-z_]+", renamed):
        return renamed
    return prefix + ("batch", "channels", "height", "width")[min(position, 3)]


def _describe(model: onnx.ModelProto, metadata: Mapping[str, str]) -> None:
    model.producer_name = "tlcconvert"
    model.producer_version = metadata.get("tlcconvert_version", "")
    model.domain = ""
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
