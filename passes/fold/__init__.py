"""Exact folds: batch norms and scales into the layers before them, affine regions into one convolution."""

from __future__ import annotations

from torch.export import ExportedProgram

from passes.fold.affine_region import affine_regions
from passes.fold.batch_norm import TrainingBatchNorm, batch_norm
from passes.fold.transposed_convolution import transposed_convolution
from passes.result import PassResult
from passes.simplify.exact_constants import forget_exact

__all__ = ["TrainingBatchNorm", "fold"]


def fold(program: ExportedProgram) -> PassResult:
    """Folds ``program`` in place; batch norms that even the regions left standing are reported last.

    Raises:
        TrainingBatchNorm: naming a batch norm that was captured in training mode.
    """
    norms = PassResult(batch_norm(program).rewrites)
    scales = transposed_convolution(program)
    regions = affine_regions(program)
    left = batch_norm(program)
    forget_exact(program)
    return norms + scales + regions + left
