"""Which image sizes a network accepts: a multiple and a minimum, found by running it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import nn

from tlcconvert.eager_reference import tensors_of
from tlcconvert.errors import CaptureError
from tlcconvert.network_inputs import NetworkInputs
from tlcconvert.shape_run import ShapeRun, first_line, reads_values

_MULTIPLES = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 96, 112, 128)
_USUAL_FIXED_SIZES = (48, 32, 64, 128, 192, 224, 256, 512)
_BASE_SIZE = 48
_PROBE_BATCH = 2
_CHEAP = 2**16
"""Pixels of a batch up to which a network is simply run."""


@dataclass(frozen=True)
class SizeRequirements:
    """Height and width a network accepts.

    Attributes:
        multiple: both must be multiples of it, in pixels.
        minimum: both must be at least this, in pixels; a multiple of ``multiple``.
        scale: size of the first output that is an image over that of the input, or 0 if none is.
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


@dataclass(frozen=True)
class Accepted:
    """What one run at one size showed: whether the network accepts it, the size of each output, why not."""

    output_sizes: tuple[tuple[int, ...], ...] = ()
    reason: str = ""

    def __bool__(self) -> bool:
        return not self.reason


class SizeProbe:
    """Runs a network at sizes and remembers which it accepts.

    A size is accepted when the network returns finite values there. A large size which the shapes alone rule out is
    not run.

    Args:
        network: takes ``inputs``.
        shapes: the same network on shapes; consulted once a size is known at which both run.
    """

    def __init__(self, network: nn.Module, inputs: NetworkInputs, shapes: ShapeRun | None = None) -> None:
        self._network = network
        self._inputs = inputs
        self._shapes = shapes
        self._believes_shapes: bool | None = None
        self._seen: dict[tuple[int, int, int], Accepted] = {}

    def __call__(self, height: int, width: int, batch: int = _PROBE_BATCH) -> Accepted:
        key = (height, width, batch)
        if key not in self._seen:
            objection = self._objection_of_shapes(*key)
            self._seen[key] = Accepted(reason=objection) if objection else self._run(*key)
        return self._seen[key]

    def reads_values(self, height: int, width: int, batch: int) -> bool:
        """Whether the network's Python code asks for values of tensors at this size, as far as shapes can tell."""
        return self._shapes is not None and reads_values(self._shapes.objection(height, width, batch))

    def _objection_of_shapes(self, height: int, width: int, batch: int) -> str:
        """Why shapes alone rule a large size out; ``""`` where they do not or are not to be believed."""
        if self._shapes is None or height * width * batch <= _CHEAP:
            return ""
        accepted = next((key for key, outcome in self._seen.items() if outcome), None)
        if accepted is None:
            return ""
        if self._believes_shapes is None:
            self._believes_shapes = not self._shapes.objection(*accepted)
        return self._shapes.objection(height, width, batch) if self._believes_shapes else ""

    def _run(self, height: int, width: int, batch: int) -> Accepted:
        try:
            with torch.no_grad():
                outputs = tensors_of(self._network(*self._inputs.random(batch, height, width)))
        except Exception as error:
            return Accepted(reason=first_line(error))
        if not outputs:
            return Accepted(reason="it returns no tensor")
        if any(not bool(torch.isfinite(output).all()) for output in outputs if output.is_floating_point()):
            return Accepted(reason="it returns NaN or infinity")
        return Accepted(output_sizes=tuple(tuple(output.shape[2:]) for output in outputs))


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
    base = max(_BASE_SIZE, minimum_hint)
    # One size that is accepted lets the probe rule out large ones by their shapes.
    known = _an_accepted_size(probe, SizeRequirements(multiple_hint, minimum_hint).up(_BASE_SIZE))
    if known is not None and not probe(known, known):
        raise CaptureError(_one_image(probe, known))
    divisors = [divisor for divisor in _MULTIPLES if multiple_hint % divisor == 0]
    without_scale: SizeRequirements | None = None
    for multiple in dict.fromkeys([*divisors, multiple_hint, *_MULTIPLES]):
        scale = _scale_at_multiples(probe, multiple, base)
        if scale is None or (scale == 0 and without_scale is not None):
            continue
        found = SizeRequirements(multiple, _minimum(probe, multiple, scale, base), scale)
        if scale:
            return found
        without_scale = found
    if without_scale is None:
        raise CaptureError(_why_no_size(probe, known, base))
    return without_scale


def _an_accepted_size(probe: SizeProbe, first: int) -> int | None:
    """A side of a single square image that is accepted, if one of the usual ones is."""
    return next((size for size in dict.fromkeys((first, *_USUAL_FIXED_SIZES)) if probe(size, size, 1)), None)


def _scale_at_multiples(probe: SizeProbe, multiple: int, base: int) -> int | None:
    """The scale if sizes that are odd multiples of ``multiple`` are accepted and share one, else None."""
    first = -(-base // multiple) | 1
    factors = ((first, first + 2), (first + 4, first), (first + 2, first + 3))
    scales = []
    for rows, columns in factors:
        scales.append(_scale(probe, multiple * rows, multiple * columns))
        if scales[-1] is None or scales[-1] != scales[0]:
            return None
    return scales[0]


def _scale(probe: SizeProbe, height: int, width: int) -> int | None:
    """Output over input size; 0 if the output is no whole multiple of the input; None if not accepted."""
    accepted = probe(height, width)
    if not accepted:
        return None
    for size in accepted.output_sizes:
        if len(size) == 2 and size[0] % height == 0 and size[0] // height * width == size[1]:
            return size[0] // height
    return 0


def _minimum(probe: SizeProbe, multiple: int, scale: int, base: int) -> int:
    """The smallest size from which on the next sizes are all accepted, square and beside a longer side."""
    longer = -(-base // multiple) * multiple
    sizes = range(multiple, longer + 1, multiple)
    run_length = 3
    for start in range(len(sizes)):
        if all(_fits(probe, size, longer, scale) for size in sizes[start : start + run_length]):
            return sizes[start]
    return longer


def _fits(probe: SizeProbe, size: int, longer: int, scale: int) -> bool:
    return all(_scale(probe, *at) == scale for at in ((size, size), (size, longer), (longer, size)))


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
        return f"The network accepts no size that was tried; at {base}x{base}: {probe(base, base).reason}."
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
