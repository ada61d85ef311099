"""How much of a diagnosis is done, counted in multiply-adds, and how long all of it will take."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from tlcconvert.diagnosis.subject import Subject

Report = Callable[[str, float], None]
"""Called with what is being done and the share of all work that is done, 0 to 1."""


class WorkClock:
    """Reports the estimate, from the time a crop takes, and then every run.

    Args:
        work: multiply-adds of all runs.
    """

    def __init__(self, subject: Subject, report: Report, work: int) -> None:
        self._report, self._work, self._done = report, max(1, work), 0
        crop = torch.zeros(1, subject.channels, *subject.crop_size)
        subject.whole.run(crop)  # the first run of anything is slow
        start = time.perf_counter()
        subject.whole.run(crop)
        pace = (time.perf_counter() - start) / max(1, subject.cost.multiply_adds(1, *subject.crop_size))
        self.estimate = f"about {_in_time(pace * work)} in all"
        report(self.estimate, 0.0)

    def doing(self, name: str) -> Callable[[int], None]:
        """Begins with the image of that name; what is returned takes the multiply-adds of each of its runs."""

        def done(work: int) -> None:
            self._done += work
            self._report(f"{name}, {self.estimate}", self._done / self._work)

        done(0)
        return done


def _in_time(seconds: float) -> str:
    """A duration for a person: ``"40 seconds"``, ``"3 minutes"``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} seconds"
    return f"{round(seconds / 60)} minutes"
