"""Stops the construction of a network that has more weights than its file.

A registry reads the number of layers off the names in a file, and the numbers multiply: two names can ask for a
million layers. Every weight of a network must be in its file, so construction can end at the first one too many.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)

from tlcconvert.process_state.thread_block import ThreadBlock

_SPARE = 1_000
_PER_TENSOR = (
    4  # weights that are replaced while a network is made: by a norm of weights, a reparameterization
)
_MODULES_PER_TENSOR = 40


class TooManyWeights(Exception):
    """The network under construction has far more weights or modules than its file has tensors."""


@contextmanager
def bounded_construction(tensors: int) -> Iterator[None]:
    """While active, this thread can make the modules of a network whose file holds ``tensors`` tensors.

    Raises:
        TooManyWeights: from the constructor of the module that goes too far.
    """
    left = {"weights": _SPARE + _PER_TENSOR * tensors, "modules": _SPARE + _MODULES_PER_TENSOR * tensors}

    here = ThreadBlock()

    def count(kind: str) -> None:
        # PyTorch calls the hooks for what every thread makes.
        if not here:
            return
        left[kind] -= 1
        if left[kind] < 0:
            raise TooManyWeights(
                f"its names ask for a network of far more {kind} than the {tensors} tensors it holds"
            )

    def count_weight(module: nn.Module, name: str, weight: nn.Parameter) -> None:
        count("weights")

    def count_module(module: nn.Module, name: str, submodule: nn.Module) -> None:
        count("modules")

    with (
        here.entered(),
        register_module_parameter_registration_hook(count_weight),
        register_module_module_registration_hook(count_module),
    ):
        yield
