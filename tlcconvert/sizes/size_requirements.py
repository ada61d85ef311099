"""Which image sizes a network accepts: a multiple and a minimum, found by running it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from tlcconvert.errors import CaptureError, first_line
from tlcconvert.network.eager_reference import tensors_of
from tlcconvert.network.network_inputs import NetworkInputs
from tlcconvert.network.shape_run import Accepted, ShapeRun, outcome_of, reads_values
from tlcconvert.sizes.output_extents import Extents, fitted

_MULTIPLES = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 96, 112, 128)
_USUAL_SIZES = (48, 32, 64, 128, 192, 224, 256, 512, 160, 144, 320, 176, 208, 384, 640, 768, 1024)
"""Sides to begin with: those networks are made for, then those with other divisors, then large ones."""
_BASE_SIZE = 48
_PROBE_BATCH = 2
_RUN_LENGTH = 3
_LARGEST_DENOMINATOR = 8
_CHEAP = 2**16
"""Pixels of a batch up to which a network is simply run."""


@dataclass(frozen=True)
class SizeRequirements:
    """Height and width a network accepts.

    Attributes:
        multiple: both must be multiples of it, in pixels.
        minimum: both must be at least this, in pixels; a multiple of ``multiple``.
        scale: size of the first output that grows with the image over that of the image, or 0 where none grows
            or the quotient is no whole number at every size.
        maximum: both must be at most this, in pixels, if there is such a bound.
    """

    multiple: int = 1
    minimum: int = 1
    scale: int = 1
    maximum: int | None = None

    def up(self, size: int) -> int:
        """``size`` rounded up to what the network accepts."""
        return max(self.minimum, -(-size // self.multiple) * self.multiple)


def for_multiples(requirements: SizeRequirements, multiple: int) -> SizeRequirements:
    """Those of the sizes that are multiples of ``multiple`` too."""
    multiple = math.lcm(requirements.multiple, multiple)
    minimum = -(-requirements.minimum // multiple) * multiple
    return replace(requirements, multiple=multiple, minimum=minimum)


class SizeProbe:
    """Runs a network at sizes and remembers which it accepts.

    A size is accepted when the network returns finite values there, and no empty output. A large size is judged by
    the shapes alone once they were seen to tell what running tells.

    Args:
        network: takes ``inputs``.
        shapes: the same network on shapes; consulted once a size is known at which the network runs.
    """

    def __init__(self, network: nn.Module, inputs: NetworkInputs, shapes: ShapeRun | None = None) -> None:
        self._network = network
        self._inputs = inputs
        self._shapes = shapes
        self._believes_shapes: bool | None = None
        self._seen: dict[tuple[int, int, int], Accepted] = {}

    @property
    def channels(self) -> int:
        return self._inputs.channels

    def __call__(self, height: int, width: int, batch: int = _PROBE_BATCH) -> Accepted:
        key = (height, width, batch)
        if key not in self._seen:
            self._seen[key] = self._outcome(*key)
        return self._seen[key]

    def _outcome(self, height: int, width: int, batch: int) -> Accepted:
        told = self._told_by_shapes(height, width, batch)
        return self._run(height, width, batch) if told is None else told

    def reads_values(self, height: int, width: int, batch: int) -> bool:
        """Whether the network's Python code asks for values of tensors at this size, as far as shapes can tell."""
        return self._shapes is not None and reads_values(self._shapes(height, width, batch).reason)

    def _told_by_shapes(self, height: int, width: int, batch: int) -> Accepted | None:
        """What shapes alone say of a large size; None where they are not asked or not to be believed."""
        if self._shapes is None or height * width * batch <= _CHEAP:
            return None
        ran = next((key for key, outcome in self._seen.items() if outcome), None)
        if ran is None:
            return None
        if self._believes_shapes is None:
            self._believes_shapes = self._shapes(*ran) == self._seen[ran]
        return self._shapes(height, width, batch) if self._believes_shapes else None

    def _run(self, height: int, width: int, batch: int) -> Accepted:
        try:
            with torch.no_grad():
                outputs = tensors_of(self._network(*self._inputs.random(batch, height, width)))
        except Exception as error:
            return Accepted(reason=first_line(error))
        if any(not bool(torch.isfinite(output).all()) for output in outputs if output.is_floating_point()):
            return Accepted(reason="it returns NaN or infinity")
        return outcome_of(outputs)


def probe_size_requirements(
    probe: SizeProbe, *, multiple_hint: int = 1, minimum_hint: int = 0
) -> SizeRequirements:
    """The smallest multiple and minimum with which the network behind ``probe`` accepts every size tried.

    Args:
        multiple_hint, minimum_hint: what a registry says; they speed the search up and reach sizes it would
            not try (a minimum of 512), but what counts is what the network does.

    Raises:
        CaptureError: no size, or one size only, is accepted.
    """
    # One size that is accepted lets the probe judge large ones by their shapes.
    known = _an_accepted_size(probe, SizeRequirements(multiple_hint, minimum_hint).up(_BASE_SIZE))
    if known is not None and not probe(known, known):
        raise CaptureError(_one_image(probe, known))
    base = max(_BASE_SIZE, minimum_hint, known or 0)
    divisors = [divisor for divisor in _MULTIPLES if multiple_hint % divisor == 0]
    without_growth: SizeRequirements | None = None
    for multiple in dict.fromkeys([*divisors, multiple_hint, *_MULTIPLES]):
        growths = _growths_at_multiples(probe, multiple, base)
        if growths is None or (not growths and without_growth is not None):
            continue
        found = SizeRequirements(
            multiple, _minimum(probe, multiple, growths, base), _whole_scale(growths.values())
        )
        if growths:
            return found
        without_growth = found
    if without_growth is None:
        raise CaptureError(_why_no_size(probe, known, base))
    return without_growth


