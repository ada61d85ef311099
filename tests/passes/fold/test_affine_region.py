"""What an affine region may contain, what it must refuse, and the reason it gives."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from passes.fold.affine_region import affine_regions
from passes.program import state
from tests.passes.fold.blocks import PaddedWithBias, randomise
from tests.passes.fold.programs import Folded, capture, convolutions, folded, largest_error, operations

Forward = Callable[[nn.ModuleDict, torch.Tensor], torch.Tensor]


class Sketch(nn.Module):
    """Layers by name and a forward function over them."""

    def __init__(self, forward: Forward, **layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleDict(layers)
        self.compute = forward

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.compute(self.layers, x)


def sketch(forward: Forward, **layers: nn.Module) -> Folded:
    return folded(randomise(Sketch(forward, **layers)))


class Scale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.beta = nn.Parameter(torch.ones(1, 4, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.beta


def conv(size: int | tuple[int, int] = 3, **options: object) -> nn.Conv2d:
    return nn.Conv2d(4, 4, size, **options)  # type: ignore[arg-type]


ONE_CONVOLUTION: dict[str, Callable[[], Folded]] = {
    "a 3x3 then a 1x1": lambda: sketch(
        lambda m, x: m["b"](m["a"](x)), a=nn.Conv2d(4, 16, 3, padding=1), b=nn.Conv2d(16, 4, 1)
    ),
    "an unbiased 1x1 then a zero-padded 3x3": lambda: sketch(
        lambda m, x: m["b"](m["a"](x)), a=nn.Conv2d(4, 16, 1, bias=False), b=nn.Conv2d(16, 4, 3, padding=1)
    ),
    "a scaled residual": lambda: sketch(lambda m, x: x + m["s"](m["a"](x)), a=conv(padding=1), s=Scale()),
    "same padding, odd kernel": lambda: sketch(
        lambda m, x: m["b"](m["a"](x)) + x, a=conv(padding="same"), b=conv(1)
    ),
    "same padding, dilated": lambda: sketch(
        lambda m, x: m["b"](m["a"](x)) * 0.5, a=conv(padding="same", dilation=2), b=conv(1)
    ),
    "a strided 3x3 then a 1x1": lambda: sketch(
        lambda m, x: m["b"](m["a"](x)), a=nn.Conv2d(4, 16, 3, stride=2, padding=1), b=nn.Conv2d(16, 4, 1)
    ),
    "a 1x1 then a strided 1x1": lambda: sketch(
        lambda m, x: m["b"](m["a"](x)), a=conv(1), b=conv(1, stride=2)
    ),
    "grouped branches": lambda: sketch(
        lambda m, x: m["a"](x) - m["b"](x), a=conv(padding=1, groups=2), b=conv(1, groups=2)
    ),
    "channels concatenated and mixed": lambda: sketch(
        lambda m, x: m["b"](torch.cat([m["a"](x), x], 1)), a=conv(padding=1), b=nn.Conv2d(8, 4, 1)
    ),
    "channels split and summed": lambda: sketch(
        lambda m, x: sum(m["a"](x).chunk(4, 1)), a=nn.Conv2d(4, 16, 3, padding=1)
    ),
    "an average pool between convolutions": lambda: sketch(
        lambda m, x: F.avg_pool2d(m["a"](x), 3, 1, 1) + m["b"](x), a=conv(1, bias=False), b=conv(padding=1)
    ),
    "a batch norm before an unpadded convolution": lambda: sketch(
        lambda m, x: m["a"](m["n"](x)), a=conv(), n=nn.BatchNorm2d(4)
    ),
    "a pad before a convolution": lambda: sketch(lambda m, x: m["a"](F.pad(x, (1, 1, 1, 1))), a=conv()),
    "a 1x1 bordered with its bias": lambda: sketch(
        lambda m, x: m["a"](x) + m["b"](x), a=PaddedWithBias(4, 8, None), b=conv(padding=1)
    ),
}


@pytest.fixture(params=ONE_CONVOLUTION, scope="module")
def region(request: pytest.FixtureRequest) -> Folded:
    return ONE_CONVOLUTION[request.param]()


def test_region_is_one_convolution_equal_to_eager(region: Folded) -> None:
    assert operations(region.program) == [str(region.convolutions()[0].target)]
    assert largest_error(region, sizes=((3, 3), (4, 5), (8, 11))) <= 1e-5


REFUSED: dict[str, tuple[Callable[[], Folded], str]] = {
    "a biased 1x1 before a zero-padded 3x3": (
        lambda: sketch(lambda m, x: m["b"](m["a"](x)), a=conv(1), b=conv(padding=1)),
        "padded with a constant that is not the bias",
    ),
    "two zero-padded 3x3": (
        lambda: sketch(lambda m, x: m["b"](m["a"](x)), a=conv(padding=1, bias=False), b=conv(padding=1)),
        "would still reach into the image",
    ),
    "a depthwise-separable pair": (
        lambda: sketch(
            lambda m, x: m["b"](m["n"](m["a"](x))),
            a=conv(padding=1, groups=4),
            n=nn.BatchNorm2d(4),
            b=conv(1),
        ),
        "one convolution would take 144 MACs per pixel; it stays 2 convolutions, 52 MACs per pixel",
    ),
    "an intermediate value read elsewhere": (
        lambda: sketch(lambda m, x: m["b"](y := m["a"](x)) + y.relu(), a=conv(padding=1), b=conv(1)),
        "read elsewhere",
    ),
    "reflect padding between": (
        lambda: sketch(
            lambda m, x: m["b"](m["a"](x)), a=conv(padding=1), b=conv(padding=1, padding_mode="reflect")
        ),
        "reflect padding repeats pixels",
    ),
    "circular padding between": (
        lambda: sketch(
            lambda m, x: m["b"](m["a"](x)), a=conv(padding=1), b=conv(padding=1, padding_mode="circular")
        ),
        "circular padding repeats pixels",
    ),
    "a strided 3x3 before a zero-padded 3x3": (
        lambda: sketch(
            lambda m, x: m["b"](m["a"](x)),
            a=conv(stride=2, padding=1, bias=False),
            b=conv(stride=2, padding=1),
        ),
        "would still reach into the image",
    ),
    "a transposed convolution after a convolution": (
        lambda: sketch(lambda m, x: m["b"](m["a"](x)), a=conv(1), b=nn.ConvTranspose2d(4, 4, 2, 2)),
        "only scales and norms fold in",
    ),
    "a change of dtype between": (
        lambda: sketch(
            lambda m, x: (m["a"](x) * torch.ones((), dtype=torch.float64).expand(1, 1, 1, 1)).float(),
            a=conv(1),
        ),
        "changes dtype from torch.float32 to torch.float64",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_merge_is_refused_with_its_reason_and_nothing_changes(case: str) -> None:
    make, reason = REFUSED[case]
    work = make()
    assert reason in work.reasons()
    assert not any(rewrite.kind == "affine region" for rewrite in work.result.rewrites)
    assert largest_error(work, sizes=((4, 5), (8, 11))) <= 1e-5


def test_channels_may_be_written_as_an_expression_in_the_size() -> None:
    """The exporter writes the channels behind a pixel shuffle as a quotient of sizes that is always 4."""
    work = sketch(
        lambda m, x: x + m["b"](m["a"](F.pixel_shuffle(F.pixel_unshuffle(x, 2), 2))),
        a=conv(padding=1),
        b=conv(1),
    )
    assert len(work.convolutions()) == 1
    assert largest_error(work, sizes=((2, 2), (4, 6), (8, 12))) <= 1e-5


def test_average_over_the_whole_map_stays_a_statistic() -> None:
    work = sketch(lambda m, x: m["b"](m["a"](x).mean((2, 3), keepdim=True)), a=conv(1), b=conv(1))
    assert len(work.convolutions()) == 2
    assert largest_error(work) <= 1e-5


def test_value_that_is_also_an_output_is_kept() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wide, self.narrow = nn.Conv2d(4, 16, 3, padding=1), nn.Conv2d(16, 4, 1)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            wide = self.wide(x)
            return wide, self.narrow(wide)

    work = folded(randomise(Two()))
    assert len(work.convolutions()) == 2
    assert "read elsewhere" in work.reasons()


def test_tied_blocks_share_their_folded_weight() -> None:
    work = sketch(
        lambda m, x: m["b"](m["a"](m["b"](m["a"](x)).relu())),
        a=nn.Conv2d(4, 16, 3, padding=1),
        b=nn.Conv2d(16, 4, 1),
    )
    first, second = work.convolutions()
    assert first.args[1] is second.args[1]
    assert len([name for name in state(work.program) if "weight" in name]) == 1


def test_masked_taps_are_not_computed() -> None:
    layer = conv(5, padding=2)
    work_module = randomise(Sketch(lambda m, x: m["a"](x), a=layer))
    layer.weight.data[:, :, :2] = 0
    work = folded(work_module)
    (node,) = work.convolutions()
    assert tuple(node.args[1].meta["val"].shape) == (4, 4, 3, 5)
    assert largest_error(work) <= 1e-5


def test_composed_weight_that_overflows_half_precision_is_refused() -> None:
    module = Sketch(
        lambda m, x: m["b"](m["a"](x)), a=nn.Conv2d(4, 16, 3, padding=1), b=nn.Conv2d(16, 4, 1)
    ).half()
    for layer in module.layers.values():
        layer.weight.data.fill_(300.0)
        layer.bias.data.zero_()
    work = folded(module.eval(), dtype=torch.float16)
    assert len(work.convolutions()) == 2
    assert "do not fit into torch.float16" in work.reasons()


class NormedPixels(nn.Module):
    """A region of two convolutions, and a batch norm over pixels in a row, which no region takes in."""

    def __init__(self) -> None:
        super().__init__()
        self.region = nn.Sequential(nn.Conv2d(4, 8, 1), nn.Conv2d(8, 4, 1))
        self.norm = nn.BatchNorm1d(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.region(x).flatten(2))


@pytest.mark.parametrize(
    ("network", "is_composed_again"), [(lambda: NormedPixels().region, False), (NormedPixels, True)]
)
def test_the_float64_of_a_folded_weight_is_kept_only_while_it_may_be_composed_again(
    network: Callable[[], nn.Module], is_composed_again: bool
) -> None:
    program = capture(network().eval())
    affine_regions(program)
    (convolution,) = convolutions(program)
    assert ("exact" in convolution.args[1].meta) == is_composed_again
