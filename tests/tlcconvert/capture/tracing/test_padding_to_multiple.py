"""Padding to a multiple is captured as one product, and every other padding as it stands."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim
from torch.nn import functional

from tlcconvert.capture.tracing.padding_to_multiple import PADDING_TO_MULTIPLE
from tlcconvert.process_state.replaced_functions import ReplacedFunctions

Amount = Callable[[int], int]


class Padded(nn.Module):
    """Pads height and width by what a function of each says, to the right or on both sides."""

    def __init__(self, amount: Amount, before: Amount = lambda size: 0) -> None:
        super().__init__()
        self.amount = amount
        self.before = before

    def forward(self, x: Tensor) -> Tensor:
        pads = [side(size) for size in (x.shape[3], x.shape[2]) for side in (self.before, self.amount)]
        return functional.pad(x, pads) * 2


def exported(network: nn.Module, size: tuple[int, int] = (21, 13)) -> tuple[str, Callable[[Tensor], Tensor]]:
    """The padded height as the exporter writes it, and the program."""
    dynamic = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    with ReplacedFunctions(PADDING_TO_MULTIPLE):
        program = torch.export.export(network, (torch.rand(2, 3, *size),), dynamic_shapes=(dynamic,))
    (output,) = program.graph.output_node().args[0]
    return str(output.meta["val"].shape[2]), program.module(check_guards=False)


TO_A_MULTIPLE: dict[str, Padded] = {
    "to the next": Padded(lambda size: (8 - size % 8) % 8),
    "to the next, negated": Padded(lambda size: -size % 8),
    "to the next quotient": Padded(lambda size: (size + 7) // 8 * 8 - size),
    "twice": Padded(lambda size: (16 - (size + (8 - size % 8) % 8) % 16) % 16 + (8 - size % 8) % 8),
    "on both sides": Padded(lambda size: -size % 8 - (-size % 8) // 2, before=lambda size: (-size % 8) // 2),
}

OTHERS: dict[str, Padded] = {
    "one more than a multiple": Padded(lambda size: -size % 8 + 1),
    "always a whole multiple more": Padded(lambda size: 8 - size % 8),
    "a share of the size": Padded(lambda size: size // 2),
    "a number": Padded(lambda size: 3),
    "by a long period": Padded(lambda size: -size % 2048),
}


@pytest.mark.parametrize("network", TO_A_MULTIPLE.values(), ids=TO_A_MULTIPLE.keys())
def test_a_padding_to_a_multiple_becomes_a_product(network: Padded) -> None:
    height, program = exported(network)
    assert "%" not in height and "Mod" not in height
    for size in [(1, 1), (8, 7), (9, 16), (40, 33), (17, 24)]:
        image = torch.rand(1, 3, *size)
        assert torch.equal(program(image), network(image))


@pytest.mark.parametrize("network", OTHERS.values(), ids=OTHERS.keys())
def test_every_other_padding_is_left_alone(network: Padded) -> None:
    _, program = exported(network)
    for size in [(2, 3), (8, 7), (9, 16), (40, 33), (17, 24)]:
        image = torch.rand(1, 3, *size)
        assert torch.equal(program(image), network(image))


@pytest.mark.parametrize("pads", [(1, 2, 0, 0), (0, 1, 2, 0)], ids=str)
def test_modes_and_values_pass_through(pads: tuple[int, ...]) -> None:
    image = torch.rand(1, 3, 5, 6)
    with ReplacedFunctions(PADDING_TO_MULTIPLE):
        reflected = functional.pad(image, pads, mode="reflect")
        filled = functional.pad(image, pads, value=2.0)
    assert torch.equal(reflected, functional.pad(image, pads, mode="reflect"))
    assert torch.equal(filled, functional.pad(image, pads, value=2.0))
