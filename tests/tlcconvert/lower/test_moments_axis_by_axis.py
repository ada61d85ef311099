"""Norms and variances of whole maps are PyTorch's own, and stay so in the file on large maps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tlcconvert.capture.capture import capture
from tlcconvert.lower.lower import lower
from tlcconvert.lower.moments_axis_by_axis import MOMENTS, sums_a_map

aten = torch.ops.aten

CALLS: dict[Any, list[tuple[Any, ...]]] = {
    aten.var.dim: [((2, 3),), ((1, -1), False, True)],
    aten.std.dim: [((2, 3), True, True), ((1, 2, 3), False)],
    aten.var_mean.dim: [((2, 3), True, True), ((-1, -2),)],
    aten.std_mean.dim: [((2, 3), False, True)],
    aten.layer_norm.default: [
        ([4, 5, 6],),
        ([5, 6], torch.rand(5, 6).double(), torch.rand(5, 6).double(), 1e-3),
    ],
    aten.group_norm.default: [(2,), (4, torch.rand(4).double(), torch.rand(4).double(), 1e-3)],
    aten.instance_norm.default: [
        (None, None, None, None, True, 0.1, 1e-5, False),
        (torch.rand(4).double(), torch.rand(4).double(), None, None, True, 0.1, 1e-3, False),
    ],
}


@pytest.mark.parametrize("operator", CALLS, ids=str)
def test_each_form_computes_what_pytorch_does(operator: Any) -> None:
    x = torch.rand(2, 4, 5, 6, dtype=torch.float64) + 3
    for arguments in CALLS[operator]:
        torch.testing.assert_close(MOMENTS[operator](x, *arguments), operator(x, *arguments))


@pytest.mark.parametrize(
    "operator", [aten.var.correction, aten.std.correction, aten.var_mean.correction, aten.std_mean.correction]
)
def test_any_correction_divides_by_what_it_leaves(operator: Any) -> None:
    x = torch.rand(2, 4, 5, 6, dtype=torch.float64)
    for options in ({}, {"correction": 0}, {"correction": 2.5, "keepdim": True}):
        for axes in (None, (2, 3), (0, 1)):
            torch.testing.assert_close(
                MOMENTS[operator](x, axes, **options), operator(x, axes, **options), msg=str((axes, options))
            )


class Normalized(nn.Module):
    def __init__(self, normalize: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.normalize = normalize

    def forward(self, x: Tensor) -> Tensor:
        return self.normalize(x + 0.0)


OF_MAPS: dict[str, Callable[[Tensor], Tensor]] = {
    "instance norm": F.instance_norm,
    "group norm": lambda x: F.group_norm(x, 1),
    "layer norm": lambda x: F.layer_norm(x, x.shape[1:]),
    "variance": lambda x: x / x.var((2, 3), keepdim=True),
    "deviation": lambda x: x / x.std((2, 3), keepdim=True, unbiased=False),
}


@pytest.mark.parametrize("normalize", OF_MAPS.values(), ids=OF_MAPS)
def test_a_file_is_right_to_rounding_on_a_large_flat_map_and_on_small_ones(
    normalize: Callable[[Tensor], Tensor],
) -> None:
    network = Normalized(normalize).eval()
    model = lower(capture(network, input_channels=3).program, 18, ["input"], ["output"]).model
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for batch, height, width in ((2, 2, 3), (1, 33, 90), (1, 720, 1280)):
        noise = torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(height))
        image = noise if height < 100 else 0.5 + noise / 8
        computed = torch.from_numpy(session.run(None, {"input": image.numpy()})[0])
        expected = network(image.double())
        assert (computed - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_norms_of_tokens_and_of_single_axes_are_left_to_the_runtime() -> None:
    class OfTokens(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            tokens = F.layer_norm(x.permute(0, 2, 3, 1), (3,)).permute(0, 3, 1, 2)
            return tokens + x.var(1, keepdim=True) + F.layer_norm(x.flatten(2), x.flatten(2).shape[2:]).mean()

    program = capture(OfTokens().eval(), input_channels=3).program
    assert not any(map(sums_a_map, program.graph.nodes))
