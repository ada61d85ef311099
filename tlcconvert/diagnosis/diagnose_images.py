"""From images to a diagnosis: each is run, all are summed up, and the verdict follows."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from tlcconvert.diagnosis.consistency import Consistency, consistency, decibels, deviation
from tlcconvert.diagnosis.crops import crop_positions
from tlcconvert.diagnosis.diagnosis import Diagnosis, ImageEvidence, SiteEvidence
from tlcconvert.diagnosis.region import MOST_WORK, Region, region
from tlcconvert.diagnosis.site_distances import distance
from tlcconvert.diagnosis.subject import Subject
from tlcconvert.diagnosis.verdict import Verdict, verdict_of
from tlcconvert.images.image_file import read_image, size_of
from tlcconvert.images.image_files import refuse_no_images
from tlcconvert.images.network_image import as_network_takes_it, refuse_other_channels
from tlcconvert.images.unusable_image import UnusableImage
from tlcconvert.shown_name import shown

_CROPS_PER_IMAGE, _CROPS = 16, 64
"""16 of an image come within about 1 dB of all of them; few images have more of theirs."""
_SHOWS_BLOCKS = 0.01
"""Share of neighbours between which a norm's gain jumps by more than 5 %."""
_VISIBLE = -50.0
"""dB of deviation below which no blocks are seen whatever the norms do."""

Report = Callable[[str, float], None]
"""Called with what is being done and the share of all work that is done, 0 to 1."""


@dataclass(frozen=True)
class _Plan:
    """What is to be run of one image: where in it, and the multiply-adds that takes."""

    name: str
    image: Path | Tensor
    size: tuple[int, int]
    region: Region
    positions: tuple[tuple[int, int], ...]
    work: int


@dataclass(frozen=True)
class _Told:
    evidence: ImageEvidence
    consistency: Consistency


def diagnose_images(
    subject: Subject, images: Sequence[Path | Tensor], unusable: Sequence[UnusableImage], report: Report
) -> Diagnosis:
    """The diagnosis of ``subject`` on files, and on tensors [C, H, W] or [1, C, H, W] in the network's values.

    Args:
        unusable: what was named beside them and is no image.

    Raises:
        InputError: no image can be used.
    """
    if not subject.local.statistics:
        return _summed_up(subject, (), unusable)
    if any(isinstance(image, Path) for image in images):
        refuse_other_channels(subject.channels)
    reasons = list(unusable)
    plans: list[_Plan] = []
    for number, image in enumerate(images):
        with _noted(reasons):
            plans.append(_planned(subject, number, image, len(images)))
    clock = _Clock(subject, report, sum(plan.work for plan in plans))
    told = []
    for plan in plans:
        with _noted(reasons):
            told.append(_told(subject, plan, clock))
    refuse_no_images(told, reasons)
    return _summed_up(subject, told, reasons)


@contextmanager
def _noted(reasons: list[UnusableImage]) -> Iterator[None]:
    try:
        yield
    except UnusableImage as reason:
        reasons.append(reason)


