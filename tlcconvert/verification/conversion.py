"""The proofs a conversion must pass before it is handed over."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import onnxruntime
import torch
from torch import fx, nn

from passes.localize import Localized
from passes.localize.exact_counterpart import exact_counterpart
from tlcconvert.capture import Captured
from tlcconvert.eager_reference import tensors_of
from tlcconvert.options import Options
from tlcconvert.parity import Parity
from tlcconvert.verification.compare import TOLERANCE, Trial, compare_callables, expected_at
from tlcconvert.verification.float64 import distance, magnitude
from tlcconvert.verification.session import callable_of
from tlcconvert.verification.sizes import bracketing_sizes, unchanged_sizes, with_batch

_WITHOUT_WINDOWS = (64, 64)


def verify_conversion(
    open_session: Callable[[], onnxruntime.InferenceSession],
    converted: fx.GraphModule,
    original: nn.Module,
    captured: Captured,
    localized: Localized | None,
    options: Options,
    report: Callable[[str], None],
) -> Parity:
    """The proofs a conversion must pass before it is handed over.

    The model against the converted network in eager PyTorch, at sizes around the windows; and the converted
    network against the original at sizes where every statistic still covers its whole map (at all
    sizes where nothing was localised). Sizes the caller chose take the place of both; a file of one size is
    run at that size.

    Args:
        open_session: loads the model; called once the converted network has run and its weights may go.
    """
    requirements = captured.requirements
    window = localized.training.base_size if localized and localized.sites else _WITHOUT_WINDOWS
    taken = _as_they_are if options.size_wrapper else requirements.up
    chosen = _rounded(with_batch(options.verify_sizes) or bracketing_sizes(window), taken)
    sizes = [(1, *options.static_size)] * 2 if options.static_size else chosen
    report("running the model in onnxruntime")
    expected = expected_at(converted, captured.inputs, [Trial(size) for size in sizes], "onnx / converted")
    parity = expected.compare(callable_of(open_session()), TOLERANCE)
    assumed = tuple(
        f"the graph relies on {assumption}, at sizes too large to run" for assumption in captured.assumptions
    )
    parity = Parity(
        parity.comparisons, parity.notes + assumed + _deviation(converted, captured, localized, window)
    )
    report("running the converted network against the original")
    sizes = chosen
    if localized is not None and localized.sites:

        def is_unchanged(height: int, width: int) -> bool:
            return localized.is_unchanged_at(requirements.up(height), requirements.up(width))

        own = [size for size in with_batch(options.verify_sizes) if is_unchanged(*size[1:])]
        sizes = _rounded(own or unchanged_sizes(window, is_unchanged), taken)
    if not sizes:
        note = "converted / original not compared: at no size does every feature map fit its window"
        return Parity(parity.comparisons, (*parity.notes, note))
    unchanged = compare_callables(
        converted, original, captured.inputs, sizes, TOLERANCE, "converted / original"
    )
    return Parity(parity.comparisons + unchanged.comparisons, parity.notes + unchanged.notes)


def _as_they_are(extent: int) -> int:
    return extent


def _rounded(
    sizes: Iterable[tuple[int, int, int]], taken: Callable[[int], int]
) -> list[tuple[int, int, int]]:
    """``sizes`` with height and width as the file takes them."""
    return list(dict.fromkeys((batch, taken(height), taken(width)) for batch, height, width in sizes))


def _deviation(
    converted: fx.GraphModule, captured: Captured, localized: Localized | None, window: tuple[int, int]
) -> tuple[str, ...]:
    """What statistics on a grid cost against exact ones, at an image of four windows; empty where all are exact."""
    if localized is None or localized.training.nodes_per_window is None:
        return ()
    images = captured.inputs.random(1, 2 * window[0], 2 * window[1])
    with torch.no_grad():
        (fast,) = tensors_of(converted(*images))
        (exact,) = tensors_of(exact_counterpart(converted)(*images))
    off = distance(fast, exact) / max(magnitude(exact), 1e-300)
    size = "x".join(str(extent) for extent in images[0].shape[2:])
    return (
        f"statistics on a grid change the output by up to {off:.1e} of its scale at {size}, against exact ones",
    )
