"""Parameter names and shapes are those of the published checkpoints, written out here."""

from __future__ import annotations

from torch import nn

from tlcconvert.architectures.ecbsr import ECBSR
from tlcconvert.architectures.hinet import HINet
from tlcconvert.architectures.repsr import RepSR
from tlcconvert.architectures.repvgg_sr import RepVGGBlock
from tlcconvert.architectures.sesr import SESR

Shapes = dict[str, tuple[int, ...]]


def shapes(network: nn.Module, prefix: str = "") -> Shapes:
    """Shapes of the parameters and buffers under ``prefix``, without batch counters."""
    return {
        name.removeprefix(prefix): tuple(tensor.shape)
        for name, tensor in network.state_dict().items()
        if name.startswith(prefix) and not name.endswith("num_batches_tracked")
    }


def parts(network: nn.Module) -> set[str]:
    return {name.rpartition(".")[0] for name in network.state_dict()}


def norm(name: str, channels: int) -> Shapes:
    return {f"{name}.{part}": (channels,) for part in ("weight", "bias", "running_mean", "running_var")}


def test_repsr() -> None:
    network = RepSR(colors=3, channels=8, blocks=2, scale=2)
    assert shapes(network, "M_block.4.branch2.") == {
        "0.weight": (16, 8, 3, 3),
        "0.bias": (16,),
        **norm("1", 16),
        "2.weight": (8, 16, 1, 1),
        "2.bias": (8,),
    }
    ends = {name: shape for name, shape in shapes(network, "M_block.").items() if "branch" not in name}
    assert ends == {
        "0.weight": (8, 3, 3, 3),
        "0.bias": (8,),
        "1.weight": (8,),
        "3.weight": (8,),
        "5.weight": (8,),
        "6.weight": (12, 8, 3, 3),
        "6.bias": (12,),
    }


def test_ecbsr() -> None:
    network = ECBSR(colors=1, channels=8, blocks=1, scale=2)
    edge = {"k0": (8, 8, 1, 1), "b0": (8,), "scale": (8, 1, 1, 1), "bias": (8,), "mask": (8, 1, 3, 3)}
    assert shapes(network, "backbone.1.") == {
        "conv3x3.weight": (8, 8, 3, 3),
        "conv3x3.bias": (8,),
        "conv1x1_3x3.k0": (16, 8, 1, 1),
        "conv1x1_3x3.b0": (16,),
        "conv1x1_3x3.k1": (8, 16, 3, 3),
        "conv1x1_3x3.b1": (8,),
        **{f"conv1x1_sbx.{name}": shape for name, shape in edge.items()},
        **{f"conv1x1_sby.{name}": shape for name, shape in edge.items()},
        **{f"conv1x1_lpl.{name}": shape for name, shape in edge.items()},
        "act.weight": (8,),
    }
    assert {name.split(".")[1] for name in shapes(network)} == {"0", "1", "2"}
    assert "backbone.2.act.weight" not in shapes(network)


def test_sesr() -> None:
    network = SESR(colors=3, channels=16, blocks=1, scale=2)
    assert shapes(network) == {
        "conv_first.conv_expand.weight": (256, 3, 5, 5),
        "conv_first.conv_squeeze.weight": (16, 256, 1, 1),
        "conv_first.conv_squeeze.bias": (16,),
        "residual_block.0.conv_expand.weight": (256, 16, 3, 3),
        "residual_block.0.conv_squeeze.weight": (16, 256, 1, 1),
        "residual_block.0.conv_squeeze.bias": (16,),
        "conv_last.conv_expand.weight": (256, 16, 5, 5),
        "conv_last.conv_squeeze.weight": (12, 256, 1, 1),
        "conv_last.conv_squeeze.bias": (12,),
    }


def test_repvgg_block() -> None:
    assert shapes(RepVGGBlock(8)) == {
        "rbr_dense.conv.weight": (8, 8, 3, 3),
        **norm("rbr_dense.bn", 8),
        "rbr_1x1.conv.weight": (8, 8, 1, 1),
        **norm("rbr_1x1.bn", 8),
        **norm("rbr_identity", 8),
    }


def test_hinet() -> None:
    network = HINet(colors=3, channels=8, depth=2, normalized_levels=(0, 1))
    encoder = {"identity", "conv_1", "conv_2", "norm"}
    decoder = {"up", "conv_block.identity", "conv_block.conv_1", "conv_block.conv_2"}
    assert parts(network) == {
        *("conv_01", "conv_02", "cat12", "last", "sam12.conv1", "sam12.conv2", "sam12.conv3"),
        *("skip_conv_1.0", "skip_conv_2.0"),
        *(f"down_path_1.0.{part}" for part in encoder | {"downsample"}),
        *(f"down_path_1.1.{part}" for part in encoder),
        *(f"down_path_2.0.{part}" for part in encoder | {"downsample", "csff_enc", "csff_dec"}),
        *(f"down_path_2.1.{part}" for part in encoder),
        *(f"up_path_1.0.{part}" for part in decoder),
        *(f"up_path_2.0.{part}" for part in decoder),
    }
    assert shapes(network, "down_path_1.0.")["norm.weight"] == (4,)
    assert shapes(network, "down_path_1.0.")["downsample.weight"] == (8, 8, 4, 4)
    assert shapes(network, "up_path_1.0.")["up.weight"] == (16, 8, 2, 2)
