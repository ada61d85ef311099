"""Small networks whose statistic is known; one lets an oracle put another in its place."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tlcconvert.begun import Begun
from tlcconvert.convert import as_asked, begin, known
from tlcconvert.diagnosis.subject import Subject, subject_of
from tlcconvert.options import Options

Statistic = Callable[[Tensor], Tensor]


def global_mean(x: Tensor) -> Tensor:
    return x.mean((2, 3), keepdim=True)


class Brightened(nn.Module):
    """The image, ``over`` times smaller, plus ``strength`` times its mean, and ``times`` times larger."""

    def __init__(self, strength: float = 0.1, over: int = 1, times: int = 1) -> None:
        super().__init__()
        self.strength, self.over, self.times = strength, over, times
        self.statistic: Statistic = global_mean

    def forward(self, image: Tensor) -> Tensor:
        x = image[:, :, :: self.over, :: self.over] if self.over > 1 else image
        x = x + self.strength * self.statistic(x)
        return F.interpolate(x, scale_factor=self.times, mode="nearest") if self.times > 1 else x


class Normed(nn.Module):
    """An instance norm between two convolutions."""

    def __init__(self, is_written_out: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.InstanceNorm2d(8)
        self.tail = nn.Conv2d(8, 3, 3, padding=1)
        self.is_written_out = is_written_out

    def forward(self, image: Tensor) -> Tensor:
        x = self.head(image)
        if self.is_written_out:
            variance = x.var((2, 3), keepdim=True, unbiased=False)
            x = (x - x.mean((2, 3), keepdim=True)) * torch.rsqrt(variance + 1e-5)
        else:
            x = self.norm(x)
        return image + 0.1 * self.tail(torch.relu(x))


def begun(network: nn.Module, train_size: int) -> tuple[Begun, Options]:
    asked, options = as_asked(known(network), Options(train_size, input_channels=3))
    return begin(asked, options), options


@functools.cache
def brightened(train_size: int, over: int = 1, times: int = 1) -> Subject:
    """That of a :class:`Brightened`, captured once."""
    return subject(Brightened(0.1, over, times), train_size)


def subject(network: nn.Module, train_size: int) -> Subject:
    return subject_of(*begun(network.eval(), train_size))
