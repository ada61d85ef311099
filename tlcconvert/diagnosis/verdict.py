"""What two numbers say of a network: how much closer to its training crops, and how far from what it did.

The thresholds are those that were right for all of 13 networks and degradations, of trained weights, when each was
compared with clean images (``docs/diagnosis.md``): local statistics gained, or changed little, in 11, and lost 4 to
8 dB in two, of one network. They were fitted to these data.
"""

from __future__ import annotations

import math
from enum import Enum

UNSAFE_DEVIATION = -25.0
"""dB: networks that gained changed by -33 and less, the one that lost by -14 and -15."""
LEAST_CLOSER = 1.0
"""dB: the smallest of those that gained was 1.7, of those that lost -0.6."""


class Verdict(Enum):
    """What is best for a network; the value is what files and reports call it."""

    LOCAL = "local"
    NO_BENEFIT = "no benefit"
    UNSAFE = "unsafe"
    UNDECIDED = "undecided"
    NOTHING_GLOBAL = "nothing global"

    @property
    def keeps_global(self) -> bool:
        """Whether statistics had better stay as they are."""
        return self in (Verdict.NO_BENEFIT, Verdict.UNSAFE)


def verdict_of(closer: float, deviation: float) -> Verdict:
    """The verdict on images larger than a window.

    Args:
        closer: dB by which local statistics bring the network closer to what it does on training crops.
        deviation: of the local network's output from the global one's, dB of white minus black.
    """
    if deviation > UNSAFE_DEVIATION:
        return Verdict.UNSAFE
    return Verdict.LOCAL if closer >= LEAST_CLOSER else Verdict.NO_BENEFIT


def largest_change(deviation: float, psnr: float) -> float:
    """The most dB that PSNR can rise where the original's is ``psnr``; infinite where it could be right everywhere.

    An output within RMS d of one whose RMS error is e has an error between e - d and e + d, so the gain is at most
    -20 log10(1 - d / e).
    """
    share = 10 ** ((deviation + psnr) / 20)
    return -20 * math.log10(1 - share) if share < 1 else math.inf


def likely_gain(less_error: float, psnr: float) -> float | None:
    """The dB that PSNR is likely to rise where the original's is ``psnr``.

    Args:
        less_error: by how much the mean squared distance from what the network does on crops falls; white is 1.

    Returns:
        None where the distance falls by more than the error there is, so that one does not tell of the other.
    """
    share = less_error / 10 ** (-psnr / 10)
    return -10 * math.log10(1 - share) if share < 1 else None
