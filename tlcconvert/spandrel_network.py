"""From a spandrel descriptor to one module whose inputs and outputs are what a user of the file expects.

The registry wraps some networks in a call of its own: MPRNet returns three images of which the first counts,
MixDehazeNet's values are shifted, DRUNet reads a noise level from an extra channel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from spandrel import MaskedImageModelDescriptor, ModelDescriptor
from torch import Tensor, nn

from tlcconvert.eager_reference import tensors_of
from tlcconvert.input_channels import input_channels_of
from tlcconvert.network_inputs import ExtraInput

_TRIAL_SIZE = 32
_TRIAL_BATCH = 2


@dataclass(frozen=True)
class SpandrelNetwork:
    """A module to convert, its inputs after the image, and which of its outputs is the image."""

    module: nn.Module
    input_channels: int
    extra_inputs: tuple[ExtraInput, ...] = ()
    output_index: int = 0


def network_of(descriptor: ModelDescriptor) -> SpandrelNetwork:
    """The module of ``descriptor``, inside the registry's call where that does more than pick an output."""
    model: nn.Module = descriptor.model.eval().float()
    channels = descriptor.input_channels
    if isinstance(descriptor, MaskedImageModelDescriptor):
        return SpandrelNetwork(model, channels, (ExtraInput("mask"),))
    if _reads_noise_level(descriptor):
        return SpandrelNetwork(NoiseLevelBeside(model), channels, (ExtraInput("noise_level"),))
    call: Callable[[Any, Tensor], Tensor] = descriptor._call_fn
    requirements = descriptor.size_requirements
    size = max(requirements.minimum, -(-_TRIAL_SIZE // requirements.multiple_of) * requirements.multiple_of)
    image = torch.rand(_TRIAL_BATCH, channels, size, size, generator=torch.Generator().manual_seed(0))
    outputs = _outputs(model, image)
    called = _outputs(lambda given: call(model, given), image)
    if not called:
        return SpandrelNetwork(model, channels if outputs else input_channels_of(model) or channels)
    for index, output in enumerate(outputs):
        if output.shape == called[0].shape and torch.equal(output, called[0]):
            return SpandrelNetwork(model, channels, output_index=index)
    return SpandrelNetwork(RegistryCall(model, call), channels)


class NoiseLevelBeside(nn.Module):
    """Makes the noise level an input of its own for a network that reads it from its last input channel.

    ``image`` is ``[N, C, H, W]``, ``noise_level`` ``[N, 1, H, W]`` a standard deviation in the image's units.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, noise_level: Tensor) -> Any:
        return self.network(torch.cat([image, noise_level], dim=1))


class RegistryCall(nn.Module):
    """A network inside the call its registry makes: shifted values, a normalisation, a fixed argument."""

    def __init__(self, network: nn.Module, call: Callable[[Any, Tensor], Tensor]) -> None:
        super().__init__()
        self.network = network
        self.call = call

    def forward(self, image: Tensor) -> Tensor:
        return self.call(self.network, image)


def _reads_noise_level(descriptor: ModelDescriptor) -> bool:
    if descriptor.architecture.id == "DRUNet":
        return True
    return descriptor.architecture.id == "DnCNN" and getattr(descriptor.model, "mode", "") == "FDnCNN"


def _outputs(network: Callable[[Tensor], Any], image: Tensor) -> tuple[Tensor, ...]:
    """What ``network`` returns for a clone of ``image``, or nothing if it raises."""
    try:
        with torch.no_grad():
            return tensors_of(network(image.clone()))
    except Exception:
        return ()
