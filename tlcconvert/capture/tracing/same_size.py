"""Whether two sizes are one expression, told without a guard, which ``a == b`` would add to what is exported."""

from __future__ import annotations

from typing import Any

import torch


def same_size(a: Any, b: Any) -> bool:
    """Of numbers and symbolic numbers."""
    return bool(_expression(a) == _expression(b))


def _expression(size: Any) -> Any:
    return size.node.expr if isinstance(size, torch.SymInt) else size
