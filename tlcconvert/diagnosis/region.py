"""What part of an image is run: all of it where that is affordable, else as much about its middle as is.

Both limits are counted from the graph, never timed or asked of the machine, so a diagnosis is the same everywhere:

    memory    feature maps alive at one moment of a run: 1 GB; what operators allocate comes on top
    work      multiply-adds of all runs of a diagnosis: 2e13, ten minutes or so on one core, in equal shares

A part that is smaller than the image has less that differs within it, so local statistics change less there.
"""

from __future__ import annotations

from tlcconvert.diagnosis.subject import Subject

MOST_BYTES = 10**9
MOST_WORK = 2 * 10**13
_SMALLER = 0.95
_LEAST_WINDOWS = 2
"""Windows along an axis that a part is not made smaller than, as a part within a window tells nothing."""

Region = tuple[int, int, int, int]


def region(subject: Subject, size: tuple[int, int], work: float) -> Region:
    """(top, left, height, width) of the part of an image of ``size`` to run.

    Args:
        size: height and width, at least those of a crop.
        work: multiply-adds that may be spent on it.
    """
    most = subject.requirements.maximum or max(size)
    least = [
        min(extent, _LEAST_WINDOWS * base)
        for extent, base in zip(size, subject.localized.training.base_size, strict=True)
    ]
    height, width = (_accepted(subject, min(extent, most)) for extent in size)
    share = 1.0
    while not _is_affordable(subject, height, width, work):
        share *= _SMALLER
        smaller = tuple(
            _accepted(subject, max(int(share * extent), fewest))
            for extent, fewest in zip(size, least, strict=True)
        )
        if smaller == (height, width) and share < min(f / s for f, s in zip(least, size, strict=True)):
            break
        height, width = smaller
    return (size[0] - height) // 2, (size[1] - width) // 2, height, width


def _accepted(subject: Subject, extent: int) -> int:
    """The largest size up to ``extent`` the network accepts."""
    multiple = subject.requirements.multiple
    return extent // multiple * multiple


def _is_affordable(subject: Subject, height: int, width: int, work: float) -> bool:
    is_small = subject.memory.peak_bytes(1, height, width) <= MOST_BYTES
    return is_small and 2 * subject.cost.multiply_adds(1, height, width) <= work
