"""A line for whoever asks why a pass left something alone: ``logging`` at the level DEBUG, under the pass's name."""

from __future__ import annotations

import logging

from torch import fx

from passes.program import where


def not_taken(logger: logging.Logger, node: fx.Node, reason: str) -> None:
    """Says that ``node`` was recognised and stays, and why; nothing where no one listens."""
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug("%s at %s stays: %s", node.name, where(node), reason)
