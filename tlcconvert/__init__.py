"""Converts image-restoration networks to verified ONNX files with local statistics and folded branches.

What is public is imported when it is first asked for: the command line has to be ready for signals before torch is
imported, which takes seconds.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tlcconvert.conversion import Conversion
    from tlcconvert.convert import convert
    from tlcconvert.diagnose import diagnose
    from tlcconvert.diagnosis.diagnosis import Diagnosis
    from tlcconvert.dtype import Dtype
    from tlcconvert.errors import (
        CaptureError,
        ConversionError,
        InputError,
        ParityError,
        StrictError,
    )
    from tlcconvert.network.network_inputs import ExtraInput
    from tlcconvert.network.pixels import Pixels
    from tlcconvert.options import RoutingOptions
    from tlcconvert.output.metadata_schema import Metadata, read_metadata
    from tlcconvert.target import Target
    from tlcconvert.verification.parity import Comparison, Parity
    from tlcconvert.verify import verify

__all__ = [
    "CaptureError",
    "Comparison",
    "Conversion",
    "ConversionError",
    "Diagnosis",
    "Dtype",
    "ExtraInput",
    "InputError",
    "Metadata",
    "Parity",
    "ParityError",
    "Pixels",
    "RoutingOptions",
    "StrictError",
    "Target",
    "convert",
    "diagnose",
    "read_metadata",
    "verify",
]

_HOMES = {
    "Conversion": "conversion",
    "convert": "convert",
    "Diagnosis": "diagnosis.diagnosis",
    "diagnose": "diagnose",
    "Dtype": "dtype",
    "CaptureError": "errors",
    "ConversionError": "errors",
    "InputError": "errors",
    "ParityError": "errors",
    "StrictError": "errors",
    "ExtraInput": "network.network_inputs",
    "Metadata": "output.metadata_schema",
    "read_metadata": "output.metadata_schema",
    "Comparison": "verification.parity",
    "Parity": "verification.parity",
    "Pixels": "network.pixels",
    "RoutingOptions": "options",
    "Target": "target",
    "verify": "verify",
}


class _Package(ModuleType):
    """A package whose functions are not hidden by modules of the same name, such as ``convert`` and ``verify``."""

    def __getattr__(self, name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{self.__name__}.{_HOMES[name]}"), name)
        setattr(self, name, value)
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        # Importing a module makes it an attribute of its package.
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *_HOMES})


sys.modules[__name__].__class__ = _Package
