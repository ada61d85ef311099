"""A symbolic size with another example.

PyTorch settles what algebra leaves open about a size (is it 1, and so broadcast?) by the size's example, its hint. A
size that is computed gets the example its formula gives, and no public function gives it another.

Stands on torch 2.14.1, ``torch/fx/experimental/sym_node.py``, ``SymNode.__init__`` (line 104) and its ``expr``,
``shape_env`` and ``hint``.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.fx.experimental.sym_node import SymNode


def with_example_of_at_least(size: torch.SymInt, least: int) -> torch.SymInt:
    """``size`` with an example of ``least``, where it has a smaller one; without an example, ``size`` itself."""
    node = size.node
    if not node.has_hint():
        return size
    example: Any = node.hint
    return torch.SymInt(SymNode(node.expr, node.shape_env, int, max(example, least)))
