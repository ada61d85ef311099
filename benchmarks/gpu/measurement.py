"""Times of rivals in interleaved rounds, those that do not run named with the reason."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from benchmarks.gpu.rivals import GLOBAL, KINDS, Place, Run
from benchmarks.interleaved import interleaved_seconds, median_ratio


@dataclass(frozen=True)
class Cell:
    """One network, size, dtype and way to run it.

    Attributes:
        seconds: of each round, by kind.
        missing: why a kind was not timed, by kind.
    """

    network: str
    size: tuple[int, int]
    dtype: str
    way: str
    seconds: Mapping[str, Sequence[float]]
    missing: Mapping[str, str]

    def ratio(self, kind: str) -> float | None:
        """Median over the rounds of the kind's time over the global network's in the same round."""
        if kind not in self.seconds or GLOBAL not in self.seconds:
            return None
        return median_ratio(self.seconds[kind], self.seconds[GLOBAL])


def measure(
    network: str, place: Place, way: str, dtype: str, channels: int, size: tuple[int, int], repeats: int
) -> Cell | None:
    """None where the way does not have the dtype."""
    image = torch.rand(1, channels, *size, generator=torch.Generator().manual_seed(0)).to(place.device)
    runs: dict[str, Run] = {}
    missing: dict[str, str] = {}
    for kind in KINDS:
        try:
            run = place.rival(way, kind, image, dtype)
            if run is None:
                return None
            run()
            runs[kind] = run
        except Exception as error:  # out of memory, no kernel, no compiler: the others are timed all the same
            lines = str(error).splitlines() or [type(error).__name__]
            missing[kind] = lines[0][:200]
    seconds = interleaved_seconds(runs, repeats) if runs else {}
    return Cell(network, size, dtype, way, seconds, missing)


@dataclass(frozen=True)
class Measured:
    """What a page is written from.

    Attributes:
        machine: the device and versions.
        repeats: rounds.
    """

    machine: str
    repeats: int
    cells: tuple[Cell, ...]

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1))


def load(path: Path) -> Measured | None:
    """What was measured last, if anything was."""
    if not path.exists():
        return None
    content = json.loads(path.read_text())
    cells = tuple(Cell(**cell | {"size": tuple(cell["size"])}) for cell in content["cells"])
    return Measured(content["machine"], content["repeats"], cells)
