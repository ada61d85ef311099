"""What computes each element by itself keeps pixels in place, whatever PyTorch calls it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from passes.localize import Training, localize
from tlcconvert.capture.capture import capture

ACTIVATIONS = [
    nn.ELU(), nn.Hardshrink(), nn.Hardsigmoid(), nn.Hardtanh(), nn.Hardswish(), nn.LeakyReLU(), nn.LogSigmoid(),
    nn.PReLU(), nn.ReLU(), nn.ReLU6(), nn.RReLU(), nn.SELU(), nn.CELU(), nn.GELU(), nn.GELU("tanh"), nn.Sigmoid(),
    nn.SiLU(), nn.Mish(), nn.Softplus(), nn.Softshrink(), nn.Softsign(), nn.Tanh(), nn.Tanhshrink(),
    nn.Threshold(0.1, 0.0), nn.GLU(1), nn.Softmin(1), nn.Softmax2d(), nn.LogSoftmax(1), nn.Dropout(),
]  # fmt: skip
FUNCTIONS = [
    torch.special.expit,
    torch.erf,
    torch.nan_to_num,
    lambda x: torch.floor_divide(x, 2),
    lambda x: torch.true_divide(x, x.abs() + 1),
    lambda x: x * F.cosine_similarity(x, x.roll(1, 1), dim=1).unsqueeze(1),
    lambda x: F.one_hot(x.argmax(1), 4).permute(0, 3, 1, 2).to(x.dtype),
]


class GatedByAll(nn.Module):
    """A gate behind all of them at once: one that ended the descent would leave its mean global."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 4, 3, padding=1)
        self.activations = nn.ModuleList(ACTIVATIONS)

    def forward(self, x: Tensor) -> Tensor:
        y = self.head(x)
        y = torch.cat([function(y) for function in (*self.activations, *FUNCTIONS)], 1)
        return y * y.mean((2, 3), keepdim=True).sigmoid()


def test_a_gate_behind_every_activation_is_local() -> None:
    program = capture(GatedByAll().eval(), input_channels=3).program
    localized = localize(program, Training.on_crops((16, 16)))
    assert [site.kind for site in localized.sites] == ["global mean"]
    assert localized.skipped == ()
