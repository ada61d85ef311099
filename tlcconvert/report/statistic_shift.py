"""At a photograph: how far each local statistic is from the same statistic of the whole map.

Given      x [1, C, H, W] -> local_mean, window 96 -> [1, C, H-95, W-95] -> ...

Result     shift [H, W] = |local - global| / rms |global|,   lengths over the channels

The global one is the same operator with a window as large as the map, on the same features: what changed earlier in
the network is not counted twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx
from torch.nn import functional

from passes.operators.grid_spread import grid_spread
from passes.operators.replicate import replicate
from passes.program import where
from passes.statistics import STATISTICS
from passes.torch_internals.names import OpOverload, schema_of

_MOST_PIXELS_OF_A_MAP = 320
_ON_A_GRID = {
    operator.overload for statistic in STATISTICS for operator in statistic.operators if operator.exact
}
_WINDOWED = {operator.overload for statistic in STATISTICS for operator in statistic.operators}


@dataclass(frozen=True)
class StatisticShift:
    """One statistic at one photograph.

    Attributes:
        where: module and line of the network's source.
        operator: that computes it, e.g. ``"local_mean"``.
        window: height and width in pixels of its map.
        shift: the root mean square over the map of the shift at each pixel, as a fraction of the global statistic.
        largest: of the pixels.
        map: the shift at each pixel, averaged to at most 320 pixels on a side.
    """

    where: str
    operator: str
    window: tuple[int, int]
    shift: float
    largest: float
    map: NDArray[np.float32]


def statistic_shifts(
    network: fx.GraphModule, image: Tensor
) -> tuple[tuple[Tensor, ...], list[StatisticShift]]:
    """What ``network``, a converted one, returns for ``image`` [1, C, H, W], and its statistics, in their order."""
    watched = _Watched(network)
    with torch.no_grad():
        returned = watched.run(image)
    outputs = (returned,) if isinstance(returned, Tensor) else tuple(returned)
    return outputs, watched.shifts


class _Watched(fx.Interpreter):
    """Runs a network and looks at every statistic it takes."""

    def __init__(self, network: fx.GraphModule) -> None:
        super().__init__(network)
        self.shifts: list[StatisticShift] = []

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if n.op == "call_function" and n.target in _WINDOWED:
            arguments, _ = self.fetch_args_kwargs_from_env(n)
            self.shifts.append(_shift(n, list(arguments), result))
        return result


def _shift(node: fx.Node, arguments: list[Any], local: Tensor) -> StatisticShift:
    overload = node.target
    assert isinstance(overload, OpOverload)
    names = [argument.name for argument in schema_of(overload).arguments]
    across, along = names.index("window_height"), names.index("window_width")
    window = (int(arguments[across]), int(arguments[along]))
    height, width = arguments[0].shape[-2:]
    if overload in _ON_A_GRID and local.shape[-2:] != (height, width):
        local = grid_spread(local, height, width, *window, arguments[names.index("ratio")])
    arguments[across], arguments[along] = height, width
    whole = overload(*arguments)
    size = whole.square().sum(1).mean().sqrt()
    away = (local - whole).square().sum(1, keepdim=True).sqrt() / size.clamp_min(1e-20)
    if away.shape[-2:] != (height, width):
        away = replicate(away, height, width)
    share = min(1.0, _MOST_PIXELS_OF_A_MAP / max(height, width))
    small = functional.adaptive_avg_pool2d(
        away, (max(1, round(height * share)), max(1, round(width * share)))
    )
    return StatisticShift(
        where(node),
        overload.name().removeprefix("tlc::").removesuffix(".default"),
        window,
        float(away.square().mean().sqrt()),
        float(away.max()),
        small[0, 0].numpy(),
    )


__all__ = ["StatisticShift", "statistic_shifts"]
