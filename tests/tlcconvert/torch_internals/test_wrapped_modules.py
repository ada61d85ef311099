"""The module that was compiled, and the hooks that compute its weight."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils import weight_norm

from tlcconvert.torch_internals.wrapped_modules import forward_pre_hooks, uncompiled


def test_what_was_compiled_is_found_behind_it() -> None:
    network = nn.Conv2d(3, 3, 1)
    assert uncompiled(torch.compile(network, backend="eager")) is network
    assert uncompiled(network) is network


def test_a_compiled_module_gives_its_weights_other_names() -> None:
    """Where this fails, a compiled module can be read like the one it was compiled from."""
    compiled = torch.compile(nn.Conv2d(3, 3, 1), backend="eager")
    assert {name for name, _ in compiled.named_modules()} == {"", "_orig_mod"}
    assert not hasattr(compiled, "orig_mod")


def test_the_hook_of_a_weight_norm_is_found_and_removed() -> None:
    norm = weight_norm(nn.Conv2d(3, 3, 1))
    ((key, hook),) = forward_pre_hooks(norm).items()
    assert type(hook).__name__ == "WeightNorm"
    del forward_pre_hooks(norm)[key]
    assert not forward_pre_hooks(norm)


@pytest.mark.parametrize("name", ["forward_pre_hooks", "get_forward_pre_hooks"])
def test_a_module_does_not_list_its_hooks_by_itself(name: str) -> None:
    """Where this fails, PyTorch has a public name for it: use that."""
    assert not hasattr(nn.Module(), name)
