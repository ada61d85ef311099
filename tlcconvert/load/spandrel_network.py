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

from tlcconvert.machine.out_of_memory import is_out_of_memory
from tlcconvert.network.eager_reference import tensors_of
from tlcconvert.network.input_channels import input_channels_of
from tlcconvert.network.network_inputs import ExtraInput
from tlcconvert.torch_internals.spandrel_registry import call_of

_TRIAL_SIZE = 32
_TRIAL_BATCH = 2
_LARGE_SIZE = 128


@dataclass(frozen=True)
class SpandrelNetwork:
    """A module to convert, its inputs after the image, and which of its outputs is the image."""

    module: nn.Module
    input_channels: int
    extra_inputs: tuple[ExtraInput, ...] = ()
    output_index: int = 0


@dataclass(frozen=True)
class RegistryRun:
    """What running a descriptor once on a small image showed.

    Attributes:
        ran: the module itself ran.
        called: the registry's call of it ran.
        output_index: which output of the module the registry's call returns, or None where it returns none of them.
        writes: the module writes into the image it is given.
    """

    ran: bool
    called: bool
    output_index: int | None = None
    writes: bool = False


def run_of(descriptor: ModelDescriptor[Any]) -> RegistryRun:
    """Runs ``descriptor`` where what its registry does to it cannot be told without.

    Raises:
        MemoryError: or a RuntimeError that says so, if there is not enough memory for it.
    """
    if isinstance(descriptor, MaskedImageModelDescriptor) or _reads_noise_level(descriptor):
        return RegistryRun(ran=True, called=True, output_index=0)
    model: nn.Module = descriptor.model.eval().float()
    call = call_of(descriptor)
    requirements = descriptor.size_requirements
    size = max(requirements.minimum, -(-_TRIAL_SIZE // requirements.multiple_of) * requirements.multiple_of)
    batch = _TRIAL_BATCH if size <= _LARGE_SIZE else 1
    shape = (batch, descriptor.input_channels, size, size)
    image = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    seen = _SeenRuns(image)
    with model.register_forward_pre_hook(seen.before), model.register_forward_hook(seen.after):
        called = _outputs(lambda given: call(model, given), image)
        if len(seen.outputs) != 1:
            seen.outputs.clear()
            _outputs(model, image)
    outputs = seen.outputs[0] if seen.outputs else ()
    facts = {"ran": bool(outputs), "called": bool(called), "writes": seen.writes}
    for index, output in enumerate(outputs if called else ()):
        if output.shape == called[0].shape and torch.allclose(
            output, called[0], rtol=0, atol=0, equal_nan=True
        ):
            return RegistryRun(**facts, output_index=index)
    return RegistryRun(**facts)


class _SeenRuns:
    """Notes what a module returns for ``image`` while something else calls it, and whether it writes into it."""

    def __init__(self, image: Tensor) -> None:
        self.image = image
        self.is_image = False
        self.writes = False
        self.outputs: list[tuple[Tensor, ...]] = []

    def before(self, _: nn.Module, inputs: tuple[Any, ...]) -> None:
        self.is_image = (
            len(inputs) == 1 and isinstance(inputs[0], Tensor) and torch.equal(inputs[0], self.image)
        )

    def after(self, _: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if self.is_image:
            self.writes |= not torch.equal(inputs[0], self.image)
            self.outputs.append(tuple(tensor.clone() for tensor in tensors_of(output)))


def network_of(descriptor: ModelDescriptor[Any], run: RegistryRun) -> SpandrelNetwork:
    """The module of ``descriptor``, inside its registry's call where ``run`` says that it picks no output.

    It leaves the image it is given as it is, whether or not its author did.
    """
    model: nn.Module = descriptor.model.eval().float()
    if run.writes:
        model.register_forward_pre_hook(_hand_over_copies)
    channels = descriptor.input_channels
    if isinstance(descriptor, MaskedImageModelDescriptor):
        return SpandrelNetwork(model, channels, (ExtraInput("mask"),))
    if _reads_noise_level(descriptor):
        return SpandrelNetwork(NoiseLevelBeside(model), channels, (ExtraInput("noise_level"),))
    if not run.called:
        return SpandrelNetwork(model, channels if run.ran else input_channels_of(model) or channels)
    if run.output_index is not None:
        return SpandrelNetwork(model, channels, output_index=run.output_index)
    return SpandrelNetwork(RegistryCall(model, call_of(descriptor)), channels)


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


def _hand_over_copies(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(given.clone() if isinstance(given, Tensor) else given for given in inputs)


def _reads_noise_level(descriptor: ModelDescriptor[Any]) -> bool:
    if descriptor.architecture.id == "DRUNet":
        return True
    return descriptor.architecture.id == "DnCNN" and getattr(descriptor.model, "mode", "") == "FDnCNN"


def _outputs(network: Callable[[Tensor], Any], image: Tensor) -> tuple[Tensor, ...]:
    """What ``network`` returns for a clone of ``image``, or nothing if it raises anything but want of memory."""
    try:
        with torch.no_grad():
            return tensors_of(network(image.clone()))
    except Exception as error:
        if is_out_of_memory(error):
            raise
        return ()
