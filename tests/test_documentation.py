"""The documentation's longer examples run as they are printed."""

from __future__ import annotations

import re
from pathlib import Path

import onnxruntime
import pytest
import torch
from torch import Tensor, nn

DOCS = Path(__file__).parent.parent / "docs"


class MyNetwork(nn.Module):
    """The network the page on registering leaves to its reader."""

    def __init__(self, colors: int, channels: int) -> None:
        super().__init__()
        self.head = nn.Conv2d(colors, channels, 3, padding=1)
        self.tail = nn.Conv2d(channels, colors, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        features = self.head(x)
        return x + self.tail(features * features.mean((2, 3), keepdim=True))


def test_a_registered_architecture_is_detected_and_converted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = re.findall(r"```python\n(.*?)```", (DOCS / "own-networks.md").read_text(), re.DOTALL)
    registering = next(example for example in examples if "MAIN_REGISTRY.add" in example)
    monkeypatch.chdir(tmp_path)
    torch.save(MyNetwork(3, 8).state_dict(), "weights.pth")
    names: dict[str, object] = {"MyNetwork": MyNetwork}
    exec(registering, names)
    session = onnxruntime.InferenceSession("model.onnx")
    image = torch.rand(1, 3, 9, 14)
    (result,) = session.run(None, {"input": image.numpy()})
    assert result.shape == (1, 3, 9, 14)
