"""Converts image-restoration networks to verified ONNX files with local statistics and folded branches."""

from tlcconvert.conversion import Conversion
from tlcconvert.convert import convert
from tlcconvert.errors import (
    CaptureError,
    ConversionError,
    InputError,
    ParityError,
    StrictError,
)
from tlcconvert.network_inputs import ExtraInput
from tlcconvert.parity import Comparison, Parity
from tlcconvert.pixels import Pixels
from tlcconvert.routing_options import RoutingOptions
from tlcconvert.target import Target
from tlcconvert.verify import verify

__all__ = [
    "CaptureError",
    "Comparison",
    "Conversion",
    "ConversionError",
    "ExtraInput",
    "InputError",
    "Parity",
    "ParityError",
    "Pixels",
    "RoutingOptions",
    "StrictError",
    "Target",
    "convert",
    "verify",
]
