"""Replacing a value by another that stands for the same place in the source."""

from __future__ import annotations

from torch import fx


def substitute(old: fx.Node, new: fx.Node) -> None:
    """Makes every reader of ``old`` read ``new``.

    ``new`` takes over ``old``'s recorded module path, source line and fake value. ``old`` stays, unread,
    until :func:`passes.program.refresh` removes it.
    """
    if new.op != "placeholder":
        new.meta = dict(old.meta)
    old.replace_all_uses_with(new)
