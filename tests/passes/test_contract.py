"""A public function of a program, in a folder of passes, is a pass: it returns what it did."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest
from torch.export import ExportedProgram

import passes
from passes.result import PassResult
from tlcconvert.pipeline import steps

FOLDERS = ("simplify", "fold", "speed", "localize", "precision")
ROOT = Path(passes.__file__).parent


def on_programs() -> Iterator[Callable[..., object]]:
    """Every public function whose first argument is a program."""
    for file in sorted(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py")):
        module = import_module(".".join(("passes", *file.relative_to(ROOT).with_suffix("").parts)))
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__ and not name.startswith("_"):
                first = next(iter(inspect.signature(function, eval_str=True).parameters.values()), None)
                if first is not None and first.annotation is ExportedProgram:
                    yield function


@pytest.mark.parametrize("function", on_programs(), ids=lambda function: function.__name__)
def test_it_returns_what_it_did(function: Callable[..., object]) -> None:
    assert issubclass(inspect.signature(function, eval_str=True).return_annotation, PassResult)


def test_every_pass_the_pipeline_imports_is_among_them() -> None:
    functions = (value for value in vars(steps).values() if inspect.isfunction(value))
    imported = {function for function in functions if function.__module__.startswith("passes.")}
    assert len(imported) > 15
    assert imported <= set(on_programs())
