"""The module behind what ``torch.compile`` returns, and the hooks a module runs before its forward.

``torch.compile(module)`` returns another module, whose names all begin with ``_orig_mod``; what is converted is the
module itself. Weight and spectral norm are hooks, and only the one who registered a hook holds its handle.

Stands on torch 2.14.1: ``torch/_dynamo/eval_frame.py``, ``OptimizedModule._orig_mod`` (line 479), and
``torch/nn/modules/module.py``, ``Module._forward_pre_hooks``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn


def uncompiled(module: nn.Module) -> nn.Module:
    """``module``, or what it was compiled from."""
    return module._orig_mod if isinstance(module, torch._dynamo.OptimizedModule) else module


def forward_pre_hooks(module: nn.Module) -> dict[int, Callable[..., Any]]:
    """The hooks ``module`` runs before its forward, by number; deleting one from it removes it."""
    return module._forward_pre_hooks