def _an_accepted_size(probe: SizeProbe, first: int) -> int | None:
    """A side of a single square image that is accepted, if one of the usual ones is."""
    return next((size for size in dict.fromkeys((first, *_USUAL_SIZES)) if probe(size, size, 1)), None)


_Growths = Mapping[int, Extents]
"""How the outputs that grow with the image do, by position."""


def _growths_at_multiples(probe: SizeProbe, multiple: int, base: int) -> _Growths | None:
    """How the outputs grow over sizes that are odd multiples of ``multiple``; None where one is not accepted.

    An output that drops or adds pixels to fill blocks grows at multiples of the block only; such sizes are no reason
    to return an image of another size than the network was made for.
    """
    first = -(-base // multiple) | 1
    near = ((first, first + 2), (first + 4, first), (first + 2, first + 3))
    far = ((first + 5, 2 * first + 1), (2 * first + 4, first + 6))
    growths: dict[int, Extents] = {}
    sizes: list[tuple[int, int]] = []
    for factors in (near, far):
        sizes += [(multiple * rows, multiple * columns) for rows, columns in factors]
        if not all(probe(*size) for size in sizes):
            return None
        outputs = _outputs_with_extents(probe(*sizes[0]))
        growths = {output: growth for output in outputs if (growth := _growth(probe, sizes, output))}
        if growths and all(_is_exact(growth) for growth in growths.values()):
            return growths
    return growths


def _outputs_with_extents(accepted: Accepted) -> list[int]:
    return [output for output, shape in enumerate(accepted.shapes) if len(shape) == 4]


def _growth(probe: SizeProbe, sizes: Sequence[tuple[int, int]], output: int) -> Extents | None:
    """How height and width of one output follow those of the image over ``sizes``; None where they do not grow."""
    lengths: tuple[dict[int, int], dict[int, int]] = ({}, {})
    for size in sizes:
        for pixels, length, known in zip(size, probe(*size).shapes[output][2:], lengths, strict=True):
            if known.setdefault(pixels, length) != length:
                return None
    height, width = (fitted(known, _LARGEST_DENOMINATOR) for known in lengths)
    if height is None or width is None or not (height.times and width.times):
        return None
    return Extents(height, width) if height.step == width.step == 1 else None


def _is_exact(growth: Extents) -> bool:
    """Whether the extents are whole numbers before rounding, so that a few sizes tell all of them."""
    return growth.height.over == growth.width.over == 1


def _whole_scale(growths: Iterable[Extents]) -> int:
    return next((growth.scale or 0 for growth in growths), 0)


def _minimum(probe: SizeProbe, multiple: int, growths: _Growths, base: int) -> int:
    """The smallest size from which on the next sizes are all accepted, square and beside a longer side.

    Found by doubling, then by halving what is between the last size that is too small and the first that is not.
    """
    most = -(-base // multiple)

    def is_enough(count: int) -> bool:
        following = range(count, min(count + _RUN_LENGTH, most + 1))
        return all(_fits(probe, multiple * size, multiple * most, growths) for size in following)

    few, enough = 0, 1
    while enough < most and not is_enough(enough):
        few, enough = enough, min(2 * enough, most)
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (few, middle) if is_enough(middle) else (middle, enough)
    return multiple * enough


def _fits(probe: SizeProbe, size: int, longer: int, growths: _Growths) -> bool:
    return all(_follows(probe, *at, growths) for at in ((size, size), (size, longer), (longer, size)))


def _follows(probe: SizeProbe, height: int, width: int, growths: _Growths) -> bool:
    """Whether a size is accepted and its outputs are as large as larger ones make expect, up to how they round."""
    accepted = probe(height, width)
    return bool(accepted) and all(
        abs(length - expected) <= (not _is_exact(growth))
        for output, growth in growths.items()
        for length, expected in zip(accepted.shapes[output][2:], growth.at(height, width), strict=True)
    )


def _one_image(probe: SizeProbe, size: int) -> str:
    control_flow = (
        "its control flow depends on pixel values, and it" if probe.reads_values(size, size, 1) else "it"
    )
    return (
        f"The network takes one image at a time: {control_flow} refuses a batch of 2; "
        f"at {size}x{size}: {probe(size, size).reason}."
    )


def _why_no_size(probe: SizeProbe, known: int | None, base: int) -> str:
    if known is None:
        image = f"{probe.channels} channels and {base}x{base} pixels"
        return (
            f"The network accepts no size that was tried; an image of {image}: {probe(base, base).reason}; "
            "another number of channels is set by --input-channels (input_channels=)."
        )
    double = 2 * known
    if not probe(double, double, 1):
        why = f"; at {double}x{double}: {probe(double, double, 1).reason}"
        return f"The network accepts images of {known}x{known} but not of other sizes{why}."
    if not probe(known, double, 1):
        why = f"at {known}x{double}: {probe(known, double, 1).reason}"
        return f"The network accepts square images only, and a file takes every height and width; {why}."
    sizes = f"{known}x{known} and {double}x{double}"
    return f"The network accepts images of {sizes}, but not every multiple of any size."


def sizes_to_compare(requirements: SizeRequirements) -> Iterator[tuple[int, int]]:
    """Accepted sizes that differ in parity, in proportion and from each other; the smallest ones first."""
    least, up = requirements.minimum, requirements.up
    step = requirements.multiple
    sizes = (
        (least, least),
        (least, up(40)),
        (up(33), least + step),
        (up(36), up(47)),
        (up(51), up(38)),
        (up(64), up(64)),
        (up(57) + step, up(71)),
    )
    yield from dict.fromkeys(sizes)
