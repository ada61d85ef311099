"""Measures what one patch costs on each branch, in onnxruntime on this machine.

Each branch runs alone on a batch of patches. Branches take turns, so that a change in the machine's pace
meets all of them, and the median round counts.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from tlcconvert.architectures.classsr import ClassSR
from tlcconvert.capture.capture import functional
from tlcconvert.classsr.batch_norm import fold_batch_norms
from tlcconvert.classsr.costs import Costs
from tlcconvert.lower.lower import lower
from tlcconvert.network.eager_reference import evaluation_copy
from tlcconvert.process_state.silence import silence
from tlcconvert.verification.session import inference_session

_PATCHES = 8
_ROUNDS = 7
_OPSET = 18


def measured_costs(network: ClassSR, patch_size: int) -> Costs:
    """Microseconds of each branch on one patch of ``patch_size`` pixels.

    Raises:
        InputError: a branch was measured to be no slower than the one before.
    """
    network = evaluation_copy(network)  # type: ignore[assignment]
    fold_batch_norms(network)
    patches = torch.rand(
        _PATCHES, network.colors, patch_size, patch_size, generator=torch.Generator().manual_seed(0)
    )
    runs = [_runner(branch, patches) for branch in network.branches]
    for run in runs:
        run()
    seconds = [[_seconds(run) for run in runs] for _ in range(_ROUNDS)]
    medians = [statistics.median(round_[index] for round_ in seconds) for index in range(len(runs))]
    return Costs(tuple(round(1e6 * median / _PATCHES) for median in medians), "microseconds")


def _runner(branch: nn.Module, patches: torch.Tensor) -> Callable[[], Sequence[np.ndarray]]:
    """Runs ``branch`` on ``patches`` in onnxruntime."""
    with silence(), torch.no_grad():
        program = functional(torch.export.export(branch, (patches,)))
    session = inference_session(lower(program, _OPSET, ["patches"], ["restored"]).model.SerializeToString())
    feeds = {"patches": patches.numpy()}
    return lambda: session.run(None, feeds)


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
