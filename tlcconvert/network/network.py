"""A network, and what is known of it beside its code."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import nn
from torch.export import ExportedProgram

from tlcconvert.network.network_inputs import ExtraInput
from tlcconvert.network.pixels import Pixels
from tlcconvert.network.source_file import SourceFile


@dataclass(frozen=True)
class Network:
    """A network and what its file and the registry say about it.

    Attributes:
        module: the network in float32, in evaluation mode; or the exported program.
        architecture: its name in the registry, or ``""``.
        input_channels, output_channels: of the image, or None where nothing says.
        scale: output size over input size, or 0 where nothing says.
        multiple, minimum: what the registry says height and width must be a multiple of and at least; 1 and 0
            where it says nothing.
        output_index: which output is the restored image, or None where nothing says.
        pixels: what the image's values mean.
        extra_inputs: inputs after the image.
        sha256: of the file, hexadecimal, or ``""`` if there is none.
        source_file: the ONNX file it was read from; None where it was another.
    """

    module: nn.Module | ExportedProgram
    architecture: str = ""
    input_channels: int | None = None
    output_channels: int | None = None
    scale: int = 0
    multiple: int = 1
    minimum: int = 0
    output_index: int | None = None
    pixels: Pixels = field(default_factory=Pixels)
    extra_inputs: tuple[ExtraInput, ...] = field(default=())
    sha256: str = ""
    source_file: SourceFile | None = None
