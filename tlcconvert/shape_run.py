"""Whether a network accepts a size, told by the shapes of its tensors alone.

A network made for images of 512x512 takes seconds and gigabytes to refuse 1024x1024: the layer that objects is often
the last one. On tensors without values every operation checks and infers shapes, and nothing is computed.
"""

from __future__ import annotations

import copy
import re
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from tlcconvert.network_inputs import NetworkInputs

_READS_VALUES = re.compile(r"data.?dependent|DynamicOutputShape", re.IGNORECASE)


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

    def objection(self, height: int, width: int, batch: int) -> str:
        """What the network raises at images of this size in pixels, or ``""``."""
        try:
            with self._mode, torch.no_grad():
                self._network(*(torch.empty(shape) for shape in self._inputs.sizes(batch, height, width)))
        except Exception as error:
            return first_line(error)
        return ""


def reads_values(objection: str) -> bool:
    """Whether a shape run ended where Python code asked for the value of a tensor."""
    return bool(_READS_VALUES.search(objection))


def first_line(error: BaseException) -> str:
    """The type of an error and the first line of what it says, without a full stop."""
    lines = (str(error).strip() or type(error).__name__).splitlines()
    return f"{type(error).__name__}: {lines[0].rstrip('.')}"
