"""Degraded images and their clean originals: two folders, partners by the names of their files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tlcconvert.images.unusable_image import UnusableImage
from tlcconvert.shown_name import shown

_SCALED = re.compile(r"(.+?)_?x[1-9]\d?")
"""``0801x2``, the degraded image of ``0801`` in the data sets of super-resolution."""


@dataclass(frozen=True)
class Pair:
    """A degraded image and its clean original."""

    degraded: Path
    clean: Path


def pairs(
    degraded: Sequence[Path], clean: Sequence[Path]
) -> tuple[tuple[Pair, ...], tuple[UnusableImage, ...]]:
    """Files of the same name, whatever their type, in the order of the degraded ones; and those without a partner.

    A degraded image may also have the name of its original and a scale behind it: ``0801x2.png``, ``0801_x2.png``.
    """
    originals, doubles = _by_stem(clean)
    twins, degraded_doubles = _by_stem(degraded)
    found, alone = [], [*doubles, *degraded_doubles]
    taken = set()
    for stem, file in twins.items():
        scaled = _SCALED.fullmatch(stem)
        name = stem if stem in originals else scaled.group(1) if scaled else stem
        if name in originals and name not in taken:
            taken.add(name)
            found.append(Pair(file, originals[name]))
        else:
            alone.append(UnusableImage(shown(file), "has no clean partner of its name"))
    for name, file in originals.items():
        if name not in taken:
            alone.append(UnusableImage(shown(file), "has no degraded partner of its name"))
    return tuple(found), tuple(alone)


def _by_stem(files: Iterable[Path]) -> tuple[dict[str, Path], list[UnusableImage]]:
    by_stem: dict[str, Path] = {}
    doubles = []
    for file in files:
        if by_stem.setdefault(file.stem, file) is not file:
            doubles.append(UnusableImage(shown(file), f"has the name of {shown(by_stem[file.stem])}"))
    return by_stem, doubles
