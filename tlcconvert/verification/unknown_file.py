"""Sizes to compare a file at of which nothing is known but what it says of itself, and a network that can be run."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import torch
from onnxruntime import InferenceSession
from torch import fx, nn

from passes.torch_internals.names import FakeTensorMode
from tlcconvert.network.network_inputs import NetworkInputs
from tlcconvert.verification import sizes as budget
from tlcconvert.verification.compare import Trial
from tlcconvert.verification.cost import PER_ELEMENT
from tlcconvert.verification.extents import LEAST
from tlcconvert.verification.multiply_adds import OperatorCounter
from tlcconvert.verification.sizes import Purse, Reach, Size, planned

DEFAULT_SIZES: tuple[Size, ...] = ((1, 64, 64), (2, 48, 80), (1, 97, 65), (3, 33, 40))
_PROBES: tuple[Size, Size] = ((1, 256, 320), (1, 512, 640))
_ACROSS = 48


@dataclass(frozen=True)
class _Facts:
    """What a file says of itself.

    Attributes:
        fixed: batch, height and width it was made for; None where they are free.
        multiple, minimum: of the height and width it takes.
        window: height and width of the largest window in pixels of the image; None where no statistic is local.
        within: the largest height and width at which every map fits its window for certain.
    """

    fixed: tuple[int | None, int | None, int | None]
    multiple: int
    minimum: int
    window: tuple[int, int] | None
    within: tuple[int, int]

    def taken(self, extent: int) -> int:
        return max(self.minimum, -(-extent // self.multiple) * self.multiple)

    def _fixed(self, size: Size) -> Size:
        batch, height, width = (
            asked if own is None else own for own, asked in zip(self.fixed, size, strict=True)
        )
        return batch, height, width

    def fitted(self, trials: Iterable[Trial]) -> list[Trial]:
        """``trials`` at sizes the file takes, each once."""
        sized = [replace(trial, size=self._fixed(trial.size)) for trial in trials]
        return list({(trial.size, trial.is_photograph): trial for trial in reversed(sized)}.values())[::-1]


def trials_for(
    session: InferenceSession, reference: nn.Module, inputs: NetworkInputs
) -> tuple[list[Trial], tuple[str, ...]]:
    """Small sizes, thin ones along each axis and a real one, and notes about them.

    The cost and the smallest map are those of ``reference`` run on shapes alone.
    """
    facts = _facts(session)
    if facts.window is not None and not _is_localized(reference):
        return facts.fitted(_within(facts)), (
            f"the file's statistics are local, with windows of {facts.window[0]}x{facts.window[1]} pixels: beyond "
            "them it differs from the network it was made from, so no larger size was compared",
        )
    small = [Trial((n, facts.taken(h), facts.taken(w)), "small") for n, h, w in DEFAULT_SIZES]
    if None not in facts.fixed:
        return facts.fitted([small[0], Trial(small[0].size, "a photograph", True)]), ()
    counts = _counted(reference, inputs)
    if counts is None:
        return facts.fitted(small), (
            "the network does not run on shapes alone, so its cost is unknown and no large size was compared",
        )
    purse = Purse(_reach(*counts, facts), budget.BUDGET)
    for trial in small:
        purse.pay(trial.size)
    plan = planned(purse.reach, purse, facts.window, facts.taken)
    note = (
        f"sizes were chosen within {purse.budget:.1e} multiply-adds for one run at each; "
        f"they take {purse.spent:.1e}"
    )
    return facts.fitted([*small, *plan.trials]), (*plan.notes, note)


def _facts(session: InferenceSession) -> _Facts:
    metadata = session.get_modelmeta().custom_metadata_map
    shape = session.get_inputs()[0].shape
    batch, height, width = (shape[axis] if isinstance(shape[axis], int) else None for axis in (0, 2, 3))
    own = [_number(metadata.get(key, "")) for key in ("size_multiple", "size_minimum")]
    has_wrapper = metadata.get("size_wrapper", "true") != "false"
    base, train = (_numbers(metadata.get(key, "")) for key in ("base_size", "train_size"))
    has_windows = metadata.get("windows", "[]") != "[]" and base is not None and train is not None
    return _Facts(
        fixed=(batch, height, width),
        multiple=1 if has_wrapper else own[0],
        minimum=1 if has_wrapper else own[1],
        window=base if has_windows else None,
        within=_largest_within(base, train, own[0]) if base and train else (1, 1),
    )


def _largest_within(base: tuple[int, int], train: tuple[int, int], multiple: int) -> tuple[int, int]:
    """The training crop fits every window that is no smaller; below one, what the network pads to must fit too."""
    height, width = (
        crop if window >= crop else max(multiple, int(0.9 * window) // multiple * multiple)
        for window, crop in zip(base, train, strict=True)
    )
    return height, width


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and 0 < int(text) <= 4096 else 1


def _numbers(text: str) -> tuple[int, int] | None:
    """``"[32, 48]"`` as numbers; None for anything else."""
    match = re.fullmatch(r"\[(\d{1,5}), (\d{1,5})\]", text)
    return (int(match[1]), int(match[2])) if match else None


def _is_localized(reference: nn.Module) -> bool:
    """Whether the reference is a converted network, not the one it was made from."""
    graphs = (module for module in reference.modules() if isinstance(module, fx.GraphModule))
    return any(
        getattr(node.target, "namespace", "") == "tlc" for graph in graphs for node in graph.graph.nodes
    )


def _within(facts: _Facts) -> list[Trial]:
    """Sizes at which every statistic still covers its whole map."""
    height, width = facts.within
    sizes = [(1, height, width), (2, height // 2 + 1, width // 3 + 1), (1, height // 3 + 1, width)]
    fitted = [(n, min(facts.taken(h), height), min(facts.taken(w), width)) for n, h, w in sizes]
    return [
        *(Trial(size, "within the windows") for size in fitted),
        Trial(fitted[1], "within the windows, a photograph", True),
    ]


def _counted(reference: nn.Module, inputs: NetworkInputs) -> tuple[OperatorCounter, OperatorCounter] | None:
    """What the network does at the two probes, on shapes alone; None where it cannot be run so."""
    try:
        first, second = (_on_shapes(reference, inputs, size) for size in _PROBES)
    except Exception:
        return None
    return (first, second) if len(first.maps) == len(second.maps) else None


def _on_shapes(reference: nn.Module, inputs: NetworkInputs, size: Size) -> OperatorCounter:
    with torch.no_grad(), FakeTensorMode(allow_non_fake_inputs=True), OperatorCounter() as counter:
        reference(*(torch.empty(shape) for shape in inputs.sizes(*size)))
    return counter


def _reach(first: OperatorCounter, second: OperatorCounter, facts: _Facts) -> Reach:
    """How far images must go for the smallest map, and their cost, which grows no faster than with the probes."""
    structure = tuple(facts.taken(_extent_for(LEAST + 1, axis, first, second)) for axis in (2, 3))
    across = tuple(facts.taken(max(_ACROSS, _extent_for(2, axis, first, second))) for axis in (2, 3))
    windows = None
    if facts.window is not None:
        windows = tuple(
            max(extent, facts.taken(window + window // 4 + 1))
            for extent, window in zip(structure, facts.window, strict=True)
        )
    return Reach(
        (across[0], across[1]),
        (structure[0], structure[1]),
        None if windows is None else (windows[0], windows[1]),
        _grown(*(each.multiply_adds + PER_ELEMENT * each.elements for each in (first, second))),
        # Six maps of the largest size are alive at once in few networks of this field.
        _grown(*(24 * max(map(math.prod, each.maps), default=0) for each in (first, second))),
    )


def _extent_for(elements: int, axis: int, first: OperatorCounter, second: OperatorCounter) -> int:
    """Pixels from which on every map that grows has ``elements`` on ``axis``, one more for what was rounded."""
    short, long = (probe[axis - 1] for probe in _PROBES)
    longest = elements
    for small, large in zip(first.maps, second.maps, strict=True):
        slope = (large[axis] - small[axis]) / (long - short)
        if slope > 0 and small[axis] > 1:
            longest = max(longest, math.ceil((elements + 1 - large[axis]) / slope) + long)
    return longest


def _grown(at_first: int, at_second: int) -> Callable[[int, int, int], int]:
    """a * pixels + b * pixels^2 through both probes, batch by batch."""
    p, q = (height * width for _, height, width in _PROBES)
    square = max(0.0, (at_second / q - at_first / p) / (q - p))
    linear = at_second / q - square * q

    def at(batch: int, height: int, width: int) -> int:
        pixels = height * width
        return int(batch * (linear * pixels + square * pixels**2))

    return at
