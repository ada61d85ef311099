"""Files that take fewer sizes without padding than their network: by how much they are off, and who may have them.

A network accepts multiples of 4, but the graph that was captured reproduces it for multiples of 64 only. A file pads
other images to such a size, where the network itself would have run on the bare image: both are results, but not the
same. The same holds for a minimum. So such a file is made only for someone who knows, but for a minimum that no image
anybody restores falls below; and it says what it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from tlcconvert.capture.graph_comparison import expected_of
from tlcconvert.network.eager_reference import tensors_of
from tlcconvert.network.network_inputs import NetworkInputs
from tlcconvert.network.output_distance import TOLERANCE, distance, magnitude
from tlcconvert.sizes.size_requirements import SizeRequirements
from tlcconvert.sizes.size_wrapper import SizeWrapper

_SMALLEST_IMAGE = 64
"""Pixels up to which a minimum may be raised unasked."""
_LARGEST_FRAME = 2048
"""Pixels from which on a maximum may be set unasked; the file refuses larger images."""
_SIZES = ((100, 100), (135, 202), (264, 331))


@dataclass(frozen=True)
class Permission:
    """What a caller takes knowingly.

    Attributes:
        multiple, minimum: of the file, in pixels, larger than the network's own.
        static_size: the one (height, width) the file is for.
    """

    multiple: int | None = None
    minimum: int | None = None
    static_size: tuple[int, int] | None = None


@dataclass(frozen=True)
class Deviation:
    """How far the padded file is from the bare network at one size, as a fraction of the output's largest value."""

    height: int
    width: int
    relative_error: float

    def __str__(self) -> str:
        if math.isinf(self.relative_error):
            return f"everything, as its output is of another size, at {self.height}x{self.width}"
        return f"{self.relative_error:.1%} of the output's scale at {self.height}x{self.width}"


def is_permitted(own: SizeRequirements, file: SizeRequirements, permission: Permission) -> bool:
    """Whether a file for ``file`` may be made of a network that accepts ``own``."""
    if permission.static_size is not None and all(
        file.up(extent) == own.up(extent) and (file.maximum is None or file.up(extent) <= file.maximum)
        for extent in permission.static_size
    ):
        return True
    if has_wider_multiple(own, file) and permission.multiple != file.multiple:
        return False
    unasked = max(_SMALLEST_IMAGE, _rounded_up(own.minimum, file.multiple), permission.minimum or 0)
    return file.minimum <= unasked and not has_small_maximum(own, file)


def has_wider_multiple(own: SizeRequirements, file: SizeRequirements) -> bool:
    return file.multiple != own.multiple


def has_raised_minimum(own: SizeRequirements, file: SizeRequirements) -> bool:
    return file.minimum > _rounded_up(own.minimum, file.multiple)


def has_small_maximum(own: SizeRequirements, file: SizeRequirements) -> bool:
    return file.maximum is not None and file.maximum != own.maximum and file.maximum < _LARGEST_FRAME


def refusal(own: SizeRequirements, file: SizeRequirements, off: Sequence[Deviation]) -> str:
    """Why no file is made, and what to say to have it all the same."""
    start = (
        f"The network accepts {in_words(own)}, but no graph with symbolic sizes reproduces it at all of them; "
        f"the best one does for {in_words(file)}."
    )
    if has_small_maximum(own, file):
        return start
    options = []
    if has_wider_multiple(own, file):
        options.append(f"--accept-multiple {file.multiple}")
    if has_raised_minimum(own, file) and file.minimum > _SMALLEST_IMAGE:
        options.append(f"--accept-minimum {file.minimum}")
    return f"{start} {_padding(off)}; {' '.join(options)} takes it knowingly."


def note(own: SizeRequirements, file: SizeRequirements, off: Sequence[Deviation]) -> tuple[str, ...]:
    """What the report says of a file that takes fewer sizes than its network; empty where it takes the same."""
    notes = []
    if has_wider_multiple(own, file) or has_raised_minimum(own, file):
        notes.append(
            f"the network accepts {in_words(own)}, the file computes it for {in_words(file)}; {_padding(off).lower()}"
        )
    elif off and (worst := _worst(off)).relative_error > TOLERANCE:
        notes.append(
            "the network accepts images of which one side alone is no multiple or below the minimum, which the file "
            f"pads all the same; that is off by {worst} from the network itself"
        )
    if file.maximum is not None:
        notes.append(
            f"the file refuses images of more than {file.maximum} pixels on a side, for which it is not proven"
        )
    return tuple(notes)


