"""ClassSR: a classifier sends every patch of an image to one of several branches of growing width.

Source: Kong, Zhao, Qiao, Dong, "ClassSR: A General Framework to Accelerate Super-Resolution Networks by Data
Characteristic", CVPR 2021, arXiv 2103.04039, section 3; parameter names are the published ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from tlcconvert.architectures.classsr.carn import CARN
from tlcconvert.architectures.classsr.fsrcnn import FSRCNN
from tlcconvert.architectures.classsr.rcan import RCAN
from tlcconvert.architectures.classsr.srresnet import SRResNet

CELL = 4  # pixels; the classifier sees a patch in cells of 4x4
_SLOPE = 0.1


class Classifier(nn.Module):
    """One logit per class and patch: features of its 4x4 cells, averaged over all of it."""

    def __init__(self, *, colors: int = 3, channels: int = 128, features: int = 32, classes: int = 3) -> None:
        super().__init__()
        self.colors = colors
        self.lastOut = nn.Linear(features, classes)
        layers: list[nn.Module] = [nn.Conv2d(colors, channels, CELL, stride=CELL)]
        for width in (channels, channels, channels, features):
            layers += [nn.LeakyReLU(_SLOPE), nn.Conv2d(channels, width, 1)]
        self.CondNet = nn.Sequential(*layers)

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """[B, colors, P, P] -> [B, classes]; P at least 4; rows and columns beyond a multiple of 4 are not seen."""
        return self.lastOut(self.CondNet(patches).mean((2, 3)))


class ClassSR(nn.Module):
    """A classifier and the branches ``net1``, ``net2``, ... it chooses from; values in 0..1 in and out.

    This module works on patches: each item of the batch is one, and goes whole to one branch.

    Raises:
        ValueError: not one branch per class, or their scales differ.
    """

    def __init__(self, classifier: Classifier, branches: Sequence[FSRCNN | CARN | SRResNet | RCAN]) -> None:
        super().__init__()
        scales = {branch.scale for branch in branches}
        if len(branches) != classifier.lastOut.out_features or len(scales) != 1:
            raise ValueError("A ClassSR has one branch per class of its classifier, all of one scale.")
        self.scale = scales.pop()
        self.classifier = classifier
        self.branch_names = tuple(f"net{number}" for number in range(1, len(branches) + 1))
        for name, branch in zip(self.branch_names, branches, strict=True):
            self.add_module(name, branch)

    @property
    def colors(self) -> int:
        return self.classifier.colors

    @property
    def branches(self) -> tuple[nn.Module, ...]:
        """``net1``, ``net2``, ..., class 0 being the first."""
        return tuple(self.get_submodule(name) for name in self.branch_names)

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """[B, colors, P, P] -> [B, colors, scale * P, scale * P], each by the branch of its largest logit."""
        return self.restore(patches, self.classifier(patches).argmax(1))

    def restore(self, patches: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        """Runs each branch once, on the patches of its class.

        A branch no patch needs runs on the first one and its result is dropped: onnxruntime refuses some grouped
        convolutions of an empty batch.

        Args:
            patches: [B, colors, P, P], at least one.
            classes: [B], int64.

        Returns:
            [B, colors, scale * P, scale * P], in the order of ``patches``.
        """
        wanted = classes[:, None] == torch.arange(len(self.branch_names))
        is_first = torch.arange(classes.shape[0]) == 0
        runs = wanted | (is_first[:, None] & ~wanted.any(0))
        restored = [
            branch(patches.index_select(0, taken.nonzero()[:, 0]))
            for branch, taken in zip(self.branches, runs.unbind(1), strict=True)
        ]
        order = runs.to(torch.int64).cumsum(0)
        before = order[-1].cumsum(0) - order[-1]
        rows = (before + order - 1).gather(1, classes[:, None])[:, 0]
        return torch.cat(restored).index_select(0, rows)
