"""Rivals are timed wherever they run, and the page says what was measured, or that nothing was."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import fx, nn

from benchmarks.gpu.__main__ import main, measured_cells
from benchmarks.gpu.document import DOCUMENT, RESULTS, document
from benchmarks.gpu.measurement import Cell, Measured, load, measure
from benchmarks.gpu.preparation import prepare
from benchmarks.gpu.program_file import read_program, write_program
from benchmarks.gpu.rivals import COMPILED, EAGER, EXACT, FAST, FLOAT16, FLOAT32, GLOBAL, ORT, TENSORRT, Place
from benchmarks.latency.subjects import SqueezeBlock, Subject
from tlcconvert.verification.session import inference_session

ROOT = Path(__file__).parents[3]
CHANNELS = 8
SUBJECT = Subject("small net", lambda: SqueezeBlock(CHANNELS), 64, (96, 112), channels=CHANNELS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a network that was prepared, in a folder of networks."""
    folder = tmp_path_factory.mktemp("gpu") / "small_net"
    prepare(SUBJECT, folder)
    return folder


@pytest.mark.full
@pytest.mark.parametrize("kind", [GLOBAL, EXACT, FAST])
def test_a_program_computes_what_the_file_beside_it_does(folder: Path, kind: str) -> None:
    image = torch.rand(1, CHANNELS, 144, 160)
    with torch.inference_mode():
        result = read_program(folder / f"{kind}.program", "cpu")(image).numpy()
    names = ("file", "for_tensorrt") if kind != GLOBAL else ("file",)
    for name in names:
        session = inference_session((folder / f"{kind}.{name}.onnx").read_bytes())
        (expected,) = session.run(None, {session.get_inputs()[0].name: image.numpy()})
        np.testing.assert_allclose(result, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.full
def test_kinds_are_not_the_same_beyond_the_window(folder: Path) -> None:
    image = torch.rand(1, CHANNELS, 144, 160) * torch.linspace(0, 1, 160)
    with torch.inference_mode():
        results = [read_program(folder / f"{kind}.program", "cpu")(image) for kind in (GLOBAL, EXACT, FAST)]
    assert len({result.sum().item() for result in results}) == 3


@pytest.mark.full
def test_every_way_on_this_device_is_timed(folder: Path) -> None:
    place = Place("cpu", folder)
    assert place.ways() == [EAGER, COMPILED, ORT]
    for way, dtype in ((EAGER, FLOAT32), (EAGER, FLOAT16), (ORT, FLOAT32)):
        cell = measure("net", place, way, dtype, CHANNELS, (32, 48), 2)
        assert cell is not None
        assert not cell.missing
        assert {kind: len(times) for kind, times in cell.seconds.items()} == {GLOBAL: 2, EXACT: 2, FAST: 2}
    assert measure("net", place, ORT, FLOAT16, CHANNELS, (32, 48), 2) is None


@pytest.mark.full
def test_what_does_not_run_is_named_and_the_others_are_timed(folder: Path, tmp_path: Path) -> None:
    for kind in (GLOBAL, FAST):
        (tmp_path / f"{kind}.program").write_bytes((folder / f"{kind}.program").read_bytes())
    cell = measure("net", Place("cpu", tmp_path), EAGER, FLOAT32, CHANNELS, (32, 48), 1)
    assert cell is not None
    assert "exact.program" in cell.missing[EXACT]
    assert cell.seconds.keys() == {GLOBAL, FAST}
    assert cell.ratio(EXACT) is None


def test_a_program_that_reads_foreign_names_is_not_written(tmp_path: Path) -> None:
    graph = fx.Graph()
    graph.output(graph.call_function(np.abs, (graph.placeholder("x"),)))
    with pytest.raises(ValueError, match="The program reads numpy"):
        write_program(fx.GraphModule(nn.Module(), graph), tmp_path / "program")


@pytest.mark.full
def test_measuring_needs_nothing_of_the_converter(folder: Path) -> None:
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('tlcconvert', 'passes', 'spandrel', 'typer', 'onnx')));"
        "from benchmarks.gpu.__main__ import measured_cells; from pathlib import Path;"
        "import benchmarks.gpu.rivals as rivals;"
        "rivals.Place.ways = lambda self: [rivals.EAGER];"
        f"print(len(measured_cells(Path({str(folder.parent)!r}), 'cpu', [(32, 48)], 1)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=240
    )
    assert ran.stdout.strip() == "2"


def test_a_folder_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"run python -m benchmarks\.gpu --prepare first"):
        measured_cells(tmp_path, "cpu", [(8, 8)], 1)


def test_without_a_gpu_the_page_stays_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="finds no GPU"):
        main(["--page", str(tmp_path / "page.md"), "--folder", str(tmp_path)])
    assert not (tmp_path / "page.md").exists()


def test_the_page_has_ratios_within_a_round(tmp_path: Path) -> None:
    times = {GLOBAL: [0.010, 0.020], EXACT: [0.009, 0.018]}
    cell = Cell("Net", (720, 1280), FLOAT16, TENSORRT, times, {FAST: "out of memory"})
    measured = Measured("A GPU", 2, (cell,))
    measured.save(tmp_path / "results.json")
    read = load(tmp_path / "results.json")
    page = document(read)
    assert f"| Net | 720x1280 | float16 | {TENSORRT} | 15.0 | 0.90 | - |" in page
    assert f"- Net, 720x1280, float16, {TENSORRT}, fast: not run, out of memory" in page
    assert "Median over 2 rounds. Measured on A GPU." in page


def test_the_page_says_what_is_known() -> None:
    assert document(load(RESULTS)) == DOCUMENT.read_text()
    assert "Nobody has run it" in document(None)
