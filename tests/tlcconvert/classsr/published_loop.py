"""ClassSR as it is published: a Python loop over patches, transcribed from the paper's procedure.

It covers only whole patches: what is left of the image on the right and at the bottom is dropped.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tlcconvert.architectures.classsr import ClassSR


@torch.no_grad()
def published_loop(network: ClassSR, image: Tensor, size: int, step: int) -> tuple[Tensor, Tensor]:
    """[C, H, W] -> the upscaled image of all whole patches, and the logits of each patch, row by row."""
    scale = network.scale
    tops = range(0, image.shape[1] - size + 1, step)
    lefts = range(0, image.shape[2] - size + 1, step)
    total = torch.zeros(
        image.shape[0], scale * (tops[-1] + size), scale * (lefts[-1] + size), dtype=image.dtype
    )
    logits = []
    for top in tops:
        for left in lefts:
            patch = image[None, :, top : top + size, left : left + size]
            scores = network.classifier(patch)[0]
            branch = network.branches[int(scores.argmax())]
            rows = slice(scale * top, scale * (top + size))
            columns = slice(scale * left, scale * (left + size))
            total[:, rows, columns] += branch(patch)[0]
            logits.append(scores)
    shared = scale * (size - step)
    for left in lefts[1:]:
        total[:, :, scale * left : scale * left + shared] /= 2
    for top in tops[1:]:
        total[:, scale * top : scale * top + shared] /= 2
    return total, torch.stack(logits).reshape(len(tops), len(lefts), -1)
