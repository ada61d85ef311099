"""How far a network is, on whole images, from what it does on the crops it was trained on.

For a crop of training size at (top, left) of an image, on the central half of what the network returns for it:

    d_global = mean (global(crop) - global(image)[there])^2
    d_local  = mean (global(crop) - local(image)[there])^2
    C        = 10 log10(d_global / d_local)

On the crop the network does what it was trained to do, and no clean image is needed to say so. The central half is
far from the border of the crop, which the image does not have. Over the image,

    D        = 20 log10 of the RMS of local(image) - global(image)

in units of white minus black.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tlcconvert.diagnosis.observed_program import Seen
from tlcconvert.diagnosis.subject import Subject

LEAST_ERROR = 1e-10
"""A squared difference that is rounding and no evidence: a 1000th of a 4th of a step of 8 bits."""
_PIXELS_AT_ONCE = 2**18


@dataclass(frozen=True)
class Consistency:
    """What one image told.

    Attributes:
        global_errors, local_errors: d of every crop.
        change: mean squared difference of local and global output; 0 where there is none at all.
        on_whole, on_windows, on_crops: the statistics of the three runs; the last a list per batch of crops.
    """

    global_errors: Tensor
    local_errors: Tensor
    change: float
    on_whole: tuple[Seen, ...]
    on_windows: tuple[Seen, ...]
    on_crops: tuple[tuple[Seen, ...], ...]

    @property
    def is_finite(self) -> bool:
        """Whether every output was."""
        errors = torch.cat((self.global_errors, self.local_errors))
        return math.isfinite(self.change) and bool(errors.isfinite().all())


def decibels(global_errors: Tensor, local_errors: Tensor) -> Tensor:
    """C of each crop; differences that are rounding are none."""
    return 10 * (global_errors.clamp(min=LEAST_ERROR) / local_errors.clamp(min=LEAST_ERROR)).log10()


def deviation(change: float) -> float:
    """D in dB of a mean squared change; minus infinity of none."""
    return 10 * math.log10(change) if change > 0 else -math.inf


def consistency(
    subject: Subject,
    image: Tensor,
    positions: Sequence[tuple[int, int]],
    work_done: Callable[[int], None] = lambda _: None,
) -> Consistency:
    """Runs ``image`` [1, C, H, W] twice, and its crops at ``positions`` once.

    Args:
        work_done: called with the multiply-adds of each run.
    """
    height, width = image.shape[2:]
    by_windows, on_windows = subject.local.run(image)
    work_done(subject.cost.multiply_adds(1, height, width))
    as_made, on_whole = subject.whole.run(image)
    work_done(subject.cost.multiply_adds(1, height, width))
    change = _mean_square((by_windows - as_made).double(), subject.white)
    errors: list[tuple[float, float]] = []
    on_crops = []
    for batch in _batches(positions, subject.crop_size):
        outputs, seen = subject.whole.run(torch.cat([_crop(image, at, subject.crop_size) for at in batch]))
        on_crops.append(seen)
        for output, at in zip(outputs, batch, strict=True):
            inner, there = _central_half(output.shape[1:]), subject.output_begins_at(*at)
            errors.append(
                tuple(  # type: ignore[arg-type]
                    _mean_square(output[inner].double() - _moved(whole[0], inner, there), subject.white)
                    for whole in (as_made, by_windows)
                )
            )
        work_done(subject.cost.multiply_adds(len(batch), *subject.crop_size))
    global_errors, local_errors = torch.tensor(errors, dtype=torch.float64).unbind(1)
    return Consistency(global_errors, local_errors, change, on_whole, on_windows, tuple(on_crops))


Box = tuple[slice, slice, slice]


def _batches(
    positions: Sequence[tuple[int, int]], crop: tuple[int, int]
) -> Iterator[Sequence[tuple[int, int]]]:
    count = max(1, _PIXELS_AT_ONCE // (crop[0] * crop[1]))
    for start in range(0, len(positions), count):
        yield positions[start : start + count]


def _crop(image: Tensor, at: tuple[int, int], size: tuple[int, int]) -> Tensor:
    return image[..., at[0] : at[0] + size[0], at[1] : at[1] + size[1]]


def _central_half(size: Sequence[int]) -> Box:
    rows, columns = (slice(extent // 4, extent - extent // 4) for extent in size)
    return slice(None), rows, columns


def _moved(whole: Tensor, box: Box, by: tuple[int, int]) -> Tensor:
    channels, rows, columns = box
    return whole[
        channels, rows.start + by[0] : rows.stop + by[0], columns.start + by[1] : columns.stop + by[1]
    ].double()


def _mean_square(difference: Tensor, white: float) -> float:
    return float((difference / white).square().mean())
