"""Multiply-adds are counted as PyTorch's own counter counts operations, two to one."""

from __future__ import annotations

import pytest
import torch
from spandrel.architectures.NAFNet import NAFNet
from spandrel.architectures.RCAN import RCAN
from spandrel.architectures.SwinIR import SwinIR
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from passes.sizes import image_size
from tlcconvert.capture.capture import capture
from tlcconvert.verification.cost import PER_ELEMENT, GraphCost
from tlcconvert.verification.multiply_adds import OperatorCounter, multiply_adds


def rcan() -> nn.Module:
    return RCAN(n_feats=8, n_resgroups=1, n_resblocks=2, scale=2, reduction=4)


def nafnet() -> nn.Module:
    return NAFNet(width=8, enc_blk_nums=[1], middle_blk_num=1, dec_blk_nums=[1])


def swinir() -> nn.Module:
    return SwinIR(
        embed_dim=12,
        depths=(2,),
        num_heads=(2,),
        window_size=8,
        img_size=16,
        upscale=2,
        upsampler="nearest+conv",
    )


class Transposed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2)
        self.lines = nn.Conv1d(6, 3, 5, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.up(x)
        return self.lines(y.flatten(2)).unflatten(2, y.shape[2:])


def counted(network: nn.Module, image: Tensor) -> int:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(image)
    return int(counter.get_total_flops()) // 2


@pytest.mark.parametrize("build", [rcan, nafnet, swinir], ids=["RCAN", "NAFNet", "SwinIR"])
def test_a_running_network_takes_what_pytorch_counts(build: object) -> None:
    network = build().eval()  # type: ignore[operator]
    image = torch.rand(2, 3, 40, 56)
    with torch.no_grad(), OperatorCounter() as counter:
        network(image)
    assert counter.multiply_adds == counted(network, image) > 0


def test_a_transposed_convolution_counts_what_goes_in() -> None:
    image = torch.rand(1, 4, 9, 11)
    with torch.no_grad(), OperatorCounter() as counter:
        Transposed()(image)
    own = 4 * 9 * 11 * (6 // 2) * 9
    assert counter.multiply_adds == own + 3 * 19 * 23 * 6 * 5


@pytest.mark.parametrize("build", [rcan, nafnet], ids=["RCAN", "NAFNet"])
@pytest.mark.parametrize("size", [(1, 48, 64), (3, 33, 90)], ids=str)
def test_a_graph_is_counted_at_sizes_it_was_not_captured_at(
    build: object, size: tuple[int, int, int]
) -> None:
    network = build().eval()  # type: ignore[operator]
    program = capture(network, input_channels=3).program
    cost = GraphCost(program.graph, image_size(program), per_element=0)
    assert cost.multiply_adds(*size) == counted(network, torch.rand(size[0], 3, *size[1:]))


def test_what_is_written_without_multiplying_counts_too() -> None:
    program = capture(nn.Sequential(nn.ReLU(), nn.ReLU()), input_channels=3).program
    cost = GraphCost(program.graph, image_size(program))
    assert cost.multiply_adds(2, 10, 20) == 2 * (2 * 3 * 10 * 20) * PER_ELEMENT


@pytest.mark.parametrize(
    ("equation", "shapes", "expected"),
    [
        ("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)], 2 * 3 * 4 * 5),
        ("...ij,jk->...ik", [(7, 3, 4), (4, 5)], 7 * 3 * 4 * 5),
        ("bij->bji", [(2, 3, 4)], 0),
    ],
)
def test_a_sum_of_products_counts_every_combination_of_its_subscripts(
    equation: str, shapes: list[tuple[int, ...]], expected: int
) -> None:
    sizes = [torch.Size(shape) for shape in shapes]
    assert multiply_adds(torch.ops.aten.einsum.default, [equation, sizes], ()) == expected
