"""``tlcconvert tune`` finds windows that are right by construction, and its plan repeats them without images."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner, Result

import tlcconvert
from tests.tlcconvert.cli.test_diagnose import enter_folder_of_networks
from tests.tlcconvert.diagnosis.networks import global_mean
from tests.tlcconvert.diagnosis.test_consistency import window_means
from tests.tlcconvert.images.png_writer import write_png16
from tlcconvert.cli import command, tune
from tlcconvert.tuning import tune_pairs

TRAIN_SIZE = 8
SMALL = ["--verify-sizes", "16x24"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    enter_folder_of_networks(tmp_path, monkeypatch)
    return tmp_path


def write_pairs(folder: Path, statistic: Callable[[Tensor], Tensor]) -> None:
    """Two images, and what the network ``gaining`` makes of them with another statistic."""
    generator = torch.Generator().manual_seed(0)
    for name in ("a", "b"):
        image = torch.rand(1, 3, 4, 5, generator=generator)
        image = torch.nn.functional.interpolate(image, size=(40, 48), mode="bilinear") * 0.9
        for place, pixels in (("lq", image), ("gt", image + 0.05 * statistic(image))):
            (folder / place).mkdir(exist_ok=True)
            values = (pixels[0].permute(1, 2, 0).double() * 65535).round().numpy().astype(np.uint16)
            write_png16(folder / place / f"{name}.png", values)


def run(app: object, *arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])  # type: ignore[arg-type]


@pytest.mark.parametrize("ratio", [pytest.param(1, marks=pytest.mark.full), 3])
def test_it_finds_the_window_the_originals_were_made_with_and_the_plan_repeats_it(
    folder: Path, ratio: int
) -> None:
    write_pairs(folder, window_means(ratio * TRAIN_SIZE))
    asked = ["--model", "lights:gaining", "lq", "gt", "--train-size", TRAIN_SIZE, "--plan", "plan.json"]
    result = run(tune.app, *asked, *SMALL, "-o", "tuned.onnx")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"Windows of {ratio} training crops are best")
    assert tlcconvert.read_metadata("tuned.onnx")["base_ratio"] == ratio
    facts = json.loads((folder / "plan.json").read_text())
    assert facts["base_ratio"] == ratio
    assert facts["mean"][str(ratio)]["psnr"] > facts["mean"]["original"]["psnr"] + 20

    result = run(
        command.app, "--model", "lights:gaining", "--plan", "plan.json", *SMALL, "-o", "repeated.onnx"
    )
    assert result.exit_code == 0, result.output
    assert (folder / "repeated.onnx").read_bytes() == (folder / "tuned.onnx").read_bytes()


def test_it_says_when_not_converting_is_best_and_the_plan_keeps_statistics_global(folder: Path) -> None:
    write_pairs(folder, global_mean)
    asked = ["--model", "lights:gaining", "lq", "gt", "--train-size", TRAIN_SIZE, "--plan", "plan.json"]
    result = run(tune.app, *asked)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("Not converting is best")
    result = run(command.app, "--model", "lights:gaining", "--plan", "plan.json", *SMALL, "-o", "global.onnx")
    assert result.exit_code == 0, result.output
    assert "windows" not in tlcconvert.read_metadata("global.onnx")


def test_what_a_plan_has_is_not_run_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pairs(folder, global_mean)
    asked = ["--model", "lights:gaining", "lq", "gt", "--train-size", TRAIN_SIZE, "--plan", "plan.json"]
    assert run(tune.app, *asked).exit_code == 0
    whole = (folder / "plan.json").read_bytes()
    facts = json.loads(whole)
    del facts["pairs"][0]
    (folder / "plan.json").write_text(json.dumps(facts))
    ran = []
    real = tune_pairs._qualities

    def counted(*arguments: object) -> object:
        ran.append(arguments)
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(tune_pairs, "_qualities", counted)
    assert run(tune.app, *asked).exit_code == 0
    assert len(ran) == 1
    assert (folder / "plan.json").read_bytes() == whole


def test_pairs_that_cannot_be_used_are_told_and_the_rest_goes_on(folder: Path) -> None:
    write_pairs(folder, global_mean)
    write_png16(folder / "gt" / "b.png", np.zeros((3, 3, 3), np.uint16))
    write_png16(folder / "lq" / "alone.png", np.zeros((3, 3, 3), np.uint16))
    result = run(tune.app, "--model", "lights:gaining", "lq", "gt", "--train-size", TRAIN_SIZE)
    assert result.exit_code == 0, result.output
    printed = " ".join(result.stdout.split())
    assert "alone.png has no clean partner of its name" in printed
    assert "b.png has 3x3 pixels, and the network makes 40x48 of lq/b.png" in printed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model", "lights:gaining", "lq"], "Name the network and two folders"),
        (["--model", "lights:gaining", "lq", "missing", "--train-size", "8"], "There is no image"),
        (["--model", "lights:gaining", "lq", "gt"], "--train-size"),
        (["--model", "lights:gaining", "lq", "gt", "--train-size", "8", "--plan", "gt/a.png"], "same file"),
        (["--model", "lights:gaining", "lq", "gt", "--train-size", "8", "--plan", "other.json"], "no plan"),
        (["missing.pth", "lq", "gt", "--train-size", "8"], "missing.pth does not exist"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(folder: Path, arguments: list[str], words: str) -> None:
    write_pairs(folder, global_mean)
    (folder / "other.json").write_text("{}")
    result = run(tune.app, *arguments)
    assert result.exit_code == 2, result.output
    assert words in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr


def test_a_plan_for_another_network_or_train_size_is_refused(folder: Path) -> None:
    facts = {"schema": 1, "source_sha256": "0", "train_size": [8, 8], "base_ratio": 1.5, "pairs": []}
    (folder / "plan.json").write_text(json.dumps(facts))
    convert = ["--model", "lights:gaining", "--plan", "plan.json", "-o", "out.onnx"]
    result = run(command.app, *convert)
    assert (result.exit_code, "for another network" in result.stderr) == (2, True)
    result = run(command.app, *convert, "--train-size", "9")
    assert (result.exit_code, "The plan is for a train size of 8x8" in result.stderr) == (2, True)
    assert not (folder / "out.onnx").exists()
