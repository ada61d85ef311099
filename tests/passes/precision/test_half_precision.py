"""A program in half precision keeps what float16 would lose, and rounds the rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram
from torch.nn import functional

import passes.statistics  # noqa: F401  registers the operators of statistics
from passes.precision.half_precision import half_precision
from passes.program import runnable, state, with_own_graph
from passes.speed.channel_mean import channel_mean
from tests.captured import captured

aten, tlc = torch.ops.aten, torch.ops.tlc
HALF, FULL = torch.float16, torch.float32


def halved(network: nn.Module, channels: int = 3, **options: bool) -> ExportedProgram:
    program = captured(network, channels, dtype=FULL)
    half_precision(program, **options)
    return program


def calls(program: ExportedProgram, target: Any) -> list[fx.Node]:
    return [node for node in program.graph.nodes if node.target is target]


def types(program: ExportedProgram, target: Any) -> set[torch.dtype]:
    return {node.meta["val"].dtype for node in calls(program, target)}


def decibels(program: ExportedProgram, network: nn.Module, image: Tensor, expected_at: Tensor) -> float:
    with torch.no_grad():
        expected = network(expected_at).double()
        own = runnable(program)(image).double()
    return float(20 * (expected.abs().max() / (own - expected).square().mean().sqrt()).log10())


class Gate(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head, self.tail = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)
        self.squeeze = nn.Conv2d(8, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        features = self.head(x).relu()
        return x + self.tail(features * self.squeeze(features.mean((2, 3), keepdim=True)).sigmoid())


class ChannelNorm(nn.Module):
    """As NAFNets write it, over a map that goes on beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.tail = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 1)
        self.scale = nn.Parameter(torch.rand(1, 8, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        features = self.head(x)
        mean = features.mean(1, keepdim=True)
        variance = (features - mean).pow(2).mean(1, keepdim=True)
        return features + self.tail((features - mean) / (variance + 1e-6).sqrt() * self.scale)


class PixelNorm(nn.Module):
    """An instance norm of half of the channels, at a high level."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.tail = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 3, 1)
        nn.init.constant_(self.head.bias, 70)

    def forward(self, x: Tensor) -> Tensor:
        normed, rest = self.head(x).chunk(2, 1)
        return self.tail(torch.cat([functional.instance_norm(normed), rest - 70], 1))


class LocalNorm(PixelNorm):
    def forward(self, x: Tensor) -> Tensor:
        return self.tail(tlc.local_normalize(self.head(x), 4, 4, 8, 1e-5))


class WrittenNorm(PixelNorm):
    def forward(self, x: Tensor) -> Tensor:
        features = self.head(x)
        deviation = features - tlc.replicate(tlc.local_mean(features, 4, 4), x.shape[2], x.shape[3])
        return self.tail(deviation * 10)


class Attention(nn.Module):
    """Over pixels: products of as many terms as there are pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.tail = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        pixels = self.head(x).flatten(2)
        unit = functional.normalize(pixels, dim=-1)
        attended = (unit @ unit.mT).softmax(-1) @ pixels
        return self.tail(attended.reshape(x.shape[0], 8, x.shape[2], x.shape[3]))


NETWORKS = (Gate, ChannelNorm, PixelNorm, LocalNorm, WrittenNorm, Attention)


def images() -> Iterator[Tensor]:
    """Noise; and areas that are flat but for a thousandth."""
    torch.manual_seed(0)
    yield torch.rand(2, 3, 23, 31)
    flat = torch.full((1, 3, 24, 32), 0.25)
    flat[..., 16:] = 0.5
    yield flat + 1e-3 * torch.rand_like(flat)


def made(network: type[nn.Module]) -> nn.Module:
    torch.manual_seed(1)
    return network().eval()


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.__name__)
@pytest.mark.parametrize("is_half_outside", [False, True], ids=["float32 outside", "float16 outside"])
def test_it_computes_the_same_but_for_rounding(network: type[nn.Module], is_half_outside: bool) -> None:
    module = made(network)
    program = halved(module, is_half_outside=is_half_outside)
    for image in images():
        if is_half_outside:
            image = image.half().float()  # what an image loses before it is there is not the program's
        assert decibels(program, module, image.half() if is_half_outside else image, image) > 60
    program.validate()


def test_what_nodes_say_they_compute_in_is_what_they_do() -> None:
    for network in NETWORKS:
        program = halved(made(network))
        declared = {node.name: node.meta["val"] for node in program.graph.nodes if "val" in node.meta}
        for node, value in Recorded(runnable(program)).types(torch.rand(1, 3, 9, 11)).items():
            if isinstance(declared[node], Tensor):
                assert value == declared[node].dtype, node


class Recorded(fx.Interpreter):
    def types(self, image: Tensor) -> dict[str, torch.dtype]:
        self.found: dict[str, torch.dtype] = {}
        self.run(image)
        return self.found

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if n.op == "call_function" and isinstance(value, Tensor):
            self.found[n.name] = value.dtype
        return value


def test_products_and_what_is_between_them_are_half() -> None:
    program = halved(made(Gate))
    assert types(program, aten.conv2d.default) == {HALF}
    assert types(program, aten.relu.default) == types(program, aten.mul.Tensor) == {HALF}
    assert types(program, aten.mean.dim) == {FULL}


def test_the_way_around_the_network_keeps_the_image_unless_that_is_half() -> None:
    assert types(halved(made(Gate)), aten.add.Tensor) == {FULL}
    program = halved(made(Gate), is_half_outside=True)
    assert types(program, aten.add.Tensor) == {HALF}
    (output,) = program.graph.output_node().args[0]  # type: ignore[misc]
    assert output.meta["val"].dtype == HALF  # type: ignore[union-attr]


def test_a_norm_over_channels_is_float32_from_its_mean_to_its_quotient() -> None:
    for rewrite in (False, True):
        program = captured(made(ChannelNorm), dtype=FULL)
        if rewrite:
            channel_mean(program)
        half_precision(program)
        for target in (aten.sub.Tensor, aten.pow.Tensor_Scalar, aten.sqrt.default, aten.div.Tensor):
            assert types(program, target) == {FULL}
        assert types(program, aten.conv2d.default) == {HALF}
        assert types(program, aten.matmul.default) <= {FULL}
        stored = {name: tensor for name, tensor in state(program).items() if "mean_of" in name}
        assert {tensor.dtype for tensor in stored.values()} <= {FULL}


@pytest.mark.parametrize("network", [PixelNorm, LocalNorm, WrittenNorm])
def test_a_map_whose_deviations_are_taken_is_float32_from_its_convolution_on(
    network: type[nn.Module],
) -> None:
    program = halved(made(network))
    head, tail = calls(program, aten.conv2d.default)
    assert (head.meta["val"].dtype, tail.meta["val"].dtype) == (FULL, HALF)


def test_weights_of_products_are_stored_in_half_whatever_the_product_computes_in() -> None:
    program = halved(made(PixelNorm))
    weights = [tensor for tensor in state(program).values() if tensor.dim() > 1]
    assert {tensor.dtype for tensor in weights} == {HALF}


class Numbers(nn.Module):
    """Numbers float16 has not, and some it has."""

    def forward(self, x: Tensor) -> Tensor:
        x = functional.conv2d(x, self.weight)
        return functional.conv2d((x + 1e-6) * 1e5 + x.shape[2], self.weight) + (x * 0.25).tanh()

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(3, 3, 1, 1))


