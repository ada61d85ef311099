"""A file made without a pass has the operators that the pass would have replaced."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch
from torch import nn

from benchmarks.latency.files import (
    FAST,
    FAST_ON_A_CPU,
    ON_A_CPU,
    PORTABLE,
    file_without,
    our_file,
    our_kinds,
)
from benchmarks.latency.subjects import Subject


class Activated(nn.Module):
    """A convolution, a norm of its pixels as tokens, a PReLU with a slope per channel, and a mean."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.LayerNorm(8)
        self.prelu = nn.PReLU(8)
        nn.init.uniform_(self.prelu.weight)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.convolution(image)
        tokens = self.norm(x.flatten(2).transpose(1, 2))
        y = self.prelu(tokens.transpose(1, 2).reshape(x.shape))
        return y + y.mean((2, 3), keepdim=True)


@pytest.mark.parametrize(
    ("name", "operator"), [("token_norm", "LayerNormalization"), ("channel_prelu", "PRelu")]
)
def test_a_pass_is_left_out(name: str, operator: str, tmp_path: Path) -> None:
    subject = Subject("activated", Activated, 16, (24, 32))
    assert operator not in operators(our_file(subject, PORTABLE, tmp_path))
    assert operator in operators(file_without(subject, name, tmp_path))


@pytest.mark.full
def test_files_are_of_their_target(tmp_path: Path) -> None:
    subject = Subject("activated", Activated, 16, (24, 32))
    assert our_kinds(subject) == (PORTABLE, ON_A_CPU, FAST, FAST_ON_A_CPU)
    metadata = [
        {entry.key: entry.value for entry in onnx.load(our_file(subject, kind, tmp_path)).metadata_props}
        for kind in our_kinds(subject)
    ]
    assert [facts["target"] for facts in metadata] == [PORTABLE, ON_A_CPU] * 2


def operators(file: Path) -> set[str]:
    return {node.op_type for node in onnx.load(file).graph.node}
