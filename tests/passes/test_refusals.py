"""A pass that takes nothing has written nothing: the same nodes under the same names, and an empty report."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.export import ExportedProgram

from passes.fold.affine_region import affine_regions
from passes.fold.batch_norm import batch_norm
from passes.fold.transposed_convolution import transposed_convolution
from passes.localize import Localized, Training, localize
from passes.localize.global_forms import unify_global_forms
from passes.localize.nested import match_nested, separate_nested
from passes.program import refresh
from passes.result import PassResult
from passes.simplify.common_subexpressions import share_common_subexpressions
from passes.simplify.constant_numbers import constant_numbers
from passes.simplify.fold_constants import fold_constants
from passes.simplify.frozen_instance_norm import frozen_instance_norm
from passes.simplify.known_bins import known_bins
from passes.simplify.metadata_assertions import drop_metadata_assertions
from passes.simplify.single_slope_prelu import single_slope_prelu
from passes.simplify.token_norm import token_norm
from passes.sizes import image_size
from passes.speed.channel_mean import channel_mean
from passes.speed.channel_prelu import channel_prelu
from passes.speed.gate_product import gate_product
from passes.speed.gelu import gelu
from passes.speed.pixel_shuffle import pixel_shuffle
from passes.speed.split_convolution import split_convolution
from passes.speed.square import square
from passes.speed.squeeze_first import squeeze_first
from passes.speed.whole_channel_blocks import whole_channel_blocks
from passes.statistics import match as match_door
from passes.statistics.attention import door as attention
from passes.statistics.normalize import door as norms
from passes.window_domain.layout import pixel_layouts
from tests.captured import captured

aten, tlc = torch.ops.aten, torch.ops.tlc
CHANNELS = 4


class Computes(nn.Module):
    """A function of the image, and of layers by name."""

    def __init__(self, function: Callable[..., Tensor | tuple[Tensor, ...]], **layers: nn.Module) -> None:
        super().__init__()
        self.function = function
        self.layers = nn.ModuleDict(layers)
        self.factor = nn.Parameter(torch.rand(1, CHANNELS, 1, 1) + 1)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        return self.function(self, x)


def conv(channels: int = CHANNELS, outputs: int = CHANNELS, kernel: int = 1, **options: object) -> nn.Conv2d:
    return nn.Conv2d(channels, outputs, kernel, **options)  # type: ignore[arg-type]


def refreshed(network: nn.Module) -> ExportedProgram:
    """As a pass leaves it that found nothing."""
    program = captured(network, CHANNELS, (13, 10))
    refresh(program)
    return program


def half_normalised_attention(network: Computes, x: Tensor) -> Tensor:
    """Scores divided by a temperature, queries normalised and keys not."""
    q, k, v = (part.flatten(2) for part in network.layers["qkv"](x).chunk(3, 1))
    scores = F.normalize(q, dim=-1) @ k.mT / network.factor[0].sum()
    return (scores.softmax(-1) @ v).reshape(x.shape)


def attention_of_many_temperatures(network: Computes, x: Tensor) -> Tensor:
    """Scores divided by a number for each row, which is none for each head."""
    q, k, v = (part.flatten(2) for part in network.layers["qkv"](x).chunk(3, 1))
    return ((q @ k.mT / network.factor[:, :, 0]).softmax(-1) @ v).reshape(x.shape)


def mean_of_a_norm(network: Computes, x: Tensor) -> tuple[Tensor, ...]:
    """Affine in the image, and no other statistic in it."""
    y = network.layers["norm"](x) * network.factor * network.factor
    return x, (y - network.factor).mean((2, 3))


def maximum_of_a_gate(network: Computes, x: Tensor) -> Tensor:
    """A maximum of scaled pixels is no scaled maximum: the scale may be negative."""
    scale = network.layers["gate"](x.mean((2, 3), keepdim=True)) * network.factor
    return x + ((x * scale) * network.factor).amax((2, 3), keepdim=True).sort(1).values


def dynamic_convolution(network: Computes, x: Tensor) -> Tensor:
    kernel = network.layers["kernel"](x.mean((2, 3))).reshape(-1, 1, 1, 1)
    batch, channels, height, width = x.shape
    return F.conv2d(x.reshape(1, batch * channels, height, width), kernel, groups=batch * channels)


def read_deviation(network: Computes, x: Tensor) -> tuple[Tensor, ...]:
    y, mean, _ = torch.native_group_norm(
        x, None, None, x.shape[0], CHANNELS, x.shape[2] * x.shape[3], 2, 1e-5
    )
    return y, mean


def qkv_conv() -> nn.Conv2d:
    return conv(outputs=3 * CHANNELS)


HALF_NORMALISED = Computes(half_normalised_attention, qkv=qkv_conv())
MANY_TEMPERATURES = Computes(attention_of_many_temperatures, qkv=qkv_conv())
OF_A_NORM = Computes(mean_of_a_norm, norm=nn.BatchNorm2d(CHANNELS))
OF_A_GATE = Computes(maximum_of_a_gate, gate=conv())
SORTED = Computes(lambda _, x: x * x.var((2, 3), keepdim=True).sort(1).values)
READ_DEVIATION = Computes(read_deviation)


def localized(program: ExportedProgram) -> Localized:
    return localize(program, Training((8, 8), (5, 4)))


def shared(program: ExportedProgram) -> PassResult:
    return share_common_subexpressions(program.graph)


def depthwise(channels: int) -> nn.Conv2d:
    return conv(channels, channels, 3, padding=1, groups=channels)


UNTAKEN: dict[Callable[[ExportedProgram], PassResult], dict[str, nn.Module]] = {
    affine_regions: {
        "a border that is not the bias": nn.Sequential(conv(), conv(kernel=3, padding=1)),
        "a product of two maps": Computes(lambda net, x: net.layers["a"](x) * net.layers["b"](x), a=conv(), b=conv()),
    },
    batch_norm: {
        "nothing before it": nn.BatchNorm2d(CHANNELS),
        "a layer read elsewhere": Computes(
            lambda net, x: net.layers["norm"](y := net.layers["layer"](x)) * y,
            layer=conv(),
            norm=nn.BatchNorm2d(CHANNELS),
        ),
    },
    transposed_convolution: {
        "a neighbour": nn.Sequential(nn.ConvTranspose2d(CHANNELS, CHANNELS, 2, 2), conv(kernel=3)),
        "a scale per image": Computes(
            lambda net, x: net.layers["up"](x) * x.mean((2, 3), keepdim=True),
            up=nn.ConvTranspose2d(CHANNELS, CHANNELS, 2, 2),
        ),
    },
    constant_numbers: {"no numbers": conv()},
    drop_metadata_assertions: {"no assertions": conv()},
    fold_constants: {
        "more elements than it is made of": Computes(lambda net, x: x.sum() * net.factor.expand(2**19, -1, 1, 1))
    },
    frozen_instance_norm: {"statistics of the image": nn.InstanceNorm2d(CHANNELS)},
    known_bins: {
        "bins of many lengths": nn.AdaptiveAvgPool2d(3),
        "a bin for the map": nn.AdaptiveAvgPool2d(1),
    },
    single_slope_prelu: {"a slope per channel": Computes(lambda net, x: F.prelu(x, net.factor.flatten()))},
    token_norm: {
        "across tokens": Computes(
            lambda _, x: F.layer_norm(x.flatten(2).mT.softmax(1), (CHANNELS,)).mT.reshape(x.shape)
        ),
        "read as tokens": Computes(
            lambda _, x: (t := F.layer_norm(x.flatten(2).mT, (CHANNELS,))).mT.reshape(x.shape) + t.sum()
        ),
    },
    shared: {"drawn at random": Computes(lambda _, x: x * torch.rand_like(x) + x / torch.rand_like(x))},
    unify_global_forms: {
        "a sum over a fixed number": Computes(lambda _, x: x * x.sum((2, 3), keepdim=True) / 64),
        "two kinds of reduction": Computes(lambda _, x: x - x.amax(3, keepdim=True).mean(2, keepdim=True)),
    },
    separate_nested: {"no nest": OF_A_NORM, "a maximum": OF_A_GATE},
    localized: {
        "an attention of which half is normalised": HALF_NORMALISED,
        "an attention of many temperatures": MANY_TEMPERATURES,
        "kernels made of the image": Computes(dynamic_convolution, kernel=nn.Linear(CHANNELS, CHANNELS)),
        "sorted channels": SORTED,
        "a norm whose mean is read": READ_DEVIATION,
    },
    channel_mean: {
        "of a statistic": Computes(lambda _, x: x * x.amax((2, 3), keepdim=True).mean(1, keepdim=True)),
        "over pixels": Computes(lambda _, x: x - x.mean((2, 3), keepdim=True)),
    },
    channel_prelu: {"slopes of the image": Computes(lambda _, x: F.prelu(x, x.mean((0, 2, 3))))},
    gate_product: {
        "the result": Computes(lambda _, x: x * tlc.replicate(x[:, :, :1, :1], x.shape[2], x.shape[3])),
        "a gate read twice": Computes(
            lambda _, x: (x * (gate := tlc.replicate(x[:, :, :1, :1], x.shape[2], x.shape[3]))).relu() + gate
        ),
    },
    gelu: {"by a tanh": nn.GELU(approximate="tanh")},
    pixel_shuffle: {"of a stack of maps": Computes(lambda _, x: F.pixel_shuffle(x[:, None], 2))},
    split_convolution: {
        "a map read elsewhere": Computes(
            lambda net, x: torch.cat([(y := net.layers["layer"](x)).chunk(2, 1)[0].relu(), y], 1), layer=conv()
        ),
        "parts across groups": Computes(
            lambda net, x: torch.cat([part.relu() for part in net.layers["layer"](x).split([1, 3], 1)], 1),
            layer=conv(groups=2),
        ),
    },
    square: {"a cube": Computes(lambda _, x: x**3)},
    squeeze_first: {
        "too little of a squeeze": Computes(
            lambda net, x: net.layers["a"](tlc.local_mean(x, 4, 3)), a=conv(outputs=2)
        ),
        "a mean read twice": Computes(
            lambda net, x: net.layers["a"](m := tlc.local_mean(x, 4, 3)) * m, a=conv(outputs=1)
        ),
    },
    whole_channel_blocks: {
        "too much growth": nn.Sequential(conv(outputs=12), depthwise(12), conv(12)),
        "read by a softmax": nn.Sequential(conv(outputs=15), depthwise(15), nn.Softmax(1), conv(15)),
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("transformation", "why"),
    [(transformation, why) for transformation, networks in UNTAKEN.items() for why in networks],
    ids=lambda part: part if isinstance(part, str) else part.__name__,
)
def test_what_a_pass_does_not_take_it_leaves_as_it_is(
    transformation: Callable[[ExportedProgram], PassResult], why: str
) -> None:
    program = refreshed(UNTAKEN[transformation][why])
    before, state = str(program.graph), list(program.state_dict)
    result = transformation(program)
    assert not result.rewrites
    assert str(program.graph) == before
    assert list(program.state_dict) == state


@pytest.mark.parametrize("network", [HALF_NORMALISED, MANY_TEMPERATURES], ids=["norm", "temperature"])
def test_an_attention_is_refused_without_a_node(network: nn.Module) -> None:
    program = refreshed(network)
    before, image = str(program.graph), image_size(program)
    layouts = pixel_layouts(program.graph, image)
    assert not any(attention.match(node, layouts, image) for node in program.graph.nodes)
    assert str(program.graph) == before


@pytest.mark.parametrize("network", [OF_A_NORM, OF_A_GATE, SORTED], ids=["norm", "gate", "sorted"])
def test_a_nest_is_refused_without_a_node(network: nn.Module) -> None:
    program = refreshed(network)
    before, image = str(program.graph), image_size(program)
    layouts = pixel_layouts(program.graph, image)
    doors = [door for node in program.graph.nodes if (door := match_door(node, layouts)) is not None]
    assert doors
    assert not any(match_nested(door, {door.node for door in doors}, image) for door in doors)
    assert str(program.graph) == before


def test_a_norm_is_refused_where_its_mean_is_read() -> None:
    program = refreshed(READ_DEVIATION)
    before, image = str(program.graph), image_size(program)
    layouts = pixel_layouts(program.graph, image)
    assert not any(norms.match(node, layouts, image) for node in program.graph.nodes)
    assert str(program.graph) == before
