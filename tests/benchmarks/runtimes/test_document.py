"""docs/runtimes.md has the table of its figures and the programs that made them."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from benchmarks.runtimes.document import (
    FIGURES,
    PAGE,
    Notes,
    cell,
    figures_in,
    keys,
    page_with,
    right_table,
    write_figures,
)
from benchmarks.runtimes.runtimes import FLOAT16, FLOAT32, ROOT, RUNTIMES
from benchmarks.runtimes.verdict import Verdict

RIGHT = Verdict("odd", FLOAT32, 2e-7, 140.0, 1e-5)
WRONG = Verdict("odd", FLOAT32, 0.3, 12.0, 1e-5)
FAILED = Verdict("odd", FLOAT32, failure="Error: no such operator")


def test_a_cell_is_right_if_every_network_is() -> None:
    assert cell({"A": [RIGHT, RIGHT], "B": [RIGHT]}, Notes()) == "right"
    assert cell({"A": [Verdict("odd", FLOAT16, 1e-4, 77.4, 70.0)]}, Notes()) == "right, 77 dB"


def test_a_cell_names_what_is_wrong_with_which_network() -> None:
    notes = Notes()
    assert cell({"A": [RIGHT], "B": [RIGHT, WRONG]}, notes) == "**B: 3e-01 at odd**"
    assert cell({"A": [RIGHT, FAILED]}, notes) == "**fails at odd (1)**"
    assert cell({"A": [FAILED], "B": [FAILED], "C": [RIGHT]}, notes) == "**A, B: fails (1)**"
    assert notes.sentences == ["Error: no such operator"]


def test_the_worst_output_is_the_one_that_is_told() -> None:
    none = Verdict("even", FLOAT32, math.nan, math.nan, 1e-5)
    assert cell({"A": [WRONG, none]}, Notes()) == "**NaN at even**"
    half = [Verdict(str(kept), FLOAT16, 1 / kept, kept, 70.0) for kept in (60.0, 19.0, 50.0)]
    assert cell({"A": half}, Notes()) == "**19 dB at 19.0**"


def test_figures_survive_being_written(tmp_path: Path) -> None:
    known = {keys()[0]: [RIGHT, FAILED], keys()[3]: [WRONG]}
    write_figures(known, tmp_path / "figures.json")
    read = figures_in(tmp_path / "figures.json")
    assert read.keys() == known.keys()
    assert [own.is_right for own in read[keys()[0]]] == [True, False]
    assert read[keys()[0]][1].failure == FAILED.failure


def test_rows_are_told_apart_by_name() -> None:
    assert len({runtime.name for runtime in RUNTIMES}) == len(RUNTIMES)
    assert len(set(keys())) == len(keys())


def test_every_cell_has_been_tried() -> None:
    assert figures_in(FIGURES).keys() == set(keys())


def test_the_table_is_that_of_the_figures() -> None:
    def undated(page: str) -> str:
        return re.sub(r"Measured on .*\n?.*", "", page)

    page = PAGE.read_text()
    assert undated(page_with(right_table(figures_in(FIGURES)), page)) == undated(page)


QUOTED = re.findall(r"^`([\w/.]+)`:\n\n```\w+\n(.*?)```", PAGE.read_text(), re.DOTALL | re.M)


@pytest.mark.parametrize(("path", "text"), QUOTED, ids=[path for path, _ in QUOTED])
def test_a_quoted_program_is_the_one_that_is_tested(path: str, text: str) -> None:
    assert text == (ROOT / path).read_text()


def test_every_program_is_quoted() -> None:
    used = {
        f"tests/runtimes/programs/{program.file}"
        for runtime in RUNTIMES
        for program in (runtime.run, runtime.prepare)
        if program
    }
    assert used <= {path for path, _ in QUOTED}
