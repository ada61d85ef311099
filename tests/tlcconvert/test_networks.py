"""Published networks end to end: what becomes local in each, and that the file computes what they compute."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import torch
from spandrel.architectures.HAT import HAT
from spandrel.architectures.HVICIDNet import HVICIDNet
from spandrel.architectures.KBNet import KBNet_s
from spandrel.architectures.MixDehazeNet import MixDehazeNet
from spandrel.architectures.NAFNet import NAFNet
from spandrel.architectures.RCAN import RCAN
from spandrel.architectures.RealCUGAN import UpCunet2x
from spandrel.architectures.RetinexFormer import RetinexFormer
from torch import nn

import tlcconvert
from tlcconvert import Conversion
from tlcconvert.architectures.hinet.network import HINet
from tlcconvert.network.network_inputs import NetworkInputs
from tlcconvert.network.output_distance import TOLERANCE
from tlcconvert.verification.compare import compare_callables
from tlcconvert.verification.session import callable_of, inference_session

extra_architectures = pytest.importorskip("spandrel_extra_arches.architectures")

TRAIN_SIZE = 32
EIGHT_SIZES = [
    (1, 48, 48), (2, 49, 47), (1, 24, 70), (2, 61, 25), (1, 90, 75), (2, 33, 33), (1, 37, 96), (2, 64, 40),
]  # fmt: skip
MEAN = "global mean"
ATTENTION = "channel attention"


@dataclass(frozen=True)
class Network:
    """One network and what localising it must find."""

    build: Callable[[], nn.Module]
    sites: dict[str, int]
    left_global: dict[str, int] = field(default_factory=dict)
    output_index: int | None = None
    input_channels: int | None = None


def mprnet() -> nn.Module:
    from spandrel_extra_arches.architectures.MPRNet import MPRNet

    return MPRNet(n_feat=8, scale_unetfeats=4, scale_orsnetfeats=4, num_cab=1)


def restormer() -> nn.Module:
    from spandrel_extra_arches.architectures.Restormer import Restormer

    return Restormer(dim=8, num_blocks=[1, 1, 1, 1], num_refinement_blocks=1, heads=[1, 2, 2, 4])


def mirnet() -> nn.Module:
    from spandrel_extra_arches.architectures.MIRNet2 import MIRNet2

    return MIRNet2(n_feat=16, n_MRB=1)


def m3snet() -> nn.Module:
    from spandrel_extra_arches.architectures.M3SNet import M3SNet

    return M3SNet(width=8, enc_blk_nums=[1, 1, 1, 1])


NETWORKS = {
    "RCAN": Network(lambda: RCAN(n_feats=8, n_resgroups=1, n_resblocks=2, scale=2, reduction=4), {MEAN: 2}),
    "NAFNet": Network(lambda: NAFNet(width=8, enc_blk_nums=[1, 1], dec_blk_nums=[1, 1]), {MEAN: 5}),
    "HINet": Network(
        lambda: HINet(channels=8, depth=3, normalized_levels=(0, 1)), {"instance norm": 4}, output_index=-1
    ),
    "RealCUGAN": Network(UpCunet2x, {MEAN: 4}),
    "MixDehazeNet": Network(
        lambda: MixDehazeNet(embed_dims=[8, 16, 32, 16, 8], depths=[1, 1, 1, 1, 1]), {MEAN: 12}
    ),
    "KBNet": Network(
        lambda: KBNet_s(width=8, middle_blk_num=1, enc_blk_nums=[1, 1], dec_blk_nums=[1, 1]), {MEAN: 5}
    ),
    "MPRNet": Network(mprnet, {MEAN: 70}, output_index=0),
    "Restormer": Network(restormer, {ATTENTION: 8}),
    "MIRNet2": Network(mirnet, {MEAN: 16, "softmax-weighted sum": 24}),
    "M3SNet": Network(m3snet, {MEAN: 13, ATTENTION: 1}),
    "RetinexFormer": Network(lambda: RetinexFormer(n_feat=8, stage=1), {ATTENTION: 5}, input_channels=3),
    # The result of the twelfth, I_LCA5, is used nowhere.
    "HVI-CIDNet": Network(lambda: HVICIDNet(channels=[8, 8, 16, 32], heads=[1, 2, 4, 8]), {ATTENTION: 11}),
    "HAT": Network(
        lambda: HAT(embed_dim=12, depths=(1,), num_heads=(2,), window_size=8, squeeze_factor=3, upscale=2,
                    upsampler="pixelshuffle", num_feat=8, img_size=16),
        {MEAN: 1},
    ),
}  # fmt: skip


def randomised(network: nn.Module) -> nn.Module:
    """Parameters and statistics that are all equal at the start, such as a zero scale, made to matter."""
    for tensor in (*network.parameters(), *network.buffers()):
        if tensor.is_floating_point() and tensor.numel() > 1 and tensor.min() == tensor.max():
            tensor.data = tensor.data + 0.2 * torch.rand_like(tensor)
    return network.eval()


def converted(network: Network) -> Conversion:
    torch.manual_seed(0)
    module = randomised(network.build())
    return tlcconvert.convert(
        module, TRAIN_SIZE, input_channels=network.input_channels, output_index=network.output_index
    )


@pytest.mark.full
@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_every_statistic_becomes_local_and_the_file_computes_the_same(network: Network) -> None:
    conversion = converted(network)
    assert Counter(site.kind for site in conversion.sites) == network.sites
    assert Counter(skipped.kind for skipped in conversion.left_global) == network.left_global
    session = inference_session(conversion.model.SerializeToString())
    inputs = NetworkInputs(conversion.model.graph.input[0].type.tensor_type.shape.dim[1].dim_value, ())
    parity = compare_callables(
        callable_of(session), conversion.module, inputs, EIGHT_SIZES, TOLERANCE, "onnx / converted"
    )
    parity.raise_for_mismatch()
    assert len(parity.comparisons) == len(EIGHT_SIZES)
    assert [row.bound for row in parity.comparisons] == [TOLERANCE] * len(EIGHT_SIZES)
    assert any(row.what == "converted / original" for row in conversion.parity.comparisons)
