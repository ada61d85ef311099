"""What was found for one network on pairs: how good every way of running it is, and which is best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tlcconvert.tuning.quality import Quality

RATIOS = (1.0, 1.5, 2.0, 3.0, 4.0)
"""Windows tried, in training crops; beyond, hardly anything is local in images people have."""
ORIGINAL, TILES = "original", "tiles"
LEAST_GAIN = 0.02
"""dB of PSNR below which converting is not worth a file that differs from the network."""
_SAME = 0.005
_DEFAULT_RATIO = 1.5


@dataclass(frozen=True)
class PairQuality:
    """How good every way is on one pair.

    Attributes:
        name: of the degraded file.
        sha256: of both files, the degraded one first.
        of: by the way's name: ``original``, ``tiles``, and every window ratio as text.
    """

    name: str
    sha256: tuple[str, str]
    of: dict[str, Quality]


@dataclass(frozen=True)
class Tuning:
    """Which window is best.

    Attributes:
        source_sha256: of the network.
        train_size: (height, width) of its training crops.
        pairs: the evidence.
        left_out: sentences on images that told nothing.
    """

    source_sha256: str
    train_size: tuple[int, int]
    pairs: tuple[PairQuality, ...]
    left_out: tuple[str, ...] = ()

    @property
    def base_ratio(self) -> float | None:
        """The window to convert with, in training crops; None where not converting is best.

        That of the highest mean PSNR. Of those within .005 dB of it, the one nearest to 1.5.
        """
        psnr = {ratio: self.mean(text_of(ratio)).psnr for ratio in RATIOS}
        highest = max(psnr.values())
        if highest < self.mean(ORIGINAL).psnr + LEAST_GAIN:
            return None
        as_good = [ratio for ratio in RATIOS if psnr[ratio] >= highest - _SAME]
        return min(as_good, key=lambda ratio: abs(math.log(ratio / _DEFAULT_RATIO)))

    @property
    def ways(self) -> tuple[str, ...]:
        """All that was tried, in the order of tables."""
        return (ORIGINAL, TILES, *map(text_of, RATIOS))

    def mean(self, way: str) -> Quality:
        """Over the pairs."""
        known = [pair.of[way].ssim for pair in self.pairs]
        similarities = [ssim for ssim in known if ssim is not None]
        ssim = sum(similarities) / len(similarities) if similarities else None
        return Quality(_mean([pair.of[way].psnr for pair in self.pairs]), ssim)

    def wins(self, way: str) -> int:
        """Pairs on which a way is better than the original."""
        return sum(pair.of[way].psnr > pair.of[ORIGINAL].psnr for pair in self.pairs)

    @property
    def sentence(self) -> str:
        """What is best, for a person."""
        original, tiles = self.mean(ORIGINAL).psnr, self.mean(TILES).psnr
        best = max((text_of(ratio) for ratio in RATIOS), key=lambda way: self.mean(way).psnr)
        if self.base_ratio is None:
            tried = f"the best window, {best} training crops, has {self.mean(best).psnr - original:+.2f} dB"
            said = f"Not converting is best: {tried} against {original:.2f} dB of the original"
        else:
            way = text_of(self.base_ratio)
            gain = self.mean(way).psnr - original
            said = (
                f"Windows of {way} training crops are best: {gain:+.2f} dB over {original:.2f} dB of the original, "
                f"better on {self.wins(way)} of {len(self.pairs)}"
            )
        chosen = original if self.base_ratio is None else self.mean(text_of(self.base_ratio)).psnr
        if tiles > chosen + LEAST_GAIN:
            said += f"; tiles are better still, by {tiles - chosen:.2f} dB, and are no file"
        return f"{said}."

    def facts(self) -> dict[str, Any]:
        """Everything as plain data for a JSON file; of an output without any error, PSNR is null."""
        return {
            "source_sha256": self.source_sha256,
            "train_size": list(self.train_size),
            "base_ratio": self.base_ratio,
            "localize": self.base_ratio is not None,
            "sentence": self.sentence,
            "mean": {way: _facts(self.mean(way)) for way in self.ways},
            "pairs": [
                {
                    "name": pair.name,
                    "sha256": list(pair.sha256),
                    "of": {way: _facts(pair.of[way]) for way in self.ways},
                }
                for pair in self.pairs
            ],
            "left_out": list(self.left_out),
        }


def text_of(ratio: float) -> str:
    """How a ratio is called: ``"1.5"``, ``"2"``."""
    return f"{ratio:g}"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _facts(quality: Quality) -> dict[str, float | None]:
    facts: dict[str, float | None] = asdict(quality)
    if not math.isfinite(quality.psnr):
        facts["psnr"] = None
    return facts