def test_arithmetic_with_numbers_float16_has_not_is_float32() -> None:
    program = halved(made(Numbers))
    dtypes = {node.args[1]: node.meta["val"].dtype for node in calls(program, aten.mul.Tensor)}
    assert dtypes == {1e5: FULL, 0.25: HALF}
    assert types(program, aten.tanh.default) == {HALF}


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(nn.Conv2d(3, 3, 1) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        weights = x.exp()
        return sum(convolution(weights) for convolution in self.convolutions)  # type: ignore[return-value]


def test_a_value_is_cast_once_however_many_read_it() -> None:
    program = halved(made(Twice))
    sources = [node.args[0] for node in calls(program, aten._to_copy.default)]
    assert len(sources) == len(set(sources)) == 2


class Products(nn.Module):
    """Of a map with itself over its pixels, and over its channels."""

    def forward(self, x: Tensor) -> Tensor:
        pixels = x.flatten(2)
        return (pixels @ pixels.mT) @ pixels


def test_sums_over_pixels_are_float32_and_sums_over_channels_are_not() -> None:
    over_pixels, over_channels = calls(halved(Products(), is_half_outside=True), aten.matmul.default)
    assert (over_pixels.meta["val"].dtype, over_channels.meta["val"].dtype) == (FULL, HALF)


def test_float64_is_left_alone() -> None:
    program = captured(made(Gate), dtype=torch.float64)
    half_precision(program)
    assert not calls(program, aten._to_copy.default)


def test_the_program_it_was_copied_from_keeps_its_weights() -> None:
    program = captured(made(Gate), dtype=FULL)
    half_precision(with_own_graph(program))
    assert {tensor.dtype for tensor in program.state_dict.values()} == {FULL}
    image = next(images())
    assert torch.equal(runnable(program)(image), made(Gate)(image))
