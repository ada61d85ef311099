"""The files a command reads: there before anything slow begins, and the network in them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tlcconvert.errors import InputError
from tlcconvert.shown_name import shown

if TYPE_CHECKING:
    from tlcconvert.network.network import Network
    from tlcconvert.options.pinned_as_text import Pinned
    from tlcconvert.stages import Progress


class AsksForNetwork(Protocol):
    """What tells where the network is: a file, or a function and its weights."""

    @property
    def model(self) -> Path | None: ...

    @property
    def factory(self) -> str | None: ...

    @property
    def weights(self) -> Path | None: ...

    @property
    def allow_pickle(self) -> bool: ...


def refuse_missing(inputs: Mapping[str, Path | None]) -> None:
    """Raises InputError where a file does not exist."""
    for path in filter(None, inputs.values()):
        if not os.path.lexists(path):
            raise InputError(f"{shown(path)} does not exist.")


def refuse_imported_code(outputs: Mapping[str, Path | None]) -> None:
    """A factory's module is an input too, and so is whatever it imports.

    Raises:
        InputError: an output would replace one.
    """
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    imported = {os.path.realpath(file) for file in files if isinstance(file, str)}
    for name, path in outputs.items():
        if path is not None and os.path.realpath(path) in imported:
            raise InputError(
                f"{name} {shown(path)} is code of the network: give the output a name of its own."
            )


def network_name(request: AsksForNetwork) -> str:
    """What the network is called: its file, or its factory."""
    return request.factory or str(request.model)


def loaded(request: AsksForNetwork, progress: Progress, pinned: Pinned = ()) -> Network:
    """The network asked for, inputs of an ONNX file ``pinned`` to numbers.

    Raises:
        InputError: it cannot be read.
    """
    from tlcconvert.load import load_factory, load_network

    progress("load")
    if request.factory is not None:
        return load_factory(request.factory, request.weights, allow_pickle=request.allow_pickle)
    assert request.model is not None
    return load_network(request.model, allow_pickle=request.allow_pickle, pinned=dict(pinned))
