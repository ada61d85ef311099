"""A whole image in, a whole image out: every patch goes to the branch its class names.

    image ──► crop ──► classify ──► [choose within a budget] ──► branch 1, 2, ... on their patches ──► merge

All patches of a batch of images are one batch of patches; nothing else of one image reaches another.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tlcconvert.architectures.classsr import ClassSR
from tlcconvert.classsr.budget import classes_within
from tlcconvert.classsr.costs import Costs
from tlcconvert.classsr.merge import merge
from tlcconvert.classsr.patches import Grid, crop


class RoutedImage(nn.Module):
    """``network`` on whole images of any size; returns the image and the class of every patch."""

    def __init__(self, network: ClassSR, grid: Grid) -> None:
        super().__init__()
        self.network = network
        self.grid = grid

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """[N, C, H, W] -> [N, C, scale * H, scale * W] and its class map [N, rows, columns], int64."""
        patches = crop(image, self.grid)
        class_map = self.choose(patches)
        return self.restore(image, patches, class_map), class_map

    def logits(self, patches: Tensor) -> Tensor:
        """[N, rows, columns, C, size, size] -> [N, rows, columns, classes]."""
        return self.network.classifier(patches.flatten(0, 2)).unflatten(0, patches.shape[:3])

    def choose(self, patches: Tensor) -> Tensor:
        """The class of each of ``patches``, [N, rows, columns]: that of the largest logit, the first of equals."""
        return self.logits(patches).argmax(-1)

    def restore(self, image: Tensor, patches: Tensor, class_map: Tensor) -> Tensor:
        """The image whose patches went where ``class_map`` says; see :meth:`forward` for shapes."""
        scale = self.network.scale
        restored = self.network.restore(patches.flatten(0, 2), class_map.flatten())
        scaled = Grid(scale * self.grid.size, scale * self.grid.step)
        height, width = image.shape[2:]
        return merge(restored.unflatten(0, patches.shape[:3]), scaled, scale * height, scale * width)


class BudgetedImage(RoutedImage):
    """The same, with the choice of classes under control at run time."""

    def __init__(self, network: ClassSR, grid: Grid, costs: Costs) -> None:
        super().__init__(network, grid)
        self.costs = costs

    def forward(self, image: Tensor, class_bias: Tensor, budget: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """See :class:`RoutedImage`.

        Args:
            image: [N, C, H, W].
            class_bias: [classes], added to every patch's logits: a positive one makes its class more frequent.
            budget: scalar; the cost of each image as a fraction of the last branch's on all its patches. 0 or
                less leaves the choice to the classifier.
        """
        patches = crop(image, self.grid)
        class_map = self.choose(patches, class_bias, budget)
        return self.restore(image, patches, class_map), class_map

    def choose(self, patches: Tensor, class_bias: Tensor, budget: Tensor) -> Tensor:  # type: ignore[override]
        """The class of each of ``patches``, [N, rows, columns]."""
        logits = self.logits(patches) + class_bias
        within = classes_within(budget, logits.flatten(1, 2), self.costs).reshape(patches.shape[:3])
        return torch.where(budget > 0, within, logits.argmax(-1))
