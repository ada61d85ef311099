"""The coverage table: every architecture has a row, a row says what happened, limits hold. A tenth is converted."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
import torch
import typer
from spandrel import MAIN_REGISTRY
from torch import Tensor, nn

from benchmarks.coverage import __main__ as coverage
from benchmarks.coverage.conversion import BATCHES, SIZES, row_of
from benchmarks.coverage.document import document
from benchmarks.coverage.process import convert_apart
from benchmarks.coverage.row import Row, Status, append, rows_in
from benchmarks.coverage.subjects import OWN, SUBJECTS, Subject
from tests.oracles.per_window import CannotRun
from tlcconvert.errors import ParityError
from tlcconvert.load.network_file import register_architectures
from tlcconvert.network.output_distance import TOLERANCE

pytest.importorskip("spandrel_extra_arches")

NAMES = [subject.name for subject in SUBJECTS]
SECONDS = 300
TENTH = datetime.date.today().timetuple().tm_yday % 10


class Squeezed(nn.Module):
    """One channel gate from a mean over the whole image."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        return self.conv(image) * image.mean((2, 3), keepdim=True).sigmoid()


class BranchingOnPixels(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        return self.conv(image) if image.mean() > 0.5 else image


class AnotherWayForSmallImages(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        return self.conv(image) if min(image.shape[-2:]) >= 20 else image


def subject_of(network: type[nn.Module]) -> Subject:
    return Subject("one", OWN, "", network)


def test_every_registered_architecture_has_an_instance() -> None:
    register_architectures()
    registered = {support.architecture.id for support in MAIN_REGISTRY}
    assert registered == {subject.architecture for subject in SUBJECTS} - {""}
    assert len(set(NAMES)) == len(NAMES)


def test_a_row_counts_what_was_done_and_where_it_was_compared() -> None:
    row = row_of(subject_of(Squeezed))
    assert (row.status, row.reason) == (Status.VERIFIED, "")
    assert (row.sites, row.left_global, row.parameters) == (1, [], 84)
    assert row.from_oracle is not None and row.from_oracle <= TOLERANCE
    assert row.compared == [f"{batch}x{height}x{width}" for height, width in SIZES for batch in BATCHES]
    assert row.not_compared == []


@pytest.mark.full
def test_the_whole_image_of_a_classsr_is_compared_at_every_size() -> None:
    row = row_of(SUBJECTS[NAMES.index("ClassSR")])
    assert (row.status, row.reason) == (Status.NOTHING_GLOBAL, "")
    assert row.compared == [f"{batch}x{height}x{width}" for height, width in SIZES for batch in BATCHES]


def test_a_network_that_depends_on_pixel_values_is_refused_with_the_reason() -> None:
    row = row_of(subject_of(BranchingOnPixels))
    assert row.status is Status.REFUSED
    assert "depends on pixel values" in row.reason


def test_a_file_that_computes_something_else_is_a_failed_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(*_: object) -> None:
        raise ParityError("off by 1")

    monkeypatch.setattr("benchmarks.coverage.conversion._compared", deny)
    row = row_of(subject_of(Squeezed))
    assert row.status is Status.FAILED
    assert "ParityError: off by 1" in row.reason


def test_a_file_far_from_the_eager_oracle_is_a_failed_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.coverage.conversion.distance_from_oracle", lambda *_, **__: 2e-3)
    row = row_of(subject_of(Squeezed))
    assert row.status is Status.FAILED
    assert "ParityError: 2.0e-03 from the eager localiser at 272x400" in row.reason


def test_a_network_the_eager_oracle_cannot_run_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> float:
        raise CannotRun("it sorts pixels")

    monkeypatch.setattr("benchmarks.coverage.conversion.distance_from_oracle", refuse)
    row = row_of(subject_of(Squeezed))
    assert (row.status, row.from_oracle, row.oracle_note) == (Status.VERIFIED, None, "it sorts pixels")


def test_the_weights_are_the_same_on_every_call_and_nowhere_all_equal() -> None:
    subject = SUBJECTS[NAMES.index("NAFNet")]
    first, second = (subject.network().module.state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert first["intro.bias"].unique().numel() > 1
    assert min(tensor.unique().numel() for tensor in first.values() if tensor.numel() > 1) > 1


@pytest.mark.parametrize(
    ("seconds", "gigabytes", "reason"), [(0.5, 12, "not done within 0.5 s"), (60, 0.01, "0.01 GB of memory")]
)
def test_a_process_over_a_limit_is_ended_and_named(seconds: float, gigabytes: float, reason: str) -> None:
    row = convert_apart("RepSR", seconds, gigabytes)
    assert row.status is Status.FAILED
    assert row.reason.endswith(reason)


def test_a_process_that_dies_is_a_failed_row_with_its_last_words() -> None:
    row = convert_apart("no such subject", 60, 12)
    assert row.status is Status.FAILED
    assert "StopIteration" in row.reason


def test_rows_are_read_back_the_last_of_each_and_only_those_of_these_versions(tmp_path: Path) -> None:
    results = tmp_path / "folder" / "rows.jsonl"
    for row in (
        Row("a", Status.FAILED, "x"),
        Row("a", Status.VERIFIED, sites=2, left_global=["mean at b: c"]),
        Row("b", Status.REFUSED, versions={"torch": "1.0"}),
        Row("c", Status.REFUSED),
    ):
        append(row, results)
    assert rows_in(results, ["a", "b"]) == {
        "a": Row("a", Status.VERIFIED, sites=2, left_global=["mean at b: c"])
    }
    assert rows_in(tmp_path / "none", ["a"]) == {}


def test_an_interrupted_run_goes_on_and_the_page_is_written_when_it_is_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def verified(name: str, *_: float) -> Row:
        made.append(name)
        return Row(name, Status.VERIFIED)

    monkeypatch.setattr(coverage, "convert_apart", verified)
    monkeypatch.setattr(coverage, "DOCUMENT", tmp_path / "page.md")
    results = tmp_path / "rows.jsonl"
    coverage.main(slice="0/2", results=results)
    assert made == NAMES[::2] and not (tmp_path / "page.md").exists()
    coverage.main(results=results)
    assert sorted(made) == sorted(NAMES)
    assert f"Of {len(NAMES)}: {len(NAMES)} verified." in (tmp_path / "page.md").read_text()
    coverage.main(only=[NAMES[0]], results=results)
    assert made[-1] == NAMES[0] and len(made) == len(NAMES) + 1


def test_a_failed_row_is_the_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "convert_apart", lambda name, *_: Row(name, Status.FAILED, "it broke"))
    with pytest.raises(typer.Exit) as stop:
        coverage.main(only=[NAMES[0]], results=tmp_path / "rows.jsonl")
    assert stop.value.exit_code == 1


@pytest.mark.parametrize(("only", "slice"), [(["Nobody"], "0/1"), ([], "3"), ([], "a/b"), ([], "1/0")])
def test_a_name_nobody_has_and_a_slice_that_is_none_are_refused(only: list[str], slice: str) -> None:
    with pytest.raises(typer.BadParameter):
        coverage.chosen(only, slice)


def test_the_sizes_of_the_network_stand_beside_those_of_the_file() -> None:
    rows = [Row(name, Status.VERIFIED) for name in NAMES]
    rows[0] = Row(NAMES[0], Status.VERIFIED, multiple=4, minimum=36, own_multiple=4, own_minimum=4)
    rows[1] = Row(NAMES[1], Status.VERIFIED, multiple=8, minimum=8, own_multiple=8, own_minimum=8)
    cells = [[cell.strip() for cell in line.split("|")] for line in document(rows).splitlines()]
    (head,) = [line for line in cells if "network's sizes" in line]
    own, file = head.index("network's sizes"), head.index("file's sizes")
    found = {line[1].split(" ")[0]: (line[own], line[file]) for line in cells if len(line) == len(head)}
    assert found[NAMES[0]] == ("4n, >= 4", "**4n, >= 36**")
    assert found[NAMES[1]] == ("8n, >= 8", "8n, >= 8")
    assert found[NAMES[2]] == ("any", "any")


def test_a_row_has_the_sizes_the_network_accepts_and_those_of_the_file() -> None:
    row = row_of(subject_of(AnotherWayForSmallImages))
    assert (row.own_multiple, row.own_minimum) == (1, 1)
    assert (row.multiple, row.minimum) == (1, 20)


def test_reasons_and_what_stays_global_are_told_below_the_table() -> None:
    rows = [Row(name, Status.NOTHING_GLOBAL) for name in NAMES]
    rows[0] = Row(NAMES[0], Status.REFUSED, "It takes one size.")
    rows[1] = Row(NAMES[1], Status.VERIFIED, left_global=["FFT at a: r1", "FFT at b: r1", "sort at c: r2"])
    page = document(rows)
    assert f"## Refused\n\n- **{NAMES[0]}**: It takes one size.\n" in page
    assert f"## Left global\n\n- **{NAMES[1]}**: 2 x FFT (r1); 1 x sort (r2).\n" in page
    assert "## Failed" not in page


@pytest.mark.full
@pytest.mark.parametrize("name", [subject.name for subject in coverage.chosen([], f"{TENTH}/10")])
def test_one_tenth_of_the_table_by_the_day_of_the_year_does_not_fail(name: str) -> None:
    row = convert_apart(name, SECONDS, 12)
    if row.reason.endswith(f"not done within {SECONDS} s"):
        # How far a machine comes in a time says nothing of the network; the table has the full time.
        pytest.skip(row.reason)
    assert row.status is not Status.FAILED, row.reason
