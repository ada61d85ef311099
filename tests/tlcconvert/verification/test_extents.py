"""What extents of the image a graph compares with numbers is read off its sizes."""

from __future__ import annotations

import pytest
from torch import Tensor, nn

from passes.localize import Training, localize
from passes.sizes import image_size
from tlcconvert.capture.capture import capture
from tlcconvert.verification.extents import Demands, demands, with_windows


def demanded(network: nn.Module) -> Demands:
    program = capture(network.eval(), input_channels=3).program
    return demands(program.graph, image_size(program))


def exactly(extent: int) -> int:
    return extent


class Pyramid(nn.Module):
    """Four times down on the height, twice on the width."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(x, (4, 2)).exp()


class FarReaching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rows = nn.Conv2d(3, 3, (3, 1), dilation=(30, 1), padding=(30, 0))

    def forward(self, x: Tensor) -> Tensor:
        return self.rows(x)


class Padded(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.pad(x, (70, 3, 0, 50), mode="replicate")


class CutAtFifty(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        head = x[:, :, :50]
        return x + head.mean((2, 3), keepdim=True)


class InParts(nn.Module):
    """Means over parts of 24 x 20 pixels, as attention is taken in windows."""

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        padded = nn.functional.pad(x, (0, -width % 20, 0, -height % 24))
        high, wide = padded.shape[2:]
        parts = padded.view(batch, channels, high // 24, 24, wide // 20, 20)
        parts = parts - parts.mean((3, 5), keepdim=True)
        return parts.reshape(batch, channels, high, wide)[:, :, :height, :width]


class ChannelsLast(nn.Module):
    """Down by 2 with channels last."""

    def forward(self, x: Tensor) -> Tensor:
        y = nn.functional.avg_pool2d(x, 2).permute(0, 2, 3, 1)
        return y.exp()


@pytest.mark.parametrize(
    ("network", "shortest"),
    [
        # 33 pixels on the smallest map.
        (nn.ReLU(), (33, 33)),
        (Pyramid(), (132, 66)),
        (ChannelsLast(), (66, 66)),
        # More than the kernel reaches over, than a pad adds, than a slice takes.
        (FarReaching(), (62, 33)),
        (Padded(), (51, 71)),
        (CutAtFifty(), (51, 33)),
        # More than two parts of the map, which is padded to whole parts.
        (InParts(), (49, 41)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_image_is_long_enough_for_what_the_graph_compares_it_with(
    network: nn.Module, shortest: tuple[int, int]
) -> None:
    assert demanded(network).shortest(exactly) == shortest


def test_sizes_are_those_the_file_takes() -> None:
    def multiple_of_16(extent: int) -> int:
        return -(-extent // 16) * 16

    assert demanded(Pyramid()).shortest(multiple_of_16) == (144, 80)


def test_what_no_image_is_long_enough_for_is_told() -> None:
    deep = nn.Sequential(*[nn.AvgPool2d(2) for _ in range(8)])
    program = capture(deep, input_channels=3, minimum_hint=256).program
    assert demands(program.graph, image_size(program)).shortest(exactly) == (None, None)


def test_thin_images_have_more_than_one_element_on_every_map() -> None:
    assert demanded(Pyramid()).least_across(2, exactly) == (8, 4)


def test_windows_ask_for_more_than_the_graph_of_the_network() -> None:
    class Squeeze(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = nn.functional.avg_pool2d(x, 2)
            return y * y.mean((2, 3), keepdim=True)

    program = capture(Squeeze(), input_channels=3).program
    network = demands(program.graph, image_size(program))
    localized = localize(program, Training.on_crops((64, 128)))
    assert [site.map.window for site in localized.sites] == [(48, 96)]
    assert network.shortest(exactly) == (66, 66)
    # A quarter more than the window, on a map of half the size.
    assert with_windows(network, localized.sites).shortest(exactly) == (2 * 61, 2 * 121)
