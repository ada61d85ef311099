"""Maxima and minima of shifted pixels, from those of the pixels.

max(x + b)   ->   max(x) + b
"""

from __future__ import annotations

import torch

from passes.window_domain.affine_pixels import AffineForm, Call, call, moved
from passes.window_domain.door import Door

aten = torch.ops.aten


def extreme(door: Door, form: AffineForm, is_squared: bool) -> Call | None:
    if is_squared or form.scale is not None:
        return None
    return moved(form, call(door.node.target, form.atom, list(door.axes), True))


SEPARATED = {aten.amax.default: extreme, aten.amin.default: extreme}
