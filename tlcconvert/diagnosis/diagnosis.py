"""What was found about one network, as values and as sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tlcconvert.diagnosis.verdict import (
    LEAST_CLOSER,
    UNSAFE_DEVIATION,
    Verdict,
    largest_change,
    likely_gain,
)

SCHEMA = 1
"""Of :meth:`Diagnosis.facts`; up when a key goes or means something else."""
_PSNR = 30.0
"""dB of the original for which a sentence says what a gain may be."""
_INVISIBLE = -60.0
"""dB: a quarter of a step of 8 bits."""


@dataclass(frozen=True)
class ImageEvidence:
    """What one image told.

    Attributes:
        name: of the file, or its number among tensors.
        size: (height, width) in pixels.
        region: (top, left, height, width) of what was run as one image.
        crops: how many were compared.
        closer: median over crops, dB; 0 where the region is within a window.
        deviation: dB of white minus black; minus infinity where the region is within a window.
        is_within_window: so that local statistics are global ones.
    """

    name: str
    size: tuple[int, int]
    region: tuple[int, int, int, int]
    crops: int
    closer: float
    deviation: float
    is_within_window: bool


@dataclass(frozen=True)
class SiteEvidence:
    """What one statistic is on images, on windows of them and on crops.

    Attributes:
        where: module and source line.
        kind: of statistic.
        whole_distance: of its values on whole images from those on crops: Wasserstein distance, mean over channels,
            in standard deviations over crops. None where it has no values to compare: attention, and a network
            whose images are all within a window.
        window_distance: the same of its values on windows.
        jumps: of a norm, the share of neighbouring pixels whose gains differ by more than 5 %; else None.
    """

    where: str
    kind: str
    whole_distance: float | None
    window_distance: float | None
    jumps: float | None


@dataclass(frozen=True)
class Diagnosis:
    """Whether local statistics help a network.

    Attributes:
        verdict: what is best.
        closer: C, the median over all crops of 10 log10(d_global / d_local), where d is the mean squared difference
            between the output on a training-size crop and that on the whole image, on the central half of the crop.
        deviation: D, 20 log10 of the RMS difference between local and global outputs; white minus black is 1.
        global_error, local_error: means over crops of d_global and d_local.
        train_size: (height, width) of the training crops.
        crop_size: of the crops compared: the training size, where the network accepts that.
        base_size: of the window, in pixels of the image.
        alignment: of a crop's position, in pixels.
        images: what each image told.
        left_out: sentences on images that told nothing.
        sites: the statistics, in the order of the network.
        left_global: what cannot be made local and depends on the whole image whatever the verdict, with the reason.
        blocks: the norms whose gain jumps from pixel to pixel so often that blocks show.
        notes: what was measured otherwise than asked.
    """

    verdict: Verdict
    closer: float
    deviation: float
    global_error: float
    local_error: float
    train_size: tuple[int, int]
    crop_size: tuple[int, int]
    base_size: tuple[int, int]
    alignment: int
    images: tuple[ImageEvidence, ...]
    left_out: tuple[str, ...]
    sites: tuple[SiteEvidence, ...]
    left_global: tuple[str, ...]
    blocks: tuple[SiteEvidence, ...]
    notes: tuple[str, ...]

    def likely_gain(self, psnr: float) -> float | None:
        """dB by which local statistics are likely to raise a PSNR of ``psnr`` dB; None where nothing tells."""
        return likely_gain(self.global_error - self.local_error, psnr)

    def largest_gain(self, psnr: float) -> float:
        """The most dB by which they can raise it, or infinity."""
        return largest_change(self.deviation, psnr)

    @property
    def sentence(self) -> str:
        """The verdict for a person."""
        match self.verdict:
            case Verdict.LOCAL:
                return (
                    f"Local statistics bring this network {self.closer:.1f} dB closer to what it does on training "
                    f"crops; expect a gain, {self._expected()}."
                )
            case Verdict.UNSAFE:
                return (
                    f"Unsafe: local statistics change the output by {self.deviation:.0f} dB, where more than "
                    f"{UNSAFE_DEVIATION:.0f} dB did harm, and bring the network {_closer(self.closer)}; it seems to "
                    "need the whole image (was it trained on whole images?): statistics should stay global."
                )
            case Verdict.NO_BENEFIT:
                seen = "hardly visible" if self.deviation <= _INVISIBLE else "no benefit"
                return (
                    f"Local statistics are {seen}: they change the output by {self.deviation:.0f} dB and bring the "
                    f"network {_closer(self.closer)}, where a gain takes {LEAST_CLOSER:.0f} dB; statistics may stay "
                    "global."
                )
            case Verdict.UNDECIDED:
                height, width = self.base_size
                return (
                    f"Undecided: no image is larger than a window of {height}x{width} pixels, and up to that size "
                    "local and global statistics are the same; diagnose with images of the size you have."
                )
            case Verdict.NOTHING_GLOBAL if self.left_global:
                first = self.left_global[0]
                return f"Nothing to decide: what depends on the whole image cannot be made local ({first})."
            case Verdict.NOTHING_GLOBAL:
                return (
                    "Nothing to decide: the network has no global statistic that could be made local, so it does "
                    "the same on crops and on whole images."
                )

    @property
    def explanation(self) -> tuple[str, ...]:
        """What explains the verdict, a sentence each."""
        return tuple(filter(None, (self._of_blocks(), self._of_sites(), self._of_left_global())))

    def facts(self) -> dict[str, Any]:
        """Everything as plain data for a JSON file; what is infinite is null."""
        plain: dict[str, Any] = asdict(self)
        plain |= {
            "verdict": self.verdict.value,
            "sentence": self.sentence,
            "explanation": list(self.explanation),
            "closer": _decibels(self.closer),
            "deviation": _decibels(self.deviation),
            "images": [
                asdict(image) | {"closer": _decibels(image.closer), "deviation": _decibels(image.deviation)}
                for image in self.images
            ],
            "thresholds": {"unsafe_deviation": UNSAFE_DEVIATION, "least_closer": LEAST_CLOSER},
        }
        return {"schema": SCHEMA} | plain

    def summary(self) -> dict[str, object]:
        """What a converted file says of it."""
        return {
            "verdict": self.verdict.value,
            "closer_db": _decibels(self.closer),
            "deviation_db": _decibels(self.deviation),
            "images": len(self.images),
        }

    def _expected(self) -> str:
        likely, most = self.likely_gain(_PSNR), self.largest_gain(_PSNR)
        sizes = [] if likely is None else [f"about {likely:.1f} dB"]
        sizes += [f"at most {most:.1f} dB"] if math.isfinite(most) else []
        return f"{' and '.join(sizes) or 'of any size'} at {_PSNR:.0f} dB PSNR"

    def _of_blocks(self) -> str:
        if not self.blocks:
            return ""
        jumps = max(site.jumps or 0.0 for site in self.blocks)
        return (
            "Blocks may show: windows are so small that norms change by more than 5 % from one pixel to the next, at "
            f"up to {jumps:.0%} of the pixels: {_named(self.blocks)}. A larger --base-ratio makes them fewer."
        )

    def _of_left_global(self) -> str:
        if not self.left_global or self.verdict is Verdict.NOTHING_GLOBAL:
            return ""
        more = f", and {len(self.left_global) - 1} more" if len(self.left_global) > 1 else ""
        return f"Global whatever is decided: {self.left_global[0]}{more}."

    def _of_sites(self) -> str:
        if self.verdict not in (Verdict.LOCAL, Verdict.UNSAFE):
            return ""
        sign = 1 if self.verdict is Verdict.LOCAL else -1
        ranked = sorted(self.sites, key=lambda site: -sign * _gained(site))
        telling = [site for site in ranked if sign * _gained(site) > 0][:3]
        if not telling:
            return ""
        moved = "closer to" if sign > 0 else "away from"
        return f"Statistics that windows bring {moved} what they are on crops: {_named(telling)}."


def _named(sites: Sequence[SiteEvidence]) -> str:
    return "; ".join(f"{site.kind} at {site.where}{_distances(site)}" for site in sites[:3])


def _distances(site: SiteEvidence) -> str:
    if site.whole_distance is None or site.window_distance is None:
        return ""
    return f" ({site.whole_distance:.1f} spreads away on whole images, {site.window_distance:.1f} on windows)"


def _gained(site: SiteEvidence) -> float:
    if site.whole_distance is None or site.window_distance is None:
        return 0.0
    return site.whole_distance - site.window_distance


def _closer(decibels: float) -> str:
    way = "closer to" if decibels >= 0 else "further from"
    return f"{abs(decibels):.1f} dB {way} what it does on training crops"


def _decibels(value: float) -> float | None:
    return round(value, 2) if math.isfinite(value) else None
