"""The routed graph in onnxruntime against PyTorch: class maps first, then images on the same class map.

The largest of several logits is discontinuous: where two are equal to rounding, either class is right. So class maps
are compared by what they are worth, the logits of the classes they chose, and the reference restores the image
with the class map under test. Every pixel is compared, whichever way such a patch went.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tlcconvert.classsr.patches import crop
from tlcconvert.classsr.routing import BudgetedImage, RoutedImage
from tlcconvert.errors import first_line
from tlcconvert.network.output_distance import TOLERANCE, distance, magnitude
from tlcconvert.verification.error_histogram import error_histogram
from tlcconvert.verification.parity import Comparison, Parity

Shape = tuple[int, int, int]
Candidate = Callable[..., tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Case:
    """Batch, height and width of an image; what follows it, and what that is called."""

    shape: Shape
    controls: tuple[Tensor, ...] = ()
    name: str = ""


def cases_of(routed: RoutedImage) -> Sequence[Case]:
    """One pixel, sizes just below, at and above one and two patches, flat ones, several images; then, on an image
    of six patches, a bias and a budget, each alone and together, and everything on the last branch.
    """
    one, two = routed.grid.size, routed.grid.size + routed.grid.step
    shapes = [(1, 1, 1), (2, one - 1, one + 1), (1, two, two + 1), (1, 1, two - 1), (3, one, 5)]
    if not isinstance(routed, BudgetedImage):
        return [Case(shape) for shape in shapes]
    classes = len(routed.network.branches)
    none, toward_first = torch.zeros(classes), torch.linspace(0.5, -0.5, classes)
    chosen = (
        ("bias", toward_first, 0.0),
        ("budget 0.5", none, 0.5),
        ("bias, budget 0.7", toward_first, 0.7),
        ("budget 1", none, 1.0),
    )
    return [Case(shape, (none, torch.tensor(0.0))) for shape in shapes] + [
        Case((1, two, two + 1), (bias, torch.tensor(budget)), name) for name, bias, budget in chosen
    ]


def random_image(shape: Shape, channels: int, seed: int) -> Tensor:
    """Noise whose contrast changes from place to place, so that patches differ."""
    batch, height, width = shape
    generator = torch.Generator().manual_seed(seed)
    contrast = torch.linspace(0.05, 1, width) * torch.linspace(1, 0.2, height)[:, None]
    return torch.rand(batch, channels, height, width, generator=generator) * contrast


@torch.no_grad()
def compare(candidate: Candidate, reference: RoutedImage, cases: Sequence[Case], what: str) -> Parity:
    """``candidate``, called as ``reference`` is, in each case."""
    rows: list[Comparison] = []
    for number, case in enumerate(cases):
        image = random_image(case.shape, reference.network.colors, number)
        compared = f"{what} ({case.name})" if case.name else what
        try:
            restored, class_map = candidate(image, *case.controls)
        except Exception as error:
            raised = first_line(error)
            note = f"it raises {raised}"
            rows.append(Comparison(compared, *case.shape, math.nan, 1.0, TOLERANCE, note, raised=raised))
            continue
        rows += _judged(restored, class_map, reference, image, case, compared)
    return Parity(tuple(rows))


def _judged(
    restored: Tensor, class_map: Tensor, reference: RoutedImage, image: Tensor, case: Case, what: str
) -> list[Comparison]:
    patches = crop(image, reference.grid)
    own_map = reference.choose(patches, *case.controls)
    expected = reference.restore(image, patches, class_map)
    if restored.shape != expected.shape or class_map.shape != own_map.shape:
        note = f"shapes {list(restored.shape)}, {list(class_map.shape)}"
        return [Comparison(what, *case.shape, math.nan, 1.0, TOLERANCE, note)]
    logits = reference.logits(patches)
    scores = logits + case.controls[0] if case.controls else logits
    worth, own_worth = (
        scores.gather(-1, classes[..., None]).sum((1, 2, 3)) for classes in (class_map, own_map)
    )
    return [
        Comparison(
            f"class map, {what}", *case.shape, distance(worth, own_worth), magnitude(scores), TOLERANCE
        ),
        Comparison(
            what,
            *case.shape,
            distance(restored, expected),
            magnitude(expected),
            TOLERANCE,
            histogram=error_histogram(restored, expected),
        ),
    ]
