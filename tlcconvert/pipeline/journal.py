"""What every step of a conversion did, how long it took, and what it left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from passes.result import PassResult
from tlcconvert.pipeline.draft import Draft


@dataclass(frozen=True)
class Entry:
    """One step that was run.

    Attributes:
        name, stage: of the step.
        result: what it changed and what it left alone.
        seconds: on the clock.
        nodes: of the graph after it.
    """

    name: str
    stage: str
    result: PassResult
    seconds: float
    nodes: int


@dataclass
class Journal:
    """The steps of one conversion in the order they were run.

    Attributes:
        dump: a folder that gets the graph after each step as text; None keeps none.
    """

    dump: Path | None = None
    entries: list[Entry] = field(default_factory=list)

    def begin(self, draft: Draft) -> None:
        """Dumps the graph no step has touched."""
        self._write("capture", 0, draft)

    def add(self, entry: Entry, draft: Draft) -> None:
        """Notes a step that left ``draft`` behind."""
        self.entries.append(entry)
        self._write(entry.name, len(self.entries), draft)

    def of_step(self, name: str) -> PassResult:
        """What the step ``name`` did; nothing if it was not run."""
        return together([entry.result for entry in self.entries if entry.name == name])

    def _write(self, name: str, number: int, draft: Draft) -> None:
        if self.dump is not None:
            self.dump.mkdir(parents=True, exist_ok=True)
            (self.dump / f"{number:02}-{name}.txt").write_text(draft.text)


def together(results: Sequence[PassResult]) -> PassResult:
    """One result for all, in order."""
    return sum(results, PassResult())
