"""Runs a localised program and looks at its statistics on the way.

A statistic is seen where its ``tlc::`` operator computes it: [N, C, H', W'], one vector per window, of which a grid
of windows is kept. A norm computes pixels, so the means and standard deviations of its windows are computed beside
it. Attention has no vector to keep.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx
from torch.export import ExportedProgram

from passes.program import runnable, where
from tlcconvert.diagnosis.written_norm import norm_epsilon

_KINDS: dict[Any, str] = {
    torch.ops.tlc.local_mean.default: "mean",
    torch.ops.tlc.local_variance.default: "variance",
    torch.ops.tlc.local_max.default: "maximum",
    torch.ops.tlc.local_softmax_mean.default: "softmax-weighted mean",
    torch.ops.tlc.local_log_sum_exp.default: "log-sum-exp",
    torch.ops.tlc.local_normalize.default: "norm",
    torch.ops.tlc.window_attention.default: "attention",
}
_MOST_WINDOWS_PER_AXIS = 16
_VISIBLE_JUMP = math.log(1.05)
"""Of a gain between neighbours; the eye sees an edge of 2 % (Weber's law)."""


@dataclass(frozen=True)
class Seen:
    """One statistic in one run.

    Attributes:
        values: [images * windows, C] float32; None where it has none.
        jumps: of a norm with more than one window, the share of neighbouring windows whose gains, 1 / sqrt(var +
            eps), differ by more than 5 %, over all groups of channels; else None.
    """

    values: Tensor | None
    jumps: float | None = None


@dataclass(frozen=True)
class StatisticNode:
    """Where a statistic is, and of what kind.

    Attributes:
        epsilon: of a variance that is one of a norm, what is added to it; else None.
    """

    where: str
    kind: str
    epsilon: float | None = None


class ObservedProgram:
    """A localised program of one output as a function of an image."""

    def __init__(self, program: ExportedProgram) -> None:
        self._module = runnable(program)
        self.statistics = tuple(_statistic(node) for node in program.graph.nodes if node.target in _KINDS)

    @torch.no_grad()
    def run(self, image: Tensor) -> tuple[Tensor, tuple[Seen, ...]]:
        """The output for ``image`` [N, C, H, W], and every statistic in the order of :attr:`statistics`."""
        observer = _Observer(self._module, self.statistics)
        output = observer.run(image)
        return output, tuple(observer.seen)


def _statistic(node: fx.Node) -> StatisticNode:
    kind = _KINDS[node.target]
    return StatisticNode(where(node), kind, norm_epsilon(node) if kind == "variance" else None)


class _Observer(fx.Interpreter):
    """Frees every map after its last reader, as the module itself does."""

    def __init__(self, module: fx.GraphModule, statistics: Sequence[StatisticNode]) -> None:
        super().__init__(module)
        self._statistics = statistics
        self.seen: list[Seen] = []

    def call_function(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        result = super().call_function(target, args, kwargs)
        if target in _KINDS:
            self.seen.append(_seen(self._statistics[len(self.seen)], result, args))
        return result


def _seen(statistic: StatisticNode, result: Tensor, args: tuple[Any, ...]) -> Seen:
    match statistic.kind:
        case "norm":
            return _of_norm(*args)
        case "variance":
            epsilon = statistic.epsilon
            jumps = None if epsilon is None else _jumps(*_jumps_of_gain(result.double(), epsilon))
            return Seen(_on_a_grid(result.clamp(min=0).sqrt()), jumps)
        case "attention":
            return Seen(None)
        case _:
            return Seen(_on_a_grid(result))


def _of_norm(x: Tensor, window_height: int, window_width: int, groups: int, eps: float) -> Seen:
    """Group by group, so that no copy of the map is made."""
    means, deviations, jumping, pairs = [], [], 0, 0
    for channels in x.unflatten(1, (groups, -1)).unbind(1):
        pixels = channels.double()
        centre = pixels.mean((1, 2, 3), keepdim=True)
        pixels = pixels - centre
        mean = _local_mean(pixels.mean(1, keepdim=True), window_height, window_width)
        square = _local_mean(pixels.square().mean(1, keepdim=True), window_height, window_width)
        variance = (square - mean.square()).clamp(min=0)
        means.append(_on_a_grid(mean + centre))
        deviations.append(_on_a_grid(variance.sqrt()))
        of_group = _jumps_of_gain(variance, eps)
        jumping, pairs = jumping + of_group[0], pairs + of_group[1]
    return Seen(torch.cat(means + deviations, 1), _jumps(jumping, pairs))


def _jumps_of_gain(variance: Tensor, epsilon: float) -> tuple[int, int]:
    """Pairs of neighbouring windows whose gains differ by more than 5 %, and all pairs."""
    gain = variance.clamp(min=0).add(epsilon).log().mul(-0.5)
    steps = gain.diff(dim=2), gain.diff(dim=3)
    return sum(int((step.abs() > _VISIBLE_JUMP).sum()) for step in steps), sum(step.numel() for step in steps)


def _jumps(jumping: int, pairs: int) -> float | None:
    return jumping / pairs if pairs else None


def _local_mean(x: Tensor, window_height: int, window_width: int) -> Tensor:
    return torch.ops.tlc.local_mean(x, window_height, window_width)


def _on_a_grid(statistic: Tensor) -> Tensor:
    """[N, C, H', W'] at evenly spaced windows, the first and the last among them, as [N * windows, C]."""
    rows, columns = (_evenly(extent) for extent in statistic.shape[2:])
    return statistic[:, :, rows][..., columns].permute(0, 2, 3, 1).flatten(0, 2).float()


def _evenly(extent: int) -> Sequence[int]:
    count = min(extent, _MOST_WINDOWS_PER_AXIS)
    return [round(index * (extent - 1) / max(1, count - 1)) for index in range(count)]
