"""A sequence of named steps that can be printed, cut short and varied."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from torch.export import ExportedProgram

from passes.result import PassResult
from tlcconvert.errors import InputError
from tlcconvert.pipeline.draft import Draft
from tlcconvert.pipeline.journal import Entry, Journal, together


@dataclass(frozen=True)
class Step:
    """One transformation of a draft, in place.

    Attributes:
        name: in ``--dump``, reports and :meth:`Pipeline.without`.
        run: does it and says what it did.
        because: why it is there, and why at this place.
        is_required: whether the file would be wrong or could not be written without it.
    """

    name: str
    run: Callable[[Draft], PassResult]
    because: str
    is_required: bool = False

    @classmethod
    def of_pass(
        cls,
        transformation: Callable[[ExportedProgram], PassResult],
        because: str,
        *,
        name: str = "",
        is_required: bool = False,
    ) -> Step:
        """A pass on the program, under its own name."""
        name = name or transformation.__name__
        return cls(name, lambda draft: transformation(draft.program), because, is_required)


@dataclass(frozen=True)
class Pipeline:
    """Stages of steps, in the order they run.

    Attributes:
        stages: steps by the name of their stage.
    """

    stages: dict[str, tuple[Step, ...]]

    @property
    def steps(self) -> tuple[Step, ...]:
        return tuple(step for steps in self.stages.values() for step in steps)

    def __str__(self) -> str:
        lines = []
        for stage, steps in self.stages.items():
            lines.append(stage)
            lines += [f"  {step.name}{' (required)' * step.is_required}: {step.because}" for step in steps]
        return "\n".join(lines)

    def without(self, names: Collection[str]) -> Pipeline:
        """The same with optional steps left out.

        Raises:
            InputError: one is required, or there is no step of that name.
        """
        optional = {step.name for step in self.steps if not step.is_required}
        for name in names:
            if name not in optional:
                is_required = name in {step.name for step in self.steps}
                reason = "is required" if is_required else "is no step of this conversion"
                raise InputError(
                    f"The step {name} {reason}; those that can be left out: {', '.join(sorted(optional))}."
                )
        kept = {
            stage: tuple(step for step in steps if step.name not in names)
            for stage, steps in self.stages.items()
        }
        return Pipeline(kept)

    def run(self, stage: str, draft: Draft, journal: Journal) -> None:
        """Takes ``draft`` through the steps of ``stage``, in place."""
        for step in self.stages[stage]:
            start = time.perf_counter()
            result = step.run(draft)
            seconds = round(time.perf_counter() - start, 4)
            journal.add(Entry(step.name, stage, result, seconds, draft.node_count), draft)


def run_steps(steps: Iterable[Step], program: ExportedProgram) -> PassResult:
    """Takes ``program`` through ``steps`` alone, in place."""
    draft = Draft(program)
    return together([step.run(draft) for step in steps])
