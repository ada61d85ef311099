"""Global log-sum-exp over space.

logsumexp(x, H x W)    ->   local_log_sum_exp(x)

Like a sum it grows with the pixels it is taken over: n equal pixels x give x + log n. A window has the n of an image
of its size.
"""

from __future__ import annotations

import torch
from torch import fx

from passes.window_domain.door import Door, Doorway, dims_argument, reduction
from passes.window_domain.layout import PixelLayouts
from passes.window_domain.lifted import Lifted

aten = torch.ops.aten


def match(node: fx.Node, layouts: PixelLayouts) -> Door | None:
    if node.target is not aten.logsumexp.default:
        return None
    return reduction(node, "global log-sum-exp", dims_argument(node), layouts, over_windows)


def over_windows(way: Doorway) -> Lifted:
    of_pixels = way.over_windows(torch.ops.tlc.local_log_sum_exp.default, way.pixels())
    return way.result(way.reduce_rest(aten.logsumexp.default, of_pixels))
