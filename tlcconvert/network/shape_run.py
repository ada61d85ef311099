"""Whether a network accepts a size, told by the shapes of its tensors alone.

A network made for images of 512x512 takes seconds and gigabytes to refuse 1024x1024: the layer that objects is often
the last one. On tensors without values every operation checks and infers shapes, and nothing is computed.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from passes.torch_internals.names import FakeTensorMode
from tlcconvert.errors import first_line
from tlcconvert.network.eager_reference import tensors_of
from tlcconvert.network.network_inputs import NetworkInputs

_READS_VALUES = re.compile(r"data.?dependent|DynamicOutputShape", re.IGNORECASE)


@dataclass(frozen=True)
class Accepted:
    """What one run at one size showed: whether the network accepts it, the shape of each output, why not."""

    shapes: tuple[tuple[int, ...], ...] = ()
    reason: str = ""

    def __bool__(self) -> bool:
        return not self.reason


def outcome_of(outputs: tuple[Tensor, ...]) -> Accepted:
    """What the shapes of ``outputs`` tell; a network that returns nothing, or an empty map, accepts no such image."""
    if not outputs:
        return Accepted(reason="it returns no tensor")
    if any(output.numel() == 0 for output in outputs):
        return Accepted(reason="it returns an empty output")
    return Accepted(tuple(tuple(int(size) for size in output.shape) for output in outputs))


class ShapeRun:
    """Runs a copy of a network, which shares no weights with it, on shapes.

    What it refuses is to be believed only if it accepts a size at which the network itself was seen to run: code
    that reads the values of a tensor fails here at every size.

    Raises:
        Exception: the network cannot be copied; whatever ``copy.deepcopy`` raises.
    """

    def __init__(self, network: nn.Module, inputs: NetworkInputs) -> None:
        self._inputs = inputs
        self._mode = FakeTensorMode(allow_non_fake_inputs=True)
        memo: dict[int, Any] = {id(weight): self._mode.from_tensor(weight) for weight in network.parameters()}
        self._network = copy.deepcopy(network, memo)

    def __call__(self, height: int, width: int, batch: int) -> Accepted:
        """What the network makes of images of this size in pixels, or raises."""
        try:
            with self._mode, torch.no_grad():
                images = (torch.empty(shape) for shape in self._inputs.sizes(batch, height, width))
                return outcome_of(tensors_of(self._network(*images)))
        except Exception as error:
            return Accepted(reason=first_line(error))


def shape_run(network: nn.Module, inputs: NetworkInputs) -> ShapeRun | None:
    """``network`` on shapes, unless copying it without its weights fails: shapes only save time."""
    try:
        return ShapeRun(network, inputs)
    except Exception:
        return None


def reads_values(objection: str) -> bool:
    """Whether a shape run ended where Python code asked for the value of a tensor."""
    return bool(_READS_VALUES.search(objection))
