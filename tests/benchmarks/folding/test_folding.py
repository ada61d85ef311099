"""A row of docs/folding.md says what is in the files, and leaves out what is wrong. No time is judged."""

from __future__ import annotations

import onnx
import pytest
from onnx import numpy_helper

from benchmarks import peer_exports
from benchmarks.blocks import ACBlock
from benchmarks.folding import __main__ as folding
from benchmarks.folding import document as folding_document
from benchmarks.folding.document import counts, latencies
from benchmarks.folding.measurement import OURS, Row, measure
from benchmarks.folding.subjects import SUBJECTS, Subject

BLOCK = Subject("ACNet block", 4, lambda: ACBlock(4))


@pytest.fixture(scope="module")
def row() -> Row:
    return measure(BLOCK, (12, 16), repeats=2)


def refusing(model: onnx.ModelProto) -> onnx.ModelProto:
    raise ValueError("an operator nobody knows")


def with_changed_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    weight = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 4)
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * 1.01, weight.name))
    return model


def test_three_convolutions_stay_three_in_every_peer_and_become_one_in_ours(row: Row) -> None:
    assert counts(row) == ["ACNet block", "3", "3", "3", "3", "3", "1"]


def test_every_file_is_timed_in_every_round(row: Row) -> None:
    assert list(row.seconds) == [*peer_exports.SIMPLIFIERS, OURS]
    assert all(len(times) == 2 for times in row.seconds.values())
    assert len(latencies(row)) == 2 + len(peer_exports.SIMPLIFIERS)


def test_peers_that_fail_or_compute_something_else_are_cells_and_not_timed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(peer_exports.SIMPLIFIERS, "onnxsim", refusing)
    monkeypatch.setitem(peer_exports.SIMPLIFIERS, "onnxslim", with_changed_weights)
    row = measure(BLOCK, (12, 16), repeats=1)
    failed = ["fails: ValueError", "fails: ParityError"]
    assert counts(row) == ["ACNet block", "3", "3", *failed, "3", "1"]
    assert latencies(row)[3:5] == failed
    assert list(row.seconds) == ["torch.onnx.export", "onnxscript", OURS]


def test_part_of_the_subjects_is_printed_and_not_written(
    row: Row, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(folding, "measure", lambda *_: row)
    monkeypatch.setattr(folding, "DOCUMENT", None)
    folding.main(size=(12, 16), repeats=2, only="acnet")
    assert "| ACNet block | 3 | 3 | 3 | 3 | 3 | 1 |" in capsys.readouterr().out


def test_the_committed_page_has_every_subject() -> None:
    page = folding_document.DOCUMENT.read_text()
    assert [page.count(f"| {subject.name} |") for subject in SUBJECTS] == [2] * len(SUBJECTS)
