"""What a pass recognises and leaves alone it tells to whoever listens, and to no one else."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.export import ExportedProgram

from passes.localize import Training, localize
from passes.result import PassResult
from passes.simplify.single_slope_prelu import single_slope_prelu
from passes.simplify.token_norm import token_norm
from passes.speed.gelu import gelu
from passes.speed.squeeze_first import squeeze_first
from tests.captured import captured

CHANNELS = 4


class Computes(nn.Module):
    """A function of the image and of one layer."""

    def __init__(self, function: Callable[[nn.Module, Tensor], Tensor], layer: nn.Module) -> None:
        super().__init__()
        self.function, self.layer = function, layer

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.layer, x)


def localized(program: ExportedProgram) -> PassResult:
    return localize(program, Training((8, 8), (5, 4)))


def half_normalised(qkv: nn.Module, x: Tensor) -> Tensor:
    q, k, v = (part.flatten(2) for part in qkv(x).chunk(3, 1))
    return ((F.normalize(q, dim=-1) @ k.mT).softmax(-1) @ v).reshape(x.shape)


def row_means(layer: nn.Module, x: Tensor) -> Tensor:
    return x - layer(x).mean(3, keepdim=True)


def squeezed_twice(squeeze: nn.Module, x: Tensor) -> Tensor:
    mean = torch.ops.tlc.local_mean(x, 4, 3)
    return squeeze(mean) * mean


def normal_tokens(norm: nn.Module, x: Tensor) -> Tensor:
    tokens = norm(x.flatten(2).mT)
    return tokens.mT.reshape(x.shape) + tokens.sum()


def applied(layer: nn.Module, x: Tensor) -> Tensor:
    return layer(x)


SAID: dict[str, tuple[Callable[[ExportedProgram], PassResult], Callable[..., Tensor], nn.Module, str]] = {
    "passes.speed.gelu": (gelu, applied, nn.GELU("tanh"), "approximated by a tanh"),
    "passes.speed.squeeze_first": (
        squeeze_first,
        squeezed_twice,
        nn.Conv2d(CHANNELS, 1, 1),
        "read elsewhere too",
    ),
    "passes.simplify.single_slope_prelu": (single_slope_prelu, applied, nn.PReLU(CHANNELS), "of their own"),
    "passes.simplify.token_norm": (token_norm, normal_tokens, nn.LayerNorm(CHANNELS), "read elsewhere too"),
    "passes.statistics.attention.door": (
        localized,
        half_normalised,
        nn.Conv2d(CHANNELS, 3 * CHANNELS, 1),
        "not normalised alike",
    ),
    "passes.window_domain.door": (
        localized,
        row_means,
        nn.Conv2d(CHANNELS, CHANNELS, 1),
        "not all pixels of a map",
    ),
}


@pytest.mark.parametrize("name", SAID)
def test_the_reason_is_told_with_the_node_and_its_place(name: str, caplog: pytest.LogCaptureFixture) -> None:
    transformation, function, layer, reason = SAID[name]
    if transformation is single_slope_prelu:
        nn.init.normal_(layer.weight)  # type: ignore[arg-type]
    program = captured(Computes(function, layer), CHANNELS, (13, 10))
    caplog.clear()
    with caplog.at_level(logging.DEBUG, logger="passes"):
        transformation(program)
    (said,) = {record.getMessage() for record in caplog.records if record.name == name}
    assert reason in said
    assert "(test_not_taken.py:" in said or " at layer (" in said


def test_what_is_simply_something_else_is_not_worth_a_line(caplog: pytest.LogCaptureFixture) -> None:
    layers = nn.Sequential(nn.Conv2d(CHANNELS, CHANNELS, 1), nn.ReLU())
    program = captured(Computes(applied, layers), CHANNELS, (13, 10))
    caplog.clear()
    with caplog.at_level(logging.DEBUG, logger="passes"):
        for transformation in (gelu, squeeze_first, single_slope_prelu, token_norm, localized):
            transformation(program)
    assert not [record for record in caplog.records if record.name.startswith("passes")]