def _planned(subject: Subject, number: int, image: Path | Tensor, count: int) -> _Plan:
    if isinstance(image, Path):
        name, size = shown(image), size_of(image)
    else:
        name = f"image {number + 1}"
        size = _height_and_width(_as_batch(subject, name, image))
    crop = subject.crop_size
    if any(extent < side for extent, side in zip(size, crop, strict=True)):
        raise UnusableImage(name, f"has {size[0]}x{size[1]} pixels, less than a crop of {crop[0]}x{crop[1]}")
    run = region(subject, size, MOST_WORK / count)
    crops = max(_CROPS_PER_IMAGE, -(-_CROPS // count))
    positions = crop_positions(run[2:], crop, subject.alignment, crops)
    cost = subject.cost.multiply_adds
    work = 2 * cost(1, *run[2:]) + cost(len(positions), *crop)
    return _Plan(name, image, size, run, positions, work)


class _Clock:
    """Says how much of the work is done, and first how long it will take, from the time one crop takes."""

    def __init__(self, subject: Subject, report: Report, work: int) -> None:
        self._report, self._work, self._done = report, max(1, work), 0
        crop = torch.zeros(1, subject.channels, *subject.crop_size)
        subject.whole.run(crop)  # the first run of anything is slow
        start = time.perf_counter()
        subject.whole.run(crop)
        pace = (time.perf_counter() - start) / max(1, subject.cost.multiply_adds(1, *subject.crop_size))
        self.estimate = f"about {in_time(pace * work)} in all"
        report(self.estimate, 0.0)

    def doing(self, name: str) -> Callable[[int], None]:
        def done(work: int) -> None:
            self._done += work
            self._report(f"{name}, {self.estimate}", self._done / self._work)

        done(0)
        return done


def in_time(seconds: float) -> str:
    """A duration for a person: ``"40 seconds"``, ``"3 minutes"``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} seconds"
    return f"{round(seconds / 60)} minutes"


def _told(subject: Subject, plan: _Plan, clock: _Clock) -> _Told:
    done = clock.doing(plan.name)
    top, left, height, width = plan.region
    box = slice(top, top + height), slice(left, left + width)
    if isinstance(plan.image, Path):
        pixels = as_network_takes_it(read_image(plan.image)[box], subject.channels, subject.pixels)
    else:
        pixels = _as_batch(subject, plan.name, plan.image)[..., box[0], box[1]]
    found = consistency(subject, pixels, plan.positions, done)
    if not found.is_finite:
        raise UnusableImage(plan.name, "makes the network return values that are not finite")
    evidence = ImageEvidence(
        name=plan.name,
        size=plan.size,
        region=plan.region,
        crops=len(plan.positions),
        closer=float(decibels(found.global_errors, found.local_errors).median()),
        deviation=deviation(found.change),
        is_within_window=subject.is_within_window(height, width),
    )
    return _Told(evidence, found)


def _height_and_width(image: Tensor) -> tuple[int, int]:
    height, width = image.shape[2:]
    return height, width


def _as_batch(subject: Subject, name: str, image: Tensor) -> Tensor:
    pixels = image.detach().float().cpu()
    pixels = pixels[None] if pixels.dim() == 3 else pixels
    if pixels.dim() != 4 or pixels.shape[0] != 1 or pixels.shape[1] != subject.channels:
        raise UnusableImage(
            name,
            f"is of shape {tuple(image.shape)}, not [{subject.channels}, height, width] as the network takes it",
        )
    return pixels


def _summed_up(subject: Subject, told: Sequence[_Told], reasons: Sequence[UnusableImage]) -> Diagnosis:
    telling = [each for each in told if not each.evidence.is_within_window]
    closer, changed, global_error, local_error = _totals(telling)
    sites = _sites(subject, telling)
    if not subject.local.statistics:
        verdict = Verdict.NOTHING_GLOBAL
    elif not telling:
        verdict = Verdict.UNDECIDED
    else:
        verdict = verdict_of(closer, changed)
    training = subject.localized.training
    is_visible = changed > _VISIBLE
    return Diagnosis(
        verdict=verdict,
        closer=closer,
        deviation=changed,
        global_error=global_error,
        local_error=local_error,
        train_size=training.train_size,
        crop_size=subject.crop_size,
        base_size=training.base_size,
        alignment=subject.alignment,
        images=tuple(each.evidence for each in told),
        left_out=tuple(map(str, reasons)),
        sites=sites,
        left_global=tuple(
            f"{skipped.kind} at {skipped.where}: {skipped.reason}" for skipped in subject.localized.skipped
        ),
        blocks=tuple(site for site in sites if is_visible and (site.jumps or 0.0) > _SHOWS_BLOCKS),
        notes=tuple(_notes(subject, [each.evidence for each in told])),
    )


def _totals(telling: Sequence[_Told]) -> tuple[float, float, float, float]:
    """C, D, and the mean of d_global and of d_local."""
    if not telling:
        return 0.0, -math.inf, 0.0, 0.0
    global_errors = torch.cat([each.consistency.global_errors for each in telling])
    local_errors = torch.cat([each.consistency.local_errors for each in telling])
    change = sum(each.consistency.change for each in telling) / len(telling)
    return (
        float(decibels(global_errors, local_errors).median()),
        deviation(change),
        float(global_errors.mean()),
        float(local_errors.mean()),
    )


def _sites(subject: Subject, telling: Sequence[_Told]) -> tuple[SiteEvidence, ...]:
    if [*subject.local.statistics] != [*subject.whole.statistics]:
        return ()
    return tuple(
        _site(index, node.where, node.kind, telling) for index, node in enumerate(subject.local.statistics)
    )


def _site(index: int, place: str, kind: str, telling: Sequence[_Told]) -> SiteEvidence:
    found = [each.consistency for each in telling]
    on_crops = [seen[index].values for each in found for seen in each.on_crops]
    on_whole = [each.on_whole[index].values for each in found]
    on_windows = [each.on_windows[index].values for each in found]
    jumps = [seen for each in found if (seen := each.on_windows[index].jumps) is not None]
    return SiteEvidence(
        where=place,
        kind=kind,
        whole_distance=_distance(on_whole, on_crops),
        window_distance=_distance(on_windows, on_crops),
        jumps=sum(jumps) / len(jumps) if jumps else None,
    )


def _distance(values: Iterable[Tensor | None], on_crops: Iterable[Tensor | None]) -> float | None:
    known, crops = ([each for each in some if each is not None] for some in (values, on_crops))
    return distance(known, crops) if known and crops else None


def _notes(subject: Subject, images: Sequence[ImageEvidence]) -> Iterable[str]:
    if not images:
        return
    if subject.crop_size != subject.localized.training.train_size:
        crop = "x".join(map(str, subject.crop_size))
        yield f"crops are of {crop} pixels, as the network accepts none of the training size"
    parts = [image for image in images if _is_part(subject, image)]
    if parts:
        largest = max(parts, key=lambda image: image.size[0] * image.size[1])
        yield (
            f"of {len(parts)} of {len(images)} images a part about the middle was run, which keeps memory and time "
            f"bounded: {largest.region[2]}x{largest.region[3]} of {largest.size[0]}x{largest.size[1]} pixels of "
            f"{largest.name}; whole, they may differ more"
        )
    if subject.pixels.value_range is None:
        yield "nothing says what the network's black and white are: 0 and 1 were taken"
    few = sum(image.crops for image in images)
    if few < _CROPS_PER_IMAGE:
        yield f"only {few} crops differ, so the verdict rests on little"


def _is_part(subject: Subject, image: ImageEvidence) -> bool:
    """Whether more was left out than the rest of a multiple."""
    return any(
        whole - run >= subject.requirements.multiple
        for whole, run in zip(image.size, image.region[2:], strict=True)
    )
