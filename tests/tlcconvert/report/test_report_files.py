"""``--report``, ``--image`` and ``--json``: written with the file or not at all, with the same facts."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from html import unescape
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from spandrel.architectures.Compact import Compact
from typer.testing import CliRunner, Result

from tests.tlcconvert.classsr.classsr_networks import small_network
from tests.tlcconvert.output.schema_fit import fits
from tlcconvert.cli import command as cli
from tlcconvert.output.report_schema import Report

QUICK = ["--train-size", "16", "--verify-sizes", "8x9"]


def tlcconvert(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path = tmp_path / "model.pth"
    torch.manual_seed(0)
    torch.save(Compact(num_in_ch=3, num_out_ch=3, num_feat=4, num_conv=1, upscale=2).state_dict(), path)
    return path


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    path = tmp_path / "photograph.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)).save(path)
    return path


def assert_refused(result: Result, *words: str) -> None:
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    for word in words:
        assert word in result.stderr.replace("\n", " ")


def test_page_and_facts_are_written_with_the_file(network: Path, photograph: Path, tmp_path: Path) -> None:
    out, page, facts = (tmp_path / name for name in ("out.onnx", "report.html", "report.json"))
    result = tlcconvert(network, *QUICK, "-o", out, "--report", page, "--json", facts, "--image", photograph)
    assert result.exit_code == 0, result.output
    assert "Next: open" in result.stdout
    report, text = json.loads(facts.read_text()), unescape(page.read_text())
    assert fits(report, Report)
    (named,) = report["provenance"]["outputs"]
    assert named["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()
    assert named["bytes"] == out.stat().st_size
    (seen,) = report["images"]
    assert (seen["size"], seen["failed"]) == ([20, 30], "")
    assert seen["sha256"] == hashlib.sha256(photograph.read_bytes()).hexdigest()
    for shown in (
        named["sha256"],
        seen["sha256"],
        report["metadata"]["source_sha256"],
        "photograph.png",
        "8\N{MULTIPLICATION SIGN}9",
    ):
        assert shown in text
    assert all(f"{row['relative_error']:.1e}" in text for row in report["parity"])


def test_the_file_is_the_same_with_a_report_and_without(
    network: Path, photograph: Path, tmp_path: Path
) -> None:
    one, other = tmp_path / "one.onnx", tmp_path / "other.onnx"
    report = ["--report", tmp_path / "report.html", "--image", photograph]
    assert tlcconvert(network, *QUICK, "-o", one).exit_code == 0
    assert tlcconvert(network, *QUICK, "-o", other, *report).exit_code == 0
    assert one.read_bytes() == other.read_bytes()


def test_the_same_command_writes_the_same_page(network: Path, photograph: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    texts = []
    for _ in range(2):
        tlcconvert(network, *QUICK, "--dry-run", "--report", page, "--image", photograph)
        texts.append(page.read_text())
    assert texts[0] == texts[1]


def test_a_dry_run_has_a_report_of_no_files(network: Path, tmp_path: Path) -> None:
    page, facts = tmp_path / "report.html", tmp_path / "report.json"
    result = tlcconvert(network, *QUICK, "--dry-run", "--report", page, "--json", facts)
    assert result.exit_code == 0, result.output
    assert json.loads(facts.read_text())["provenance"]["outputs"] == []
    assert "none, as asked for" in page.read_text()


@pytest.mark.full
def test_a_network_of_branches_is_shown_without_windows(photograph: Path, tmp_path: Path) -> None:
    model, page, facts = tmp_path / "classsr.pth", tmp_path / "report.html", tmp_path / "report.json"
    torch.save(small_network("FSRCNN", scale=4, classes=2).state_dict(), model)
    result = tlcconvert(
        model, "--patch-size", 16, "--dry-run", "--report", page, "--json", facts, "--image", photograph
    )
    assert result.exit_code == 0, result.output
    (seen,) = json.loads(facts.read_text())["images"]
    assert seen["failed"] == "" and seen["statistics"] == []
    assert "cut into patches of 16 pixels" in page.read_text()
    assert 'id="windows"' not in page.read_text()


def test_what_was_there_stays_where_one_of_the_files_cannot_be_written(
    network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, page = tmp_path / "out.onnx", tmp_path / "report.html"
    out.write_text("before")
    page.write_text("before")
    monkeypatch.setattr("tlcconvert.report.page.MOST_BYTES", 10)
    assert tlcconvert(network, *QUICK, "-o", out, "--report", page).exit_code == 2
    assert (out.read_text(), page.read_text()) == ("before", "before")


@pytest.mark.parametrize("taken", ["out.onnx", "report.json", "model.pth", "photograph.png"])
def test_a_page_takes_no_other_files_place(
    network: Path, photograph: Path, tmp_path: Path, taken: str
) -> None:
    outputs = ["-o", tmp_path / "out.onnx", "--json", tmp_path / "report.json", "--image", photograph]
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert_refused(tlcconvert(network, *QUICK, *outputs, "--report", tmp_path / taken), "--report", taken)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_image_that_is_missing_or_none_is_refused_before_any_work(network: Path, tmp_path: Path) -> None:
    asked = [network, *QUICK, "-o", tmp_path / "out.onnx", "--report", tmp_path / "report.html", "--image"]
    assert_refused(tlcconvert(*asked, tmp_path / "none.png"), "none.png", "does not exist")
    assert_refused(tlcconvert(*asked, network), "model.pth", "is no image that can be read")
    assert not (tmp_path / "report.html").exists()


def test_images_without_a_report_and_too_many_are_refused(network: Path, photograph: Path) -> None:
    assert_refused(tlcconvert(network, *QUICK, "--dry-run", "--image", photograph), "--report or --json")
    many = ["--image", photograph] * 17
    assert_refused(tlcconvert(network, *QUICK, "--dry-run", "--report", "r.html", *many), "at most 16")


def test_without_pillow_a_page_without_pictures_is_written(
    network: Path, photograph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.delitem(sys.modules, "PIL.Image", raising=False)
    page = tmp_path / "report.html"
    asked = [network, *QUICK, "--dry-run", "--report", page]
    assert_refused(tlcconvert(*asked, "--image", photograph), "pip install 'tlcconvert[images]'")
    assert tlcconvert(*asked).exit_code == 0
    assert re.match("<!doctype html>", page.read_text())


def test_names_of_layers_that_are_markup_are_shown_as_text(tmp_path: Path) -> None:
    (tmp_path / "hostile.py").write_text(
        "import torch\nfrom torch import nn\n\n\n"
        "class Gate(nn.Module):\n    def forward(self, x):\n"
        "        return x * x.mean((2, 3), keepdim=True)\n\n\n"
        "class Network(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.layer = nn.Conv2d(3, 3, 1)\n"
        "        self.add_module('<script>alert(1)</script>', Gate())\n\n"
        "    def forward(self, x):\n"
        "        return self.get_submodule('<script>alert(1)</script>')(self.layer(x))\n"
    )
    page = tmp_path / "report.html"
    sys.path.insert(0, str(tmp_path))
    try:
        result = tlcconvert("--model", "hostile:Network", *QUICK, "--dry-run", "--report", page)
    finally:
        sys.path.remove(str(tmp_path))
    assert result.exit_code == 0, result.output
    text = page.read_text()
    assert "<script>alert" not in text and "&lt;script&gt;alert(1)&lt;/script&gt;" in text
