"""The file written for each target computes, at every size, the network on the window around each pixel."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim
from typer.testing import CliRunner

from tests.passes.localize.crop_oracle import cropped
from tlcconvert import Target
from tlcconvert.cli import command as cli

WINDOW = (12, 12)
"""One and a half of the train size 8."""
DYNAMIC = [(2, 3, 13, 29), (1, 3, 12, 12), (1, 3, 40, 5), (1, 3, 7, 31), (2, 3, 1, 1)]
FILES = {
    **{target.value: (["--target", target.value], DYNAMIC) for target in Target},
    "static": (["--static", "20x31"], [(1, 3, 20, 31)]),
}


class Gated(nn.Module):
    """A log-sum-exp written with its guard gates a map; another gives a channel to be subtracted."""

    def __init__(self) -> None:
        super().__init__()
        self.features, self.gate, self.out = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 1), nn.Conv2d(8, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = 40 * self.features(x)
        largest = y.amax((2, 3), keepdim=True)
        total = (y - largest).exp().sum((2, 3), keepdim=True).log() + largest
        y = y * self.gate(total).sigmoid()
        return self.out(y) - x.flatten(2).logsumexp(-1)[..., None, None]


@pytest.mark.parametrize("name", FILES)
def test_one_file_equals_the_network_on_every_window(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network, (options, sizes) = Gated().eval(), FILES[name]
    axes = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    program = torch.export.export(network, (torch.randn(2, 3, 11, 14),), dynamic_shapes=(axes,))
    torch.export.save(program, tmp_path / "model.pt2")
    file = tmp_path / "model.onnx"
    arguments = [
        tmp_path / "model.pt2",
        "--allow-pickle",
        "--train-size",
        8,
        "-o",
        file,
        "--strict",
        *options,
    ]
    result = CliRunner().invoke(cli.app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    session = onnxruntime.InferenceSession(file)
    for size in sizes:
        x = torch.randn(size)
        (got,) = session.run(None, {"input": x.numpy()})
        expected = cropped(network.double(), x.double(), WINDOW)
        assert (torch.from_numpy(got) - expected).abs().max() <= 1e-5 * expected.abs().max(), size
