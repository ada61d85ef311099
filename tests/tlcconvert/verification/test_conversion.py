"""Files that are wrong only beyond some size, or only for some images, are found out."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from spandrel.architectures.NAFNet import NAFNet
from torch import nn

import tlcconvert
from passes.result import PassResult
from tlcconvert import ParityError, convert
from tlcconvert.network.network_inputs import NetworkInputs
from tlcconvert.network.output_distance import TOLERANCE
from tlcconvert.options import Options
from tlcconvert.pipeline import Draft, NetworkFacts, Pipeline, Step, steps
from tlcconvert.verification.compare import compare_callables
from tlcconvert.verification.session import callable_of, inference_session
from tlcconvert.verification.sizes import bracketing_sizes

TRAIN_SIZE = 32
WINDOW = (48, 48)

Condition = tuple[int, int]
"""An axis of the image, and the extent from which on a mutant is wrong."""


def network() -> nn.Module:
    """Half the resolution once."""
    torch.manual_seed(0)
    module = NAFNet(width=4, enc_blk_nums=[1], middle_blk_num=1, dec_blk_nums=[1])
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)
    return module.eval()


def wrong_where(model: onnx.ModelProto, *conditions: Condition) -> onnx.ModelProto:
    """``model`` with 0.5 added to its output where every axis named is at least as long as is said."""
    mutant = onnx.ModelProto()
    mutant.CopyFrom(model)
    graph = mutant.graph
    for node in graph.node:
        for index, name in enumerate(node.output):
            if name == "output":
                node.output[index] = "right"
    axes = numpy_helper.from_array(np.array([axis for axis, _ in conditions]), "mutant_axes")
    least = numpy_helper.from_array(np.array([extent for _, extent in conditions]), "mutant_least")
    half = numpy_helper.from_array(np.array(0.5, np.float32), "mutant_half")
    graph.initializer.extend([axes, least, half])
    graph.node.extend(
        [
            helper.make_node("Shape", ["input"], ["mutant_shape"]),
            helper.make_node("Gather", ["mutant_shape", "mutant_axes"], ["mutant_extents"]),
            helper.make_node("GreaterOrEqual", ["mutant_extents", "mutant_least"], ["mutant_each"]),
            helper.make_node("Cast", ["mutant_each"], ["mutant_numbers"], to=onnx.TensorProto.FLOAT),
            helper.make_node("ReduceMin", ["mutant_numbers"], ["mutant_all"], keepdims=0),
            helper.make_node("Mul", ["mutant_all", "mutant_half"], ["mutant_error"]),
            helper.make_node("Add", ["right", "mutant_error"], ["output"]),
        ]
    )
    return mutant


Mutation = Callable[[Draft, Options], None]


def convert_with(
    monkeypatch: pytest.MonkeyPatch, mutation: Mutation, train_size: int = TRAIN_SIZE, *, last: bool = True
) -> None:
    """Converts, with ``mutation`` as the last step before the file is verified, or as the first of writing it."""

    def mutated(options: Options, network: NetworkFacts) -> Pipeline:
        def run(draft: Draft) -> PassResult:
            mutation(draft, options)
            return PassResult()

        stages, step = steps.pipeline(options, network).stages, Step("mutation", run, "to be found out")
        write = (*stages["write"], step) if last else (step, *stages["write"])
        return Pipeline(stages | {"write": write})

    monkeypatch.setitem(inspect.unwrap(convert).__globals__, "pipeline", mutated)
    tlcconvert.convert(network(), train_size)


def where(*conditions: Condition) -> Mutation:
    """A file that is wrong there."""

    def mutation(draft: Draft, _: Options) -> None:
        assert draft.model is not None
        draft.model = wrong_where(draft.model, *conditions)

    return mutation


BEYOND_SOME_SIZE = {
    "wrong from 700 pixels of width on": [(3, 700)],
    "wrong from 700 pixels of height on": [(2, 700)],
    "wrong where the smallest map has 33 rows": [(2, 66)],
    "wrong where the smallest map has 33 columns": [(3, 66)],
    "wrong where both axes are far beyond the windows": [(2, 200), (3, 200)],
}


@pytest.fixture(scope="module")
def right() -> tlcconvert.Conversion:
    return tlcconvert.convert(network(), TRAIN_SIZE)


@pytest.mark.parametrize("conditions", BEYOND_SOME_SIZE.values(), ids=BEYOND_SOME_SIZE)
def test_a_file_that_is_wrong_only_beyond_some_size_is_found_out(
    conditions: list[Condition], right: tlcconvert.Conversion, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = inference_session(wrong_where(right.model, *conditions).SerializeToString())
    around_the_windows = [size for size, _ in bracketing_sizes(WINDOW)]
    seen = compare_callables(
        callable_of(session),
        right.module,
        NetworkInputs(3),
        around_the_windows,
        TOLERANCE,
        "onnx / converted",
    )
    assert seen.passed
    with pytest.raises(ParityError, match="do not compute the same"):
        convert_with(monkeypatch, where(*conditions))


def test_a_file_that_is_wrong_for_two_images_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ParityError, match=r"2x\d+x\d+ .*FAILED"):
        convert_with(monkeypatch, where((0, 2)))


def test_a_window_of_the_wrong_width_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def narrower(draft: Draft, _: Options) -> None:
        for node in draft.program.graph.nodes:
            if node.target is torch.ops.tlc.local_mean.default:
                x, height, width = node.args
                node.args = (x, height, width - 2)

    with pytest.raises(ParityError, match="width beyond the windows"):
        convert_with(monkeypatch, narrower, last=False)


def test_every_comparison_says_what_it_proves_and_the_report_what_the_budget_is(
    right: tlcconvert.Conversion,
) -> None:
    assert all(row.purpose for row in right.parity.comparisons)
    assert any("multiply-adds for one run at each" in note for note in right.parity.notes)
    assert all(entry["proves"] for entry in right.report()["parity"])
    assert "height beyond the windows and every size in the graph" in right.parity.table()


def test_where_images_beyond_the_windows_are_dear_a_twin_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    conversion = tlcconvert.convert(network(), 1024)
    rows = [row for row in conversion.parity.comparisons if row.what == "onnx / twin"]
    assert {row.batch for row in rows} == {1, 2}
    assert all("both axes beyond" in row.purpose or row.purpose.startswith("the same") for row in rows)
    assert any("differs in numbers only" in note for note in conversion.parity.notes)
    assert max(row.height * row.width for row in rows) < 10_000


def test_what_the_twin_shows_to_be_wrong_stops_the_conversion(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both axes beyond the windows of the file under test, which only the twin's sizes are."""

    def wrong_beyond_its_windows(draft: Draft, options: Options) -> None:
        assert options.train_size is not None
        window = int(1.5 * options.train_size[0])
        where((2, window + 1), (3, window + 1))(draft, options)

    with pytest.raises(ParityError, match=r"onnx / twin.*FAILED"):
        convert_with(monkeypatch, wrong_beyond_its_windows, 1024)


def test_sizes_that_were_asked_for_take_the_place_of_the_chosen_ones_and_say_what_they_leave_out() -> None:
    conversion = tlcconvert.convert(network(), TRAIN_SIZE, verify_sizes=[(20, 100)])
    assert {row.size for row in conversion.parity.comparisons if row.what == "onnx / converted"} == {
        "1x20x100"
    }
    notes = "\n".join(conversion.parity.notes)
    assert "do not prove heights beyond 20" in notes
    assert "widths beyond" not in notes
    assert "do not prove batches of more than one image" in notes
    assert "do not prove images beyond the windows on both axes" in notes
