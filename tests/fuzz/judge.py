"""Converts a random network and compares its file with the network in float64.

    python -m tests.fuzz.judge 17 23        these seeds
    python -m tests.fuzz.judge 0:300        all of them

Prints what came of each; a network whose file is wrong is tried again without one block after the other, and the
smallest that is still wrong is named.
"""

from __future__ import annotations

import random
import sys
import warnings
from dataclasses import dataclass
from enum import Enum

import torch

from tests.fuzz.random_network import RandomNetwork
from tests.oracles.comparison import distance_from_oracle
from tests.oracles.per_window import CannotRun
from tlcconvert import convert
from tlcconvert.errors import CaptureError, ConversionError

TOLERANCE = 1e-5
"""Of the output's scale: a window of one pixel more is off by ten times that."""
_MOST_PIXELS = 20_000


class Outcome(Enum):
    RIGHT = "right"
    REFUSED = "refused"
    STOPPED = "stopped"
    WRONG = "wrong"
    NOT_JUDGED = "not judged"


@dataclass(frozen=True)
class Judgement:
    """What came of one seed.

    ``REFUSED`` names what cannot be converted, ``STOPPED`` is a conversion that found its own file wrong or broke
    down, ``NOT_JUDGED`` a network the oracle cannot run.
    """

    seed: int
    outcome: Outcome
    network: str
    detail: str = ""

    def __str__(self) -> str:
        again = "" if self.outcome is Outcome.RIGHT else f"\n    python -m tests.fuzz.judge {self.seed}"
        return f"seed {self.seed}: {self.outcome.value} {self.detail} ({self.network}){again}"


def judged(seed: int, without: tuple[int, ...] = ()) -> Judgement:
    """The network of ``seed``, at two sizes within and beyond its windows."""
    network = RandomNetwork(seed, without)
    draw = random.Random(seed)
    train_size = draw.choice([32, 48, 64])
    text = network.describe()
    try:
        conversion = convert(network, train_size, input_channels=3)
    except CaptureError as error:
        return Judgement(seed, Outcome.REFUSED, text, str(error))
    except ConversionError as error:
        return Judgement(seed, Outcome.STOPPED, text, str(error))
    except Exception as error:
        return Judgement(seed, Outcome.STOPPED, text, f"{type(error).__name__}: {error}")
    model = conversion.model.SerializeToString()
    worst = ""
    for size in sizes(draw, 2**network.levels):
        label = f"at {size[0]}x{size[1]}, train size {train_size}"
        try:
            distance = distance_from_oracle(network, model, size, train_size=train_size)
        except CannotRun as reason:
            return Judgement(seed, Outcome.NOT_JUDGED, text, str(reason))
        except AssertionError as error:
            return Judgement(seed, Outcome.WRONG, text, f"{label}: {error}")
        except RuntimeError as error:
            return Judgement(seed, Outcome.WRONG, text, f"{label}: {str(error).splitlines()[0]}")
        if not distance <= TOLERANCE:
            return Judgement(
                seed, Outcome.WRONG, text, f"{label}: off by {distance:.1e} of the output's scale"
            )
        worst = f"{distance:.0e}"
    return Judgement(seed, Outcome.RIGHT, text, worst)


def sizes(draw: random.Random, factor: int) -> list[tuple[int, int]]:
    """One small image of any size, one of the network's own factor with a side of up to 400 pixels."""
    # Two pixels on the deepest map: one is no map to an instance norm, which refuses it, nor to the oracle.
    least = max(20, factor + 1)
    small = (draw.randint(least, 70), draw.randint(least, 70))
    long = draw.randint(150, 400) // factor * factor
    short = max(2 * factor, min(draw.randint(60, 160), _MOST_PIXELS // long) // factor * factor)
    return [small, (long, short) if draw.random() < 0.5 else (short, long)]


def shrunk(found: Judgement) -> Judgement:
    """The same fault in a network without as many blocks as can be left out."""
    without: tuple[int, ...] = ()
    smallest = found
    for number in range(len(RandomNetwork(found.seed).blocks)):
        tried = judged(found.seed, (*without, number))
        if tried.outcome is found.outcome:
            without, smallest = (*without, number), tried
    return smallest


def main(arguments: list[str]) -> None:
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    for argument in arguments:
        first, colon, last = argument.partition(":")
        for seed in range(int(first), int(last) if colon else int(first) + 1):
            found = judged(seed)
            print(found, flush=True)
            if found.outcome in (Outcome.WRONG, Outcome.STOPPED) and not colon:
                print(f"  without what it takes not: {shrunk(found)}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
