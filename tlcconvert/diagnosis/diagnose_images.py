"""From images to a diagnosis: what is to be run is planned for all, each is run, and all are summed up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from torch import Tensor

from tlcconvert.diagnosis.consistency import consistency, decibels, deviation
from tlcconvert.diagnosis.diagnosis import Diagnosis, ImageEvidence
from tlcconvert.diagnosis.image_plan import ImagePlan, planned
from tlcconvert.diagnosis.subject import Subject
from tlcconvert.diagnosis.summary import Told, summed_up
from tlcconvert.diagnosis.work_clock import Report, WorkClock
from tlcconvert.images.image_files import refuse_no_images
from tlcconvert.images.network_image import refuse_other_channels
from tlcconvert.images.unusable_image import UnusableImage


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
        return summed_up(subject, (), unusable)
    if any(isinstance(image, Path) for image in images):
        refuse_other_channels(subject.channels)
    reasons = list(unusable)
    plans: list[ImagePlan] = []
    for number, image in enumerate(images):
        with _noted(reasons):
            plans.append(planned(subject, number, image, len(images)))
    refuse_no_images(plans, reasons)
    clock = WorkClock(subject, report, sum(plan.work for plan in plans))
    told = []
    for plan in plans:
        with _noted(reasons):
            told.append(_told(subject, plan, clock))
    refuse_no_images(told, reasons)
    return summed_up(subject, told, reasons)


@contextmanager
def _noted(reasons: list[UnusableImage]) -> Iterator[None]:
    try:
        yield
    except UnusableImage as reason:
        reasons.append(reason)


def _told(subject: Subject, plan: ImagePlan, clock: WorkClock) -> Told:
    work_done = clock.doing(plan.name)
    found = consistency(subject, plan.pixels(subject), plan.positions, work_done)
    if not found.is_finite:
        raise UnusableImage(plan.name, "makes the network return values that are not finite")
    evidence = ImageEvidence(
        name=plan.name,
        size=plan.size,
        region=plan.region,
        crops=len(plan.positions),
        closer=float(decibels(found.global_errors, found.local_errors).median()),
        deviation=deviation(found.change),
        is_within_window=subject.is_within_window(*plan.region[2:]),
    )
    return Told(evidence, found)
