"""Means and sums of large maps are off by rounding only, in onnxruntime and as PyTorch means them."""

from __future__ import annotations

from collections.abc import Callable

import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from tlcconvert.capture.capture import capture
from tlcconvert.lower.lower import lower


class Reduced(nn.Module):
    def __init__(self, reduce: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.reduce = reduce

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x * 2, self.reduce(x)


REDUCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "a mean over pixels": lambda x: x.mean((2, 3)),
    "kept axes": lambda x: x.mean((-1, -2), keepdim=True),
    "one axis": lambda x: x.mean(3),
    "everything but the batch": lambda x: x.mean((1, 2, 3)),
    "a sum over pixels": lambda x: x.sum((2, 3)),
    "a sum of all": lambda x: x.sum().reshape(1),
    "axes apart": lambda x: x.sum((1, 3), keepdim=True),
}


@pytest.mark.parametrize("reduce", REDUCTIONS.values(), ids=REDUCTIONS)
def test_a_reduction_of_any_map_is_right_to_rounding(reduce: Callable[[Tensor], Tensor]) -> None:
    program = capture(Reduced(reduce).eval(), input_channels=3).program
    model = lower(program, 18, ["input"], ["output", "reduced"]).model
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for size in ((1, 1), (2, 3), (33, 90), (720, 1280)):
        x = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(size[0]))
        computed = torch.from_numpy(session.run(["reduced"], {"input": x.numpy()})[0])
        torch.testing.assert_close(computed.double(), reduce(x.double()), rtol=2e-6, atol=1e-7)