def _padding(off: Sequence[Deviation]) -> str:
    if not off:
        return "A file pads other images to such a size, by how much that is off could not be measured"
    return f"A file pads other images to such a size, which is off by {_worst(off)} from the network itself"


def _worst(off: Sequence[Deviation]) -> Deviation:
    return max(off, key=lambda deviation: deviation.relative_error)


def in_words(sizes: SizeRequirements) -> str:
    """``"multiples of 4 from 8 up to 512 pixels"``"""
    kind = f"multiples of {sizes.multiple}" if sizes.multiple > 1 else "every size"
    least = f" from {sizes.minimum}" if sizes.minimum > sizes.multiple else ""
    most = f" up to {sizes.maximum}" if sizes.maximum is not None else ""
    unit = " pixels" if least or most else ""
    on = " on" if least and not most else ""
    return f"{kind}{least}{most}{unit}{on}"


def _rounded_up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple


def deviations(
    graph: nn.Module,
    original: nn.Module,
    inputs: NetworkInputs,
    own: SizeRequirements,
    file: SizeRequirements,
) -> tuple[Deviation, ...]:
    """The padded ``graph`` against the bare network at sizes the network accepts and the file pads."""
    found = [deviation_at(graph, original, inputs, file, size) for size in _padded_sizes(own, file)]
    return tuple(each for each in found if each is not None)


def deviation_at(
    graph: nn.Module,
    original: nn.Module,
    inputs: NetworkInputs,
    file: SizeRequirements,
    size: tuple[int, int],
) -> Deviation | None:
    """The padded ``graph`` against the bare network at (height, width); None where that raises or is not finite."""
    images = inputs.random(1, *size)
    expected = expected_of(original, images)
    return None if expected is None else Deviation(*size, _relative_error(graph, images, expected, file))


def _padded_sizes(own: SizeRequirements, file: SizeRequirements) -> list[tuple[int, int]]:
    """Sizes in proportion to the raised minimum, and of a few hundred pixels beside the wider multiple."""
    below = [max(own.minimum, file.minimum * part // 4) for part in (1, 2, 3)]
    sizes = [*((extent, extent) for extent in below), *_SIZES]
    candidates = [(own.up(height), own.up(width)) for height, width in sizes] if file != own else []
    candidates += _one_sided_sizes(own)
    taken = [size for size in candidates if any(file.up(extent) != extent for extent in size)]
    return [size for size in dict.fromkeys(taken) if own.maximum is None or max(size) <= own.maximum]


def _one_sided_sizes(own: SizeRequirements) -> list[tuple[int, int]]:
    """Sizes of which one side only is what the network was seen to need: what it may accept where axes differ."""
    long = own.up(96)
    odd = [own.up(64) + 1] if own.multiple > 1 else []
    short = [own.minimum // 2 // own.multiple * own.multiple] if own.minimum > own.multiple else []
    sides = [side for side in (*odd, *short) if side > 0]
    return [size for side in sides for size in ((side, long), (long, side))]


def _relative_error(
    graph: nn.Module,
    images: Sequence[torch.Tensor],
    expected: Sequence[torch.Tensor],
    file: SizeRequirements,
) -> float:
    """How far ``graph`` is on padded images, cropped to the network's outputs from the top left."""
    padded = SizeWrapper(graph, file.multiple, file.minimum, [None] * len(expected))
    with torch.no_grad():
        computed = tensors_of(padded(*images))
    errors = []
    for own, reference in zip(computed, expected, strict=True):
        cropped = own[tuple(slice(extent) for extent in reference.shape)]
        if cropped.shape != reference.shape:
            return float("inf")
        errors.append(distance(cropped, reference) / (magnitude(reference) or 1.0))
    return max(errors, default=0.0)
