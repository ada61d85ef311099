"""The network as PyTorch runs it: what every captured graph and every file is compared with."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from passes.torch_internals.names import pytree
from tlcconvert.errors import InputError
from tlcconvert.process_state.replaced_functions import ReplacedFunctions
from tlcconvert.torch_internals.wrapped_modules import forward_pre_hooks, uncompiled


class EagerReference(nn.Module):
    """Runs a network in evaluation mode on clones of its inputs, without gradients.

    The clones matter: some networks write into their input. The outputs are flattened as an exported program
    flattens them: one tensor, or a tuple of tensors.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        with torch.no_grad():
            returned = self.network(*(tensor.clone() for tensor in inputs))
        tensors = tensors_of(returned)
        return tensors[0] if len(tensors) == 1 else tensors


def tensors_of(returned: Any) -> tuple[Tensor, ...]:
    """The tensors in what a network returned, in the order ``torch.export`` gives them."""
    return tuple(leaf for leaf in pytree.tree_leaves(returned) if isinstance(leaf, Tensor))


def evaluation_copy(module: nn.Module) -> nn.Module:
    """A float32 copy of ``module`` on the CPU in evaluation mode; the caller's module is left as it is.

    The copy has its own structure, attributes and buffers but reads the caller's parameters where these are
    float32 on the CPU already, so it costs no second set of weights. Where a hook computes a weight on every call
    (``torch.nn.utils.weight_norm``, ``spectral_norm``), the copy has that weight as a parameter.

    Raises:
        InputError: ``module`` cannot be copied, or is a TorchScript module.
    """
    module = _unwrapped(module)
    if isinstance(module, torch.jit.ScriptModule):
        raise InputError(
            "A TorchScript module holds no Python code to capture: hand over the nn.Module it was made from."
        )
    memo: dict[int, Any] = {
        id(parameter): nn.Parameter(parameter.data, requires_grad=False) for parameter in module.parameters()
    }
    try:
        with ReplacedFunctions({Tensor.__deepcopy__: _copy_of_computed_tensor}):
            copied = copy.deepcopy(module, memo)
    except Exception as error:
        raise InputError(f"{type(module).__name__} cannot be copied with copy.deepcopy: {error}") from error
    copied = copied.cpu().float().eval()
    _compute_weights_once(copied)
    return copied


def _copy_of_computed_tensor(tensor: Tensor, memo: dict[int, Any]) -> Any:
    """A copy without the history a gradient needs, which PyTorch refuses to copy.

    A hook leaves such tensors in a network: the weight it computed, or the feature map it noted.
    """
    return NotImplemented if tensor.is_leaf else memo.setdefault(id(tensor), tensor.detach().clone())


def _compute_weights_once(network: nn.Module) -> None:
    """Replaces the hooks of weight and spectral norm in ``network``, in evaluation mode, by what they compute."""
    for module in network.modules():
        for key, hook in list(forward_pre_hooks(module).items()):
            if isinstance(hook, (WeightNorm, SpectralNorm)):
                hook.remove(module)
                del forward_pre_hooks(module)[key]
                module.get_parameter(hook.name).requires_grad_(False)


def _unwrapped(module: nn.Module) -> nn.Module:
    if isinstance(module, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
        return _unwrapped(module.module)
    original = uncompiled(module)
    return module if original is module else _unwrapped(original)
