"""Log-sum-exps of shifted pixels, from those of the pixels.

logsumexp(x + b)   ->   logsumexp(x) + b
"""

from __future__ import annotations

import torch

from passes.window_domain.affine_pixels import AffineForm, Call, call, moved
from passes.window_domain.door import Door

aten = torch.ops.aten


def shifted(door: Door, form: AffineForm, is_squared: bool) -> Call | None:
    if is_squared or form.scale is not None:
        return None
    return moved(form, call(aten.logsumexp.default, form.atom, list(door.axes), True))


SEPARATED = {aten.logsumexp.default: shifted}
