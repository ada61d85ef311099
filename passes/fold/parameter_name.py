"""Names for folded weights: the module path the fold ends in."""

from __future__ import annotations

from torch import fx

from passes.program import where


def parameter_name(node: fx.Node, kind: str) -> str:
    """E.g. ``"body.0.folded_weight"`` for a fold whose result stands for ``node``."""
    path = where(node).split(" (")[0]
    return f"folded_{kind}" if path == "<root>" else f"{path}.folded_{kind}"
