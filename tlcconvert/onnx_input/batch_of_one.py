"""A batch that reshapes fix at 1, as simplifiers leave it, made free again.

    Reshape(x [1, 64, 48, 48], [1, 8, 8, 2304])    ->    Reshape(x, [0, 8, 8, 2304])        0: as in x

At a batch of 1 both are the same. The free one is taken where it computes of two images what it computes of each, and
the one in the file does not.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from tlcconvert.errors import InputError
from tlcconvert.network.eager_reference import tensors_of
from tlcconvert.network.network_inputs import ExtraInput, NetworkInputs
from tlcconvert.network.output_distance import TOLERANCE, distance, magnitude
from tlcconvert.network.shape_run import shape_run
from tlcconvert.onnx_input.network.onnx_network import OnnxNetwork

_SIDES = (64, 48, 96, 128, 224, 256)  # pixels


def free_batch_of(
    network: OnnxNetwork, channels: int | None, extra: Sequence[ExtraInput], *, is_declared_one: bool
) -> None:
    """Frees the batch of ``network`` in place where only reshapes fix it at 1.

    Args:
        is_declared_one: what the file says; a file that says otherwise is believed where it takes two images.

    Raises:
        InputError: it is for one image, runs with two, and makes of them something else than of each.
    """
    inputs = NetworkInputs(channels or 3, tuple(extra))
    run = shape_run(network, inputs)
    side = None if run is None else next((side for side in _SIDES if run(side, side, 1)), None)
    if run is None or side is None:
        return
    takes_two = bool(run(side, side, 2))
    if takes_two and (not is_declared_one or _computes_images_apart(network, inputs, side)):
        return
    fixed = network.free_batch()
    if _computes_images_apart(network, inputs, side):
        return
    network.fix_batch(fixed)
    if takes_two:
        raise InputError(
            "The ONNX file is for one image at a time: it declares a batch of 1, and makes of two images something "
            "else than of each. Export it with a dynamic batch."
        )


def _computes_images_apart(network: OnnxNetwork, inputs: NetworkInputs, side: int) -> bool:
    one, other = (inputs.random(1, side, side, seed=seed) for seed in (1, 2))
    axes = [shape[0] == "batch" for shape in inputs.shapes]
    both = [torch.cat([a, b]) if has_batch else a for a, b, has_batch in zip(one, other, axes, strict=True)]
    second = [b if has_batch else a for a, b, has_batch in zip(one, other, axes, strict=True)]
    try:
        with torch.no_grad():
            together, apart = network(*both), [network(*images) for images in (one, second)]
    except Exception:
        return False
    singles = [torch.cat(pair) for pair in zip(*(tensors_of(outputs) for outputs in apart), strict=True)]
    return all(
        own.shape == expected.shape and distance(own, expected) <= TOLERANCE * magnitude(expected)
        for own, expected in zip(tensors_of(together), singles, strict=True)
    )
