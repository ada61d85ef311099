"""Imports go one way: no circle among files, none among folders, and none from the passes up to the tool."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("passes", "tlcconvert", "benchmarks")


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(file): file for package in PACKAGES for file in (ROOT / package).rglob("*.py")}


def imported_by(module: str) -> Iterator[str]:
    """Modules of this project that ``module`` imports, inside functions and for types alone too."""
    for node in ast.walk(ast.parse(FILES[module].read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, (ast.Import, ast.ImportFrom)) else []
        if isinstance(node, ast.ImportFrom):
            assert node.module is not None and not node.level, f"{module} has a relative import"
            names = [inner if (inner := f"{node.module}.{name}") in FILES else node.module for name in names]
        yield from (name for name in names if name in FILES and name != module)


GRAPH = {module: {*imported_by(module)} for module in FILES}


def folder_of(module: str) -> str:
    """``tlcconvert.lower`` of ``tlcconvert.lower.forms.resize``; a file beside the folders is its own."""
    return ".".join(module.split(".")[:2])


def circle_in(graph: Mapping[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]  # type: ignore[no-any-return]
    return []


def test_no_file_imports_itself_by_way_of_others() -> None:
    assert circle_in(GRAPH) == []


def test_no_folder_imports_itself_by_way_of_others() -> None:
    folders: dict[str, set[str]] = defaultdict(set)
    for module, imported in GRAPH.items():
        # A package gathers the names of its files, which import each other past it.
        for other in imported - set(PACKAGES):
            if module not in PACKAGES and folder_of(module) != folder_of(other):
                folders[folder_of(module)].add(folder_of(other))
    assert circle_in(folders) == []


@pytest.mark.parametrize(
    ("package", "others"), [("passes", ("tlcconvert", "benchmarks")), ("tlcconvert", ("benchmarks",))]
)
def test_no_package_imports_one_above_it(package: str, others: tuple[str, ...]) -> None:
    upwards = [
        (module, name)
        for module, imported in GRAPH.items()
        if module.split(".")[0] == package
        for name in imported
        if name.split(".")[0] in others
    ]
    assert upwards == []


def test_a_circle_would_be_found() -> None:
    assert set(circle_in({"a": {"b"}, "b": {"c"}, "c": {"a"}})) == {"a", "b", "c"}
