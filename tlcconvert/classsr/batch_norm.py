"""Folds the batch norms of branches into the convolutions before them.

``torch.export`` cannot capture a batch norm on a sub-batch whose size is only known at run time: it asks whether
that batch is empty. Folded in float64, the branch computes the same to float32 rounding.
"""

from __future__ import annotations

import itertools

from torch import nn
from torch.nn.utils import fuse_conv_bn_eval

from passes.result import PassResult, Rewrite


def fold_batch_norms(network: nn.Module) -> PassResult:
    """Replaces, in place, each convolution followed by a batch norm in a Sequential; in evaluation mode."""
    rewrites = []
    for path, sequence in network.named_modules():
        if not isinstance(sequence, nn.Sequential):
            continue
        for (name, layer), (next_name, norm) in itertools.pairwise(list(sequence.named_children())):
            if isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                sequence.register_module(name, fuse_conv_bn_eval(layer.double(), norm.double()).float())
                sequence.register_module(next_name, nn.Identity())
                rewrites.append(
                    Rewrite("batch norm", f"{path}.{name}", "convolution, batch norm", "convolution")
                )
    return PassResult(tuple(rewrites))
