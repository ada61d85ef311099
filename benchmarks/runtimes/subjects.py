"""Small networks with the statistics that are made local, on maps of several sizes."""

from __future__ import annotations

from spandrel.architectures.NAFNet import NAFNet
from spandrel_extra_arches.architectures.Restormer import Restormer
from torch import nn

from benchmarks.latency.subjects import Subject

TRAIN_SIZE = 24
_STATIC = (61, 45)
MULTIPLE = 8
"""Of the heights and widths that every one of these networks takes by itself."""


def window_of(subject: Subject) -> int:
    """Pixels: half as much again as the train size."""
    assert isinstance(subject.train_size, int)
    return subject.train_size * 3 // 2


def _norm() -> nn.Module:
    """An instance norm of the image itself, behind it a convolution."""
    return nn.Sequential(nn.InstanceNorm2d(3, affine=True), nn.Conv2d(3, 3, 3, padding=1))


def _nafnet() -> nn.Module:
    return NAFNet(width=8, middle_blk_num=1, enc_blk_nums=[1], dec_blk_nums=[1])


def _restormer() -> nn.Module:
    """One block of Restormer between convolutions; the whole network takes some of the runtimes minutes."""
    whole = Restormer(dim=8, num_blocks=[1, 1, 1, 1], num_refinement_blocks=1, heads=[2, 2, 4, 8])
    return nn.Sequential(whole.patch_embed, whole.encoder_level1, nn.Conv2d(8, 3, 3, padding=1))


SUBJECTS = (
    Subject("norm", _norm, TRAIN_SIZE, _STATIC, "an instance norm of the image and a convolution"),
    Subject("NAFNet", _nafnet, TRAIN_SIZE, _STATIC, "channel attention, norms over channels; 2 levels"),
    Subject("Restormer block", _restormer, TRAIN_SIZE, _STATIC, "transposed attention"),
)
