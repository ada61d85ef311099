"""The ONNX file a network was read from: what the converted file takes over from it, and itself to compare with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import nn


@dataclass(frozen=True)
class SourceFile:
    """A file that is to be replaced by the converted one.

    Attributes:
        image_name: its first input.
        output_names: of all outputs.
        metadata: what it says of itself.
        opened: loads it in onnxruntime, in float32; called like the network, and returns what that does.
    """

    image_name: str
    output_names: tuple[str, ...]
    opened: Callable[[], nn.Module]
    metadata: Mapping[str, str] = field(default_factory=dict)
