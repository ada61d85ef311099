"""Runs ``loading_process`` and judges what becomes of a file: what every test of this folder asks."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

SECONDS = 60
SPARE_BYTES = 256 << 20
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Outcome:
    """What became of one file; ``outcome`` is "crashed" or "hangs" where the process had to be started anew."""

    outcome: str
    said: str = ""
    weights: str = ""
    seconds: float = 0.0
    peak: int = 0
    children: int = 0
    printed: str = ""

    def assert_refused(self, file_bytes: int) -> None:
        assert self.outcome == "refused", self
        self.assert_bounded(file_bytes)

    def assert_bounded(self, file_bytes: int) -> None:
        """One sentence, nothing printed, within three times the file and 256 MB, and 60 seconds."""
        assert self.outcome in ("loaded", "refused"), self
        assert self.said.isprintable() and len(self.said) < 2_000, self
        assert not self.printed, self
        assert self.seconds < SECONDS, self
        assert self.peak < 3 * file_bytes + SPARE_BYTES, self


class LoadingProcess:
    """A long-lived process that loads files; a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.printed = folder / "printed.txt"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> LoadingProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop()

    def load(self, path: Path, *, allow_pickle: bool = False) -> Outcome:
        process = self.process or self._started()
        assert process.stdin is not None and process.stdout is not None
        seen = self.printed.stat().st_size
        request = {"path": str(path), "allow_pickle": allow_pickle}
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], 2 * SECONDS)
        line = process.stdout.readline() if ready else b""
        printed = self.printed.read_bytes()[seen:].decode(errors="replace")
        if not line:
            self._stop()
            return Outcome("crashed" if ready else "hangs", printed=printed)
        return Outcome(**json.loads(line), printed=printed)

    def _started(self) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            "PYTHONPATH": str(_ROOT),
            "OMP_NUM_THREADS": "1",
            "PYTHONWARNINGS": "ignore",
        }
        with self.printed.open("wb") as printed:
            self.process = subprocess.Popen(
                [sys.executable, Path(__file__).with_name("loading_process.py")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=printed,
                cwd=self.folder,
                env=environment,
            )
        warm = self.folder / "no such file"
        self.load(warm)
        return self.process

    def _stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


def described(outcomes: dict[str, Outcome]) -> dict[str, Any]:
    """How often each outcome was met, for the page on reliability."""
    counts: dict[str, int] = {}
    for outcome in outcomes.values():
        counts[outcome.outcome] = counts.get(outcome.outcome, 0) + 1
    return counts
