"""Small random instances of every architecture spandrel, spandrel_extra_arches and this project know.

The smallest constructor arguments under which every kind of layer is still there: a layer more of a kind changes
nothing about capture. Where the registry cannot read an argument off a checkpoint (the heads of an attention, a
window), its own value is kept. What cannot be made small has its published size.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from spandrel import MAIN_REGISTRY
from torch import nn

from tlcconvert.architectures.classsr.carn import CARN
from tlcconvert.architectures.classsr.fsrcnn import FSRCNN
from tlcconvert.architectures.classsr.network import Classifier, ClassSR
from tlcconvert.architectures.classsr.srresnet import SRResNet
from tlcconvert.architectures.ecbsr.network import ECBSR
from tlcconvert.architectures.hinet.network import HINet
from tlcconvert.architectures.repsr.network import RepSR
from tlcconvert.architectures.repvgg_sr.network import RepVGGSR
from tlcconvert.architectures.sesr.network import SESR
from tlcconvert.load.network_file import register_architectures
from tlcconvert.load.spandrel_network import network_of, run_of
from tlcconvert.network.network import Network

SPANDREL = "spandrel"
EXTRA = "spandrel_extra_arches"
OWN = "tlcconvert"


@dataclass(frozen=True)
class Subject:
    """One instance.

    Attributes:
        name: of the row, unique.
        package: where the architecture comes from.
        architecture: its id in the registry, whose reading of the state dict is what is converted; ``""`` converts
            the module as it is.
        build: makes the module.
        is_seed: also compared at 1080x1920.
        note: what a reader should know about the instance.
    """

    name: str
    package: str
    architecture: str
    build: Callable[[], nn.Module]
    is_seed: bool = False
    note: str = ""

    def network(self) -> Network:
        """The network as a checkpoint of it would be loaded, with the same weights on every call."""
        torch.manual_seed(0)
        module = with_generic_values(self.build())
        if not self.architecture:
            return Network(module)
        register_architectures()
        descriptor = MAIN_REGISTRY[self.architecture].architecture.load(module.state_dict())
        read = network_of(descriptor, run_of(descriptor))
        return Network(
            read.module,
            architecture=descriptor.architecture.name,
            input_channels=read.input_channels,
            output_channels=descriptor.output_channels,
            scale=descriptor.scale,
            multiple=descriptor.size_requirements.multiple_of,
            minimum=descriptor.size_requirements.minimum,
            output_index=read.output_index,
            extra_inputs=read.extra_inputs,
        )


def with_generic_values(module: nn.Module) -> nn.Module:
    """Parameters and statistics that are all equal at the start, such as a zero scale, made to matter."""
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.is_floating_point() and tensor.numel() > 1 and tensor.min() == tensor.max():
            tensor.data = tensor.data + 0.2 * torch.rand_like(tensor)
    return module.eval()


def _of(package: str) -> Callable[..., Subject]:
    """Makes subjects of ``package``; the class is named like the architecture unless ``network`` says otherwise."""

    def subject(
        architecture: str,
        *,
        network: str = "",
        name: str = "",
        is_seed: bool = False,
        note: str = "",
        **arguments: Any,
    ) -> Subject:
        def build() -> nn.Module:
            folder = importlib.import_module(f"{package}.architectures.{architecture}")
            return getattr(folder, network or architecture)(**arguments)

        return Subject(name or network or architecture, package, architecture, build, is_seed, note)

    return subject


def _own(
    name: str, build: Callable[[], nn.Module], *, architecture: str = "", is_seed: bool = True
) -> Subject:
    return Subject(name, OWN, architecture, build, is_seed)


def classsr() -> ClassSR:
    branches = [FSRCNN(width=width, squeezed=2, mappings=1) for width in (4, 6, 8)]
    return ClassSR(Classifier(channels=8, features=4), branches)


_spandrel = _of(SPANDREL)
_extra = _of(EXTRA)
_ONE_EACH = {"depths": (1,), "num_heads": (2,)}
_SWIN = {"embed_dim": 12, "window_size": 8, "mlp_ratio": 2.0, "img_size": 16, "upscale": 2}
_REAL_SIZE = "published size"

SUBJECTS: Sequence[Subject] = (
    _own("RepSR", lambda: RepSR(channels=8, blocks=2), architecture="RepSR"),
    _own("ECBSR", lambda: ECBSR(channels=8, blocks=2), architecture="ECBSR"),
    _own("SESR", lambda: SESR(channels=8, blocks=2, expanded=32), architecture="SESR"),
    _own("RepVGG-SR", lambda: RepVGGSR(channels=8, blocks=2), architecture="RepVGGSR", is_seed=False),
    _own(
        "HINet",
        lambda: HINet(channels=4, depth=3, normalized_levels=(0, 1)),
        architecture="HINet",
    ),
    _own("SRResNet", lambda: SRResNet(channels=8, blocks=2, scale=2)),
    _own("CARN", lambda: CARN(channels=8, scale=2)),
    _own("FSRCNN", lambda: FSRCNN(width=8, squeezed=4, mappings=2, scale=2)),
    _spandrel("RCAN", n_feats=8, n_resgroups=1, n_resblocks=2, scale=2, reduction=4, is_seed=True),
    _spandrel("NAFNet", width=8, enc_blk_nums=[1, 1], dec_blk_nums=[1, 1], is_seed=True),
    _extra("MPRNet", n_feat=8, scale_unetfeats=4, scale_orsnetfeats=4, num_cab=1, is_seed=True),
    _extra("Restormer", dim=8, num_blocks=[1, 1, 1, 1], num_refinement_blocks=1, heads=[1, 2, 2, 4], is_seed=True),
    _spandrel("Compact", num_feat=8, num_conv=2, upscale=2),
    _spandrel("SwiftSRGAN", num_channels=8, num_blocks=2, upscale_factor=2),
    _spandrel("ESRGAN", num_filters=8, num_blocks=1, scale=2),
    _spandrel("SPAN", num_in_ch=3, num_out_ch=3, feature_channels=8, upscale=2),
    _spandrel("DnCNN", nc=8, nb=4),
    _spandrel("DRUNet", in_nc=4, out_nc=3, nc=[8, 8, 16, 16], nb=2),
    _spandrel("FBCNN", nc=[8, 8, 16, 512], nb=2),
    _spandrel("PLKSR", dim=8, n_blocks=2, upscaling_factor=2),
    _spandrel("MoSR", n_block=2, dim=8, upscale=2),
    _spandrel("MoESR", dim=8, n_blocks=1, n_block=1, scale=2),
    _spandrel("SAFMN", dim=8, n_blocks=2, upscaling_factor=2),
    _spandrel("SAFMNBCIE", dim=8, n_blocks=2, num_layers=2),
    _spandrel("RealCUGAN", network="UpCunet2x", note=_REAL_SIZE),
    _spandrel("MixDehazeNet", embed_dims=[8, 16, 32, 16, 8], depths=[1, 1, 1, 1, 1]),
    _spandrel("KBNet", network="KBNet_s", width=8, middle_blk_num=1, enc_blk_nums=[1, 1], dec_blk_nums=[1, 1]),
    _spandrel("RetinexFormer", n_feat=8, stage=1),
    _spandrel("HVICIDNet", channels=[8, 8, 16, 32], heads=[1, 2, 4, 8]),
    _spandrel("MMRealSR", num_in_ch=3, num_out_ch=3, num_feat=8, num_block=1, num_grow_ch=4,
              num_feats=[8, 8, 16, 16], num_blocks=[1, 1, 1, 1]),
    _spandrel("SeemoRe", scale=2, num_experts=2, num_layers=1, embedding_dim=8),
    _spandrel("DITN", dim=8, ITL_blocks=1, SAL_blocks=1, upscale=2),
    _spandrel("DCTLSA", nf=10, upscale=2),
    _spandrel("OmniSR", num_feat=8, up_scale=2),
    _spandrel("FFTformer", dim=8, num_blocks=[1, 1, 1], num_refinement_blocks=1),
    _spandrel("SwinIR", **(_SWIN | _ONE_EACH), upsampler="pixelshuffledirect"),
    _spandrel("Swin2SR", **(_SWIN | _ONE_EACH), upsampler="pixelshuffledirect"),
    _spandrel("HAT", **(_SWIN | _ONE_EACH), squeeze_factor=3, num_feat=8),
    _spandrel("DRCT", **(_SWIN | _ONE_EACH), upsampler="pixelshuffle", gc=4),
    _spandrel("ATD", **(_SWIN | _ONE_EACH), num_tokens=8, reducted_dim=4, upsampler="pixelshuffledirect"),
    _extra("SRFormer", **(_SWIN | _ONE_EACH), upsampler="pixelshuffledirect"),
    _spandrel("GRL", embed_dim=8, upscale=1, depths=[2], num_heads_window=[1], num_heads_stripe=[1], mlp_ratio=2.0),
    _spandrel("DAT", embed_dim=16, depth=[2], num_heads=[2], expansion_factor=2.0, upscale=2,
              upsampler="pixelshuffledirect"),
    _spandrel("RGT", embed_dim=12, depth=[2], num_heads=[2], mlp_ratio=2.0, upscale=2),
    _spandrel("CRAFT", embed_dim=12, depths=[1], num_heads=[2], upscale=2),
    _spandrel("SCUNet", config=[2, 1, 1, 1, 1, 1, 1]),
    _spandrel("Uformer", embed_dim=4, depths=[1] * 9, num_heads=[1, 2, 4, 4, 4, 4, 4, 4, 2]),
    _spandrel("FDAT", embed_dim=16, num_groups=1, depth_per_group=2, num_heads=2, scale=2, mid_dim=8,
              upsampler_type="pixelshuffledirect"),
    _spandrel("IPT", n_feats=4, num_layers=1, scale=[2]),
    _extra("MIRNet2", n_feat=16, n_MRB=1),
    _extra("M3SNet", width=8, enc_blk_nums=[1, 1, 1, 1]),
    _spandrel("LaMa", in_nc=4, note=_REAL_SIZE),
    _extra("FeMaSR", codebook_params=[[32, 16, 32]]),
    _extra("AdaCode", codebook_params=[[32, 16, 32], [32, 16, 32]]),
    _extra("DDColor", encoder_name="convnext-t", nf=512, num_queries=8, num_output_channels=2, dec_layers=3),
    _spandrel("RestoreFormer", n_embed=16, embed_dim=32, ch=32, z_channels=32, num_res_blocks=1),
    _spandrel("AuraSR", dim=16, image_size=None, input_image_size=None,
              style_network={"dim_in": 16, "dim_out": 64, "depth": 2}),
    _spandrel("GFPGAN", note=_REAL_SIZE),
    _extra("CodeFormer", note=_REAL_SIZE),
    _extra("MAT", note=_REAL_SIZE),
    _spandrel("RealCUGAN", network="UpCunet3x", note=_REAL_SIZE),
    _spandrel("RealCUGAN", network="UpCunet4x", note=_REAL_SIZE),
    _spandrel("RealCUGAN", network="UpCunet2x_fast", note=_REAL_SIZE),
    _spandrel("KBNet", network="KBNet_l", dim=48, num_blocks=[1, 1, 1, 1], num_refinement_blocks=1,
              heads=[1, 2, 4, 8]),
    _spandrel("PLKSR", network="RealPLKSR", dim=8, n_blocks=2, upscaling_factor=2),
    _spandrel("DnCNN", name="FDnCNN", in_nc=4, out_nc=3, nc=8, nb=4, mode="FDnCNN", act_mode="R"),
    _own("ClassSR", classsr, architecture="ClassSR", is_seed=False),
)  # fmt: skip
