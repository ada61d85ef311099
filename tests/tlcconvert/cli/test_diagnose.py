"""``tlcconvert diagnose``: what it prints, writes and refuses, and that the verdict decides what is converted."""

from __future__ import annotations

import html
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

import tlcconvert
from tlcconvert.cli import diagnose as cli
from tlcconvert.cli import subcommands

NETWORKS = """
import torch
from torch import nn

class Brightened(nn.Module):
    def __init__(self, strength):
        super().__init__()
        self.strength = strength
        self.same = nn.Conv2d(3, 3, 1, groups=3)
        nn.init.ones_(self.same.weight)
        nn.init.zeros_(self.same.bias)

    def forward(self, image):
        x = self.same(image)
        return x + self.strength * x.mean((2, 3), keepdim=True)

def gaining():
    return Brightened(0.05)

def unsafe():
    return Brightened(-1.0)
"""


def enter_folder_of_networks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module ``lights`` in ``folder``, from which commands are run."""
    (folder / "lights.py").write_text(NETWORKS)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.chdir(folder)
    monkeypatch.delitem(sys.modules, "lights", raising=False)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Networks in a module ``lights``, and photographs that grow brighter from left to right."""
    enter_folder_of_networks(tmp_path, monkeypatch)
    (tmp_path / "photographs").mkdir()
    slope = np.tile(np.linspace(0, 255, 96).astype(np.uint8)[None, :, None], (64, 1, 3))
    Image.fromarray(slope).save(tmp_path / "photographs" / "slope.png")
    return tmp_path


