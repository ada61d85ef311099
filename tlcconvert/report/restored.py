"""A photograph through the original and the converted network, and what became of it.

Photographs may be larger than anyone waits for: the middle of those is run, as large as bounds on pixels, on
multiply-adds and on memory allow, at its own resolution. A smaller part varies less, and changes less.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx

from tlcconvert.conversion import Conversion
from tlcconvert.errors import first_line
from tlcconvert.images.network_image import as_network_takes_it
from tlcconvert.machine.out_of_memory import is_out_of_memory
from tlcconvert.network.eager_reference import tensors_of
from tlcconvert.network.output_distance import root_mean_square
from tlcconvert.network.pixels import Pixels
from tlcconvert.output.report_schema import ImageSeen
from tlcconvert.report.photograph import Photograph, middle
from tlcconvert.report.preview import Picture
from tlcconvert.report.statistic_shift import StatisticShift, statistic_shifts

_MOST_MULTIPLY_ADDS = 1e12
_MOST_BYTES = 2e9
_LEVELS = 255


@dataclass(frozen=True)
class Restored:
    """One photograph.

    Attributes:
        seen: what there is to say of it.
        photograph, original, converted: what went in and what came out; None where it could not be run.
        difference: the largest change of the colours at each pixel, black to white being 1.
        shifts: of every statistic.
    """

    seen: ImageSeen
    photograph: Picture | None = None
    original: Picture | None = None
    converted: Picture | None = None
    difference: NDArray[np.float32] | None = None
    shifts: Sequence[StatisticShift] = ()


class _NotRun(Exception):
    """Why there is nothing to show."""


def restored(photograph: Photograph, conversion: Conversion) -> Restored:
    """``photograph`` through both networks; where that does not work, why."""
    seen: ImageSeen = {
        "name": photograph.name,
        "sha256": photograph.sha256,
        "size": list(photograph.size),
        "failed": "",
    }
    try:
        return _restored(photograph, conversion, seen)
    except _NotRun as reason:
        seen["failed"] = str(reason)
    except Exception as error:
        seen["failed"] = (
            "it takes more memory than there is" if is_out_of_memory(error) else first_line(error)
        )
    return Restored(seen)


def _restored(photograph: Photograph, conversion: Conversion, seen: ImageSeen) -> Restored:
    if conversion.original is None:
        raise _NotRun("there is no network to compare with")
    if len(conversion.model.graph.input) > 1:
        raise _NotRun("the network takes inputs beside the image")
    facts = conversion.metadata
    top, left, height, width = _region(photograph.values.shape[:2], conversion)
    part = replace(photograph, values=photograph.values[top : top + height, left : left + width])
    black, white = json.loads(facts.get("value_range", "[0.0, 1.0]"))
    order = facts.get("color_order", "")
    channels = int(facts["input_channels"])
    if channels not in (1, 3, 4):
        raise _NotRun(f"the network takes {channels} channels, and files have 1, 3 or 4")
    image = as_network_takes_it(part.values, channels, Pixels((black, white), order))
    with torch.no_grad():
        before = tensors_of(conversion.original(image.clone()))
    if isinstance(conversion.module, fx.GraphModule):
        after, shifts = statistic_shifts(conversion.module, image)
    else:
        with torch.no_grad():
            after, shifts = tensors_of(conversion.module(image)), []
    number = _shown_output(facts)
    original, converted = (
        (_colours(outputs[number], order) - black) / (white - black) for outputs in (before, after)
    )
    change = (converted - original).abs().amax(0)
    error = root_mean_square(converted, original)
    above, beside = (
        (whole - read) // 2 for whole, read in zip(photograph.size, photograph.values.shape, strict=False)
    )
    seen["region"], seen["region_at"] = [height, width], [above + top, beside + left]
    seen["change_db"] = 20 * math.log10(error) if error else None
    seen["largest_change"] = float(change.max())
    seen["visible_share"] = float((change > 0.5 / _LEVELS).double().mean())
    seen["statistics"] = [
        {
            "where": shift.where,
            "operator": shift.operator,
            "window": list(shift.window),
            "shift": shift.shift,
            "largest_shift": shift.largest,
        }
        for shift in shifts
    ]
    return Restored(
        seen,
        _picture(torch.from_numpy(part.colours).permute(2, 0, 1)),
        _picture(original),
        _picture(converted),
        change.numpy().astype(np.float32),
        shifts,
    )


def _region(size: Sequence[int], conversion: Conversion) -> tuple[int, int, int, int]:
    """Top, left, height and width of the part that is run."""
    most = float(math.prod(size))
    if conversion.cost is not None:
        for run in (conversion.cost.before, conversion.cost.after):
            pixels = run.height * run.width
            most = min(
                most,
                pixels * _MOST_MULTIPLY_ADDS / max(run.multiply_adds, 1),
                pixels * _MOST_BYTES / max(run.feature_map_bytes, 1),
            )
    height, width = (_taken(extent, conversion) for extent in middle(size, most)[2:])
    return (size[0] - height) // 2, (size[1] - width) // 2, height, width


def _taken(extent: int, conversion: Conversion) -> int:
    """The largest extent up to ``extent`` that the file takes."""
    facts = conversion.metadata
    if "size_maximum" in facts:
        extent = min(extent, int(facts["size_maximum"]))
    if facts.get("size_wrapper", "true") == "true":
        return extent
    multiple, minimum = int(facts.get("size_multiple", "1")), int(facts.get("size_minimum", "1"))
    extent -= extent % multiple
    if extent < minimum:
        raise _NotRun(
            f"it is smaller than the file takes: multiples of {multiple}, at least {minimum} pixels a side"
        )
    return extent


def _shown_output(facts: dict[str, str]) -> int:
    """Which output is the first image."""
    channels = json.loads(facts["output_channels"])
    for number, count in enumerate(channels):
        if count in (1, 3, 4):
            return number
    raise _NotRun(f"no output is a picture: they have {', '.join(map(str, channels))} channels")


def _colours(output: Tensor, order: str) -> Tensor:
    """[3, H, W] of the first image of ``output``."""
    image = output[0].float()
    if image.shape[0] == 1:
        return image.expand(3, -1, -1)
    return image[:3].flip(0) if order.startswith("BGR") else image[:3]


def _picture(image: Tensor) -> Picture:
    return (image.clamp(0, 1) * _LEVELS).round().byte().permute(1, 2, 0).contiguous().numpy()
