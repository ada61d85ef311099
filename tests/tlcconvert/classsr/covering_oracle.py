"""Every pixel covered, by brute force in float64: the image is padded, patches are added up and divided by their
number at each pixel.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from tlcconvert.architectures.classsr import ClassSR


@dataclass(frozen=True)
class Covered:
    """One image [C, scale * H, scale * W], its class map [rows, columns] and logits [rows, columns, classes]."""

    image: Tensor
    class_map: Tensor
    logits: Tensor


@torch.no_grad()
def covering_oracle(
    network: ClassSR, image: Tensor, size: int, step: int, class_map: Tensor | None = None
) -> Covered:
    """``network`` on [C, H, W], patch by patch; ``class_map`` takes the choice from the classifier."""
    network = copy.deepcopy(network).double()
    image = image.double()
    height, width = image.shape[1:]
    tops, lefts = starts(height, size, step), starts(width, size, step)
    below, right = max(tops[-1] + size - height, 0), max(lefts[-1] + size - width, 0)
    padded = F.pad(image[None], (0, right, 0, below), mode="replicate")
    scale = network.scale
    total = torch.zeros(
        1, image.shape[0], *(scale * extent for extent in padded.shape[2:]), dtype=torch.float64
    )
    count = torch.zeros_like(total)
    logits = torch.empty(len(tops), len(lefts), len(network.branches), dtype=torch.float64)
    classes = torch.empty(len(tops), len(lefts), dtype=torch.int64)
    for i, top in enumerate(tops):
        for j, left in enumerate(lefts):
            patch = padded[:, :, top : top + size, left : left + size]
            logits[i, j] = network.classifier(patch)[0]
            classes[i, j] = logits[i, j].argmax() if class_map is None else class_map[i, j]
            rows = slice(scale * top, scale * (top + size))
            columns = slice(scale * left, scale * (left + size))
            total[:, :, rows, columns] += network.branches[int(classes[i, j])](patch)
            count[:, :, rows, columns] += 1
    return Covered((total / count)[0, :, : scale * height, : scale * width], classes, logits)


def starts(length: int, size: int, step: int) -> list[int]:
    """Where patches start so that the last reaches the end of ``length`` pixels."""
    found = [0]
    while found[-1] + size < length:
        found.append(found[-1] + step)
    return found
