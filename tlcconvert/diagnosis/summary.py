"""From what every image told to the diagnosis."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tlcconvert.diagnosis.consistency import Consistency, decibels, deviation
from tlcconvert.diagnosis.diagnosis import Diagnosis, ImageEvidence, SiteEvidence
from tlcconvert.diagnosis.image_plan import CROPS_PER_IMAGE
from tlcconvert.diagnosis.site_distances import distance
from tlcconvert.diagnosis.subject import Subject
from tlcconvert.diagnosis.verdict import Verdict, verdict_of
from tlcconvert.images.unusable_image import UnusableImage

_SHOWS_BLOCKS = 0.01
"""Share of neighbours between which a norm's gain jumps by more than 5 %."""
_VISIBLE = -50.0
"""dB of deviation below which no blocks are seen whatever the norms do."""


@dataclass(frozen=True)
class Told:
    """What one image told: its row, and the measurements behind it."""

    evidence: ImageEvidence
    consistency: Consistency


def summed_up(subject: Subject, told: Sequence[Told], reasons: Sequence[UnusableImage]) -> Diagnosis:
    """The diagnosis; images within a window are in it and do not count.

    Args:
        reasons: why others told nothing.
    """
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


def _totals(telling: Sequence[Told]) -> tuple[float, float, float, float]:
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


def _sites(subject: Subject, telling: Sequence[Told]) -> tuple[SiteEvidence, ...]:
    if [*subject.local.statistics] != [*subject.whole.statistics]:
        return ()
    return tuple(
        _site(index, node.where, node.kind, telling) for index, node in enumerate(subject.local.statistics)
    )


def _site(index: int, place: str, kind: str, telling: Sequence[Told]) -> SiteEvidence:
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
    if few < CROPS_PER_IMAGE:
        yield f"only {few} crops differ, so the verdict rests on little"


def _is_part(subject: Subject, image: ImageEvidence) -> bool:
    """Whether more was left out than the rest of a multiple."""
    return any(
        whole - run >= subject.requirements.multiple
        for whole, run in zip(image.size, image.region[2:], strict=True)
    )
