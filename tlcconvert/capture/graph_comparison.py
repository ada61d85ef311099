"""A captured graph against its network, run at the same images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tlcconvert.capture.export_guards import Shape
from tlcconvert.errors import first_line
from tlcconvert.network.eager_reference import tensors_of
from tlcconvert.network.network_inputs import NetworkInputs
from tlcconvert.network.output_distance import TOLERANCE, distance, magnitude


@dataclass(frozen=True)
class Agreement:
    """Whether graph and network agreed.

    Attributes:
        difference: the first one in words, or ``""``.
        at: (batch, height, width) of that difference.
    """

    difference: str = ""
    at: Shape | None = None


def compare(
    graph: nn.Module, original: nn.Module, inputs: NetworkInputs, shapes: Sequence[Shape]
) -> Agreement:
    """Runs both at ``shapes`` up to the first difference.

    Shapes at which the original itself raises or is not finite are left out.
    """
    is_compared = False
    for seed, shape in enumerate(shapes):
        image = inputs.random(*shape, seed=seed)
        expected = expected_of(original, image)
        if expected is None:
            continue
        difference = _difference(graph, image, expected)
        if difference:
            return Agreement(f"at {'x'.join(map(str, shape))} {difference}", shape)
        is_compared = True
    return Agreement("" if is_compared else "the network accepts none of the sizes to compare at")


def expected_of(original: nn.Module, image: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
    """What the network returns, or None where it raises or is not finite."""
    try:
        expected = tensors_of(original(*image))
    except Exception:
        return None
    return expected if all(bool(torch.isfinite(tensor).all()) for tensor in expected) else None


def _difference(graph: nn.Module, image: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> str:
    try:
        with torch.no_grad():
            computed = tensors_of(graph(*(tensor.clone() for tensor in image)))
    except Exception as error:
        return f"the graph raises {first_line(error)}"
    if [tensor.shape for tensor in computed] != [tensor.shape for tensor in expected]:
        shapes = [list(tensor.shape) for tensor in computed], [list(tensor.shape) for tensor in expected]
        return f"the graph returns shapes {shapes[0]}, the network {shapes[1]}"
    for own, reference in zip(computed, expected, strict=True):
        deviation, largest = distance(own, reference), magnitude(reference)
        if not deviation <= TOLERANCE * largest:
            return f"the graph is off by {deviation:.1e} where the network's values reach {largest:.1e}"
    return ""
