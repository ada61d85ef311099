"""What the steps of a conversion work on: a program, and from the step ``lower`` on the model it was written as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import onnx
from torch.export import ExportedProgram

from tlcconvert.lower.external_weights import ExternalWeights
from tlcconvert.lower.forms import PORTABLE, Translations


@dataclass
class Draft:
    """A conversion in the making.

    Attributes:
        program: changed by the steps in place.
        weights: where the weights are once they are known to be too large for one file.
        metadata: what the file will say about itself.
        axes: what the file calls the symbols of the image, by the exporter's name.
        translations: the ONNX forms of operators the exporter has none for.
        has_map_sizes: whether the file states the sizes of its maps.
        model: None before ``lower``.
    """

    program: ExportedProgram
    weights: ExternalWeights | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    axes: Mapping[str, str] = field(default_factory=dict)
    translations: Translations = field(default_factory=lambda: PORTABLE)
    has_map_sizes: bool = False
    model: onnx.ModelProto | None = None

    @property
    def node_count(self) -> int:
        """Of the model if there is one, else of the program."""
        if self.model is not None:
            return len(self.model.graph.node)
        return len(self.program.graph.nodes)

    @property
    def text(self) -> str:
        """The program as Python with the shape of every value, or the model in ONNX's own notation."""
        if self.model is not None:
            return onnx.printer.to_text(_without_weights(self.model))
        return self.program.graph_module.print_readable(print_output=False)


def _without_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Weights as inputs of their shape: as numbers they would take more room than the graph."""
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    for weight in bare.graph.initializer:
        bare.graph.input.append(
            onnx.helper.make_tensor_value_info(weight.name, weight.data_type, weight.dims)
        )
    del bare.graph.initializer[:]
    return bare