def diagnose(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


def test_the_verdict_comes_first_and_the_next_step_last(folder: Path) -> None:
    (folder / "photographs" / "empty.jpg").touch()
    result = diagnose("--model", "lights:gaining", "photographs", "--train-size", 16, "--json", "found.json")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("Local statistics bring this network")
    assert "slope.png" in result.stdout
    assert "empty.jpg is empty" in result.stdout
    assert lines[-1] == "Next: tlcconvert --model lights:gaining --train-size 16 -o model.onnx"
    assert "Diagnosing: about" in result.stderr
    facts = json.loads((folder / "found.json").read_text())
    assert (facts["schema"], facts["verdict"], len(facts["images"])) == (1, "local", 1)
    assert facts["sentence"].startswith("Local statistics bring")


def windows(path: Path) -> list[object]:
    return list(tlcconvert.read_metadata(path).get("windows", []))


@pytest.mark.parametrize(
    ("network", "options", "is_local", "said"),
    [
        ("gaining", [], True, "Wrote out.onnx"),
        ("unsafe", [], False, "Statistics stayed global, as the verdict says"),
        pytest.param("unsafe", ["--localize"], True, "local against the verdict", marks=pytest.mark.full),
    ],
)
def test_the_verdict_decides_what_is_converted_unless_it_is_overruled(
    folder: Path, network: str, options: list[str], is_local: bool, said: str
) -> None:
    where = ["--verify-sizes", "32x40", "-o", "out.onnx", "--json", "found.json"]
    result = diagnose("--model", f"lights:{network}", "photographs", "--train-size", 16, *where, *options)
    assert result.exit_code == 0, result.output
    assert said in " ".join(result.stdout.split())
    onnx.checker.check_model(onnx.load("out.onnx"), full_check=True)
    assert bool(windows(folder / "out.onnx")) == is_local
    facts = json.loads((folder / "found.json").read_text())
    summary = tlcconvert.read_metadata("out.onnx")["diagnosis"]
    assert summary == {
        "verdict": facts["verdict"],
        "closer_db": facts["closer"],
        "deviation_db": facts["deviation"],
        "images": 1,
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["model.pth"], "Name images to diagnose with"),
        (["model.pth", "photographs", "--train-size", "16"], "model.pth does not exist"),
        (["--model", "lights:gaining", "photographs"], "--train-size"),
        (["--model", "lights:gaining", "missing.png", "--train-size", "16"], "There is no image"),
        (
            ["--model", "lights:gaining", "photographs", "--train-size", "16", "--localize"],
            "--localize is for",
        ),
        (["--model", "lights:gaining", "photographs", "--train-size", "65"], "less than a crop of 65x65"),
        (
            [
                "--model",
                "lights:gaining",
                "photographs",
                "--train-size",
                "16",
                "--json",
                "photographs/slope.png",
            ],
            "the same file as image 1",
        ),
        (
            ["lights.py", "photographs", "--train-size", "16", "--weights", "w.pth"],
            "--weights belongs to --model",
        ),
        (["../samples/classsr.pth", "photographs", "--train-size", "16", "--no-localize"], "No such option"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(folder: Path, arguments: list[str], words: str) -> None:
    result = diagnose(*arguments)
    assert result.exit_code == 2, result.output
    assert words.lower() in " ".join(result.stderr.split()).lower()
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert (folder / "photographs" / "slope.png").stat().st_size > 0


def test_a_first_word_names_the_command_and_everything_else_the_model(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    called: list[tuple[str, list[str]]] = []

    class Module:
        def __init__(self, name: str) -> None:
            self.name = name

        def app(self, arguments: list[str], **_: object) -> None:
            called.append((self.name, arguments))

    monkeypatch.setattr(subcommands, "import_module", Module)
    for arguments in (["diagnose", "a.pth"], ["./diagnose"], ["a.pth", "diagnose"], [], ["--help"]):
        subcommands.run(arguments)
    main = "tlcconvert.cli.command"
    assert called == [
        ("tlcconvert.cli.diagnose", ["a.pth"]),
        (main, ["./diagnose"]),
        (main, ["a.pth", "diagnose"]),
        (main, []),
        (main, ["--help"]),
    ]


def test_help_needs_no_torch_and_the_main_one_names_every_command() -> None:
    code = (
        "import sys; from tlcconvert.__main__ import main; sys.argv = ['tlcconvert', *sys.argv[1:]]\n"
        "try: main()\nexcept SystemExit: print('torch' in sys.modules)"
    )
    for words in ([], *([name] for name in subcommands.SUBCOMMANDS)):
        done = subprocess.run(
            [sys.executable, "-c", code, *words, "--help"], capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[-1] == "False"
        assert " ".join(["tlcconvert", *words]) in done.stdout
        assert words or all(f"  {name} " in done.stdout for name in subcommands.SUBCOMMANDS)


@pytest.mark.parametrize(("network", "local"), [("gaining", 1), ("unsafe", 0)])
def test_a_page_has_the_verdict_and_the_images_that_change_most(
    folder: Path, monkeypatch: pytest.MonkeyPatch, network: str, local: int
) -> None:
    monkeypatch.setattr(cli, "_SHOWN", 1)
    mild = np.tile(np.linspace(90, 140, 96).astype(np.uint8)[None, :, None], (64, 1, 3))
    Image.fromarray(mild).save(folder / "photographs" / "mild.png")
    asked = ["--model", f"lights:{network}", "photographs", "--train-size", 16, "--verify-sizes", "40x48"]
    result = diagnose(*asked, "-o", "out.onnx", "--report", "report.html", "--json", "found.json")
    assert result.exit_code == 0, result.output
    page, facts = (folder / "report.html").read_text(), json.loads((folder / "found.json").read_text())
    assert html.escape(facts["sentence"]) in page
    assert facts["conversion"]["diagnosis"]["sentence"] == facts["sentence"]
    assert len(facts["conversion"]["localized"]) == local
    assert "photographs/slope.png" in page and "photographs/mild.png" not in page
    assert page.count('type="range"') == 1
    assert result.stdout.splitlines()[-1] == "Next: open report.html in a browser."


def test_a_page_without_a_conversion_is_refused(folder: Path) -> None:
    result = diagnose(
        "--model", "lights:gaining", "photographs", "--train-size", 16, "--report", "report.html"
    )
    assert result.exit_code == 2 and "-o" in result.stderr
    assert not (folder / "report.html").exists()
