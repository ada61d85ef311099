"""Runs a network in every way on pairs: as it is, on tiles, and with windows of every ratio."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tlcconvert.diagnosis.region import MOST_WORK, region
from tlcconvert.diagnosis.subject import Subject
from tlcconvert.diagnosis.work_clock import Report
from tlcconvert.errors import InputError
from tlcconvert.images.image_file import read_image, size_of
from tlcconvert.images.image_files import refuse_no_images
from tlcconvert.images.network_image import as_network_takes_it, refuse_other_channels
from tlcconvert.images.unusable_image import UnusableImage
from tlcconvert.machine.file_hash import sha256_of
from tlcconvert.shown_name import shown
from tlcconvert.tuning.pairs import Pair
from tlcconvert.tuning.quality import Quality, quality
from tlcconvert.tuning.tiles import in_tiles
from tlcconvert.tuning.tuning import ORIGINAL, RATIOS, TILES, PairQuality, Tuning, text_of

_RUNS = len(RATIOS) + 3
"""Of every pair: tiles overlap and take about two."""
_SHARE_OF_TWO_RUNS = 2 / _RUNS


@dataclass(frozen=True)
class _Way:
    name: str
    run: Callable[[Tensor], Tensor]


def tune_pairs(
    subject: Subject,
    source_sha256: str,
    pairs: Sequence[Pair],
    alone: Sequence[UnusableImage],
    known: Iterable[Mapping[str, Any]],
    report: Report,
    keep: Callable[[Tuning], None],
) -> Tuning:
    """Which window is best for ``subject`` on ``pairs``.

    Args:
        alone: what has no partner.
        known: rows of a plan for this network; those of the same files are not run again.
        keep: called after each pair that is run with all that is known by then, and at the end.

    Raises:
        InputError: no pair can be used, or the network has nothing to make local.
    """
    if not subject.local.statistics:
        raise InputError(
            "The network has no global statistic that could be made local: there is nothing to tune."
        )
    refuse_other_channels(subject.channels)
    reasons = list(alone)
    known_rows = dict(filter(None, map(_known_row, known)))
    hashes, rows = _begun(pairs, known_rows, reasons)
    ways = _ways(subject)
    train_size = subject.localized.training.train_size

    def found() -> Tuning:
        told = tuple(rows[number] for number in sorted(rows))
        return Tuning(source_sha256, train_size, told, tuple(map(str, reasons)))

    for number, sha256 in hashes.items():
        if number in rows:
            continue
        try:
            of = _qualities(subject, pairs[number], ways, len(pairs), number, report)
        except UnusableImage as reason:
            reasons.append(reason)
            continue
        rows[number] = PairQuality(shown(pairs[number].degraded), sha256, of)
        keep(found())
    refuse_no_images(rows, reasons)
    tuning = found()
    keep(tuning)
    return tuning


def _begun(
    pairs: Sequence[Pair],
    known: Mapping[tuple[str, str], dict[str, Quality]],
    reasons: list[UnusableImage],
) -> tuple[dict[int, tuple[str, str]], dict[int, PairQuality]]:
    """By the number of a pair, the hashes of its files, and what is known of it already."""
    hashes, rows = {}, {}
    for number, pair in enumerate(pairs):
        try:
            hashes[number] = _hash(pair.degraded), _hash(pair.clean)
        except UnusableImage as reason:
            reasons.append(reason)
            continue
        if hashes[number] in known:
            rows[number] = PairQuality(shown(pair.degraded), hashes[number], known[hashes[number]])
    return hashes, rows


def _ways(subject: Subject) -> list[_Way]:
    def original(image: Tensor) -> Tensor:
        return subject.whole.run(image)[0]

    def tiles(image: Tensor) -> Tensor:
        return in_tiles(subject, original, image)

    return [
        _Way(ORIGINAL, original),
        _Way(TILES, tiles),
        *(_Way(text_of(ratio), subject.at_ratio(ratio)) for ratio in RATIOS),
    ]


def _qualities(
    subject: Subject, pair: Pair, ways: Sequence[_Way], count: int, number: int, report: Report
) -> dict[str, Quality]:
    degraded, clean = _images(subject, pair, count)
    found = {}
    for place, way in enumerate(ways):
        share = (number + place / len(ways)) / count
        report(f"{shown(pair.degraded)} ({number + 1} of {count}), {way.name}", share)
        with torch.no_grad():
            found[way.name] = quality(way.run(degraded), clean, subject.pixels)
    return found


def _images(subject: Subject, pair: Pair, count: int) -> tuple[Tensor, Tensor]:
    """The part of the degraded image that is run, and that of the clean one the output stands for."""
    size, clean_size = size_of(pair.degraded), size_of(pair.clean)
    expected = subject.extents.at(*size)
    if clean_size != expected:
        raise UnusableImage(
            shown(pair.clean),
            f"has {_by(clean_size)} pixels, and the network makes {_by(expected)} of {shown(pair.degraded)}",
        )
    if any(extent < side for extent, side in zip(size, subject.crop_size, strict=True)):
        raise UnusableImage(
            shown(pair.degraded), f"has {_by(size)} pixels, less than a crop of {_by(subject.crop_size)}"
        )
    top, left, height, width = region(subject, size, _SHARE_OF_TWO_RUNS * MOST_WORK / count)
    step = subject.alignment
    top, left = (place // step * step for place in (top, left))
    # Tiles at aligned positions end where the image does.
    height, width = (
        side + (extent - side) // step * step
        for extent, side in zip((height, width), subject.crop_size, strict=True)
    )
    degraded = _part(subject, pair.degraded, top, left, height, width)
    clean = _part(
        subject, pair.clean, *subject.output_begins_at(top, left), *subject.extents.at(height, width)
    )
    return degraded, clean


def _part(subject: Subject, path: Path, top: int, left: int, height: int, width: int) -> Tensor:
    values = read_image(path)[top : top + height, left : left + width]
    return as_network_takes_it(values, subject.channels, subject.pixels)


def _hash(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return sha256_of(stream)
    except OSError as error:
        raise UnusableImage(shown(path), f"cannot be read: {error.strerror or error}") from error


def _known_row(row: Mapping[str, Any]) -> tuple[tuple[str, str], dict[str, Quality]] | None:
    """What a plan knows of a pair; None where it does not know every way."""
    try:
        first, second = row["sha256"]
        of = {
            way: Quality(float("inf") if facts["psnr"] is None else float(facts["psnr"]), facts["ssim"])
            for way, facts in row["of"].items()
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return ((first, second), of) if {ORIGINAL, TILES, *map(text_of, RATIOS)} <= of.keys() else None


def _by(size: Sequence[int]) -> str:
    return "x".join(map(str, size))
