"""Every node of a program tells the place in the source it stands for, whatever step wrote it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
import torch
from spandrel.architectures.NAFNet import NAFNet
from torch import nn

import tlcconvert
from passes.program import where
from tlcconvert import Dtype, Target
from tlcconvert.architectures.hinet.network import HINet
from tlcconvert.pipeline import Draft, Entry, Journal

WRAPPER = "wrap_sizes"
"""Its nodes stand for nothing in the network."""


class Watching(Journal):
    """Notes the nodes without a place after each step, those of the wrapper left out."""

    found: ClassVar[dict[str, list[str]]] = {}
    wrapper: frozenset[str] = frozenset()

    def add(self, entry: Entry, draft: Draft) -> None:
        super().add(entry, draft)
        nodes = {
            node.name
            for node in draft.program.graph.nodes
            if node.op == "call_function" and where(node) == "<root>"
        }
        if entry.name == WRAPPER:
            self.wrapper = frozenset(nodes)
        if nodes - self.wrapper:
            self.found[entry.name] = sorted(nodes - self.wrapper)


def nafnet() -> nn.Module:
    """With norms and a PReLU to fold, and a head whose channels fill no block."""
    return nn.Sequential(
        nn.Conv2d(3, 3, 3, padding=1),
        nn.BatchNorm2d(3),
        nn.PReLU(),
        nn.Conv2d(3, 3, 1),
        NAFNet(width=8, enc_blk_nums=[1], middle_blk_num=1, dec_blk_nums=[1]),
    )


def restormer_block() -> nn.Module:
    from spandrel_extra_arches.architectures.Restormer.__arch.restormer_arch import TransformerBlock

    block = TransformerBlock(8, 2, ffn_expansion_factor=2.66, bias=False, LayerNorm_type="WithBias")
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), block, nn.Conv2d(8, 12, 1), nn.PixelShuffle(2))


def hinet() -> nn.Module:
    return HINet(channels=8, depth=2, normalized_levels=(0, 1))


ONCE = {"verify_sizes": ((32, 48),)}
CONVERSIONS: dict[str, tuple[Callable[[], nn.Module], dict[str, Any]]] = {
    "NAFNet": (nafnet, ONCE),
    "NAFNet, fast": (nafnet, {"fast": True, **ONCE}),
    "NAFNet in float16": (nafnet, {"dtype": Dtype.FLOAT16, **ONCE}),
    "NAFNet for TensorRT": (nafnet, {"target": Target.TENSORRT, "static_size": (32, 48)}),
    "Restormer block": (restormer_block, ONCE),
    "HINet": (hinet, {"output_index": 1, **ONCE}),
}


@pytest.mark.parametrize("name", CONVERSIONS)
def test_no_step_writes_a_node_without_a_place(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    build, options = CONVERSIONS[name]
    monkeypatch.setattr(Watching, "found", {})
    monkeypatch.setattr(importlib.import_module("tlcconvert.convert"), "Journal", Watching)
    torch.manual_seed(0)
    conversion = tlcconvert.convert(build().eval(), 16, **options)
    assert {entry.name for entry in conversion.journal} >= {"localize", "tidy"}
    assert not Watching.found
