"""ClassSR from the command line and through ``tlcconvert.convert``: what is passed on and what is refused."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from spandrel.architectures.Compact import Compact
from torch import nn
from typer.main import get_command
from typer.testing import CliRunner, Result

import tlcconvert
from tests.tlcconvert.classsr.classsr_networks import small_network
from tlcconvert import Conversion, InputError, Parity, RoutingOptions
from tlcconvert.architectures.classsr import ClassSR
from tlcconvert.classsr import Costs, from_options
from tlcconvert.cli import command as cli
from tlcconvert.dtype import Dtype
from tlcconvert.options import Options

COSTS = Costs((100, 250), "microseconds")
CONVERTED = Conversion(onnx.ModelProto(), nn.Identity(), (), (), Parity(()), {}, {})
MEANINGLESS = {
    "base_ratio": 2.0,
    "output_index": 1,
    "all_outputs": True,
    "fold_branches": False,
    "size_wrapper": False,
    "static_size": (64, 64),
    "accept_multiple": 64,
    "accept_minimum": 64,
    "verify_sizes": ((64, 64),),
    "fast": True,
    "dtype": Dtype.FLOAT16,
    "io": Dtype.FLOAT16,
}


def command(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


def assert_refused(result: Result, *words: str) -> None:
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    for word in words:
        assert word in result.stderr


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "classsr.pth"
    torch.save(small_network("FSRCNN", scale=4, classes=2).state_dict(), path)
    return path


@pytest.fixture
def passed_on(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a ClassSR would be converted with; the conversion itself is left out."""
    recorded: dict[str, Any] = {}

    def record(network: ClassSR, **options: object) -> Conversion:
        recorded.update(options, scale=network.scale)
        return CONVERTED

    monkeypatch.setattr(from_options, "convert_classsr", record)
    monkeypatch.setattr(from_options, "measured_costs", lambda network, size: COSTS)
    return recorded


def test_a_checkpoint_becomes_a_file_from_image_to_image(checkpoint: Path, tmp_path: Path) -> None:
    out, report = tmp_path / "out.onnx", tmp_path / "report.json"
    result = command(checkpoint, "--train-size", 32, "--knobs", "-o", out, "--json", report)
    assert result.exit_code == 0, result.output
    restored, class_map = onnxruntime.InferenceSession(out).run(
        None, {"input": np.zeros((2, 3, 5, 40), np.float32), "budget": np.array(1, np.float32)}
    )
    assert restored.shape == (2, 3, 20, 160)
    assert class_map.tolist() == [[[1, 1]]] * 2
    facts = json.loads(report.read_text())
    assert facts["metadata"]["patch_step"] == "28"
    assert facts["metadata"]["color_order"] == "RGB"
    assert all(row["passed"] for row in facts["parity"])
    printed = " ".join(result.stdout.split())
    assert "patches of 32 pixels every 28, 2 classes, scale 4" in printed
    assert "A budget counts multiply-adds per patch" in printed
    assert "Nothing to localize" not in printed


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--train-size", "32"], {"patch_size": 32, "patch_step": 28, "knobs": False, "costs": None}),
        (["--train-size", "48"], {"patch_size": 48, "patch_step": 42}),
        (["--no-localize"], {"patch_size": 32, "patch_step": 28}),
        (["--patch-size", "24"], {"patch_size": 24, "patch_step": 21}),
        (
            ["--train-size", "32", "--patch-size", "24", "--patch-step", "12"],
            {"patch_size": 24, "patch_step": 12},
        ),
        (
            ["--train-size", "32", "--knobs", "--scale", "2", "--opset", "20"],
            {"knobs": True, "scale": 2, "opset": 20},
        ),
        (
            ["--train-size", "32", "--strict", "--output-index", "0", "--input-channels", "3"],
            {"knobs": False},
        ),
    ],
)
def test_options_mean(
    checkpoint: Path, passed_on: dict[str, Any], options: list[str], expected: dict[str, Any]
) -> None:
    assert command(checkpoint, "--dry-run", *options).exit_code == 0
    assert {name: passed_on[name] for name in expected} == expected


def test_a_calibration_is_used_and_can_be_read_again(
    checkpoint: Path, tmp_path: Path, passed_on: dict[str, Any]
) -> None:
    shared = (checkpoint, "--train-size", 32, "--knobs", "--dry-run")
    command(*shared, "--calibrate", tmp_path / "costs.json")
    assert passed_on.pop("costs") == COSTS
    command(*shared, "--costs", tmp_path / "costs.json")
    assert passed_on.pop("costs") == COSTS


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--train-size", "32x48"], ["Patches are square", "32x48"]),
        (["--train-size", "32", "--input-channels", "1"], ["3 channels, not 1"]),
        (["--patch-size", "0"], ["too small"]),
        (["--train-size", "32", "--patch-step", "8"], ["between half the patch size and the patch size"]),
        (["--train-size", "32", "--costs", "c.json"], ["add --knobs"]),
        (["--train-size", "32", "--calibrate", "c.json"], ["add --knobs"]),
        (["--train-size", "32", "--knobs", "--costs", "c.json", "--calibrate", "c.json"], ["choose one"]),
        (["--train-size", "32", "--knobs", "--costs", "missing.json"], ["missing.json", "does not exist"]),
        (["--train-size", "32", "--knobs", "--calibrate", "missing/c.json"], ["missing"]),
        (["--train-size", "32", "--fast", "--base-ratio", "2"], ["leave out --base-ratio, --fast"]),
        (["--train-size", "32", "--no-fold"], ["leave out --no-fold"]),
        (
            ["--train-size", "32", "--static", "32x32", "--target", "tensorrt"],
            ["leave out --static, --target"],
        ),
    ],
)
def test_what_does_not_fit_a_classsr_is_refused(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert_refused(command(checkpoint, "-o", "out.onnx", *options), *words)
    assert [path.name for path in tmp_path.iterdir()] == ["classsr.pth"]


@pytest.mark.parametrize(("option", "value"), MEANINGLESS.items())
def test_options_that_mean_nothing_to_a_classsr_are_refused_as_they_are_typed(
    option: str, value: Any
) -> None:
    with pytest.raises(InputError, match="leave out") as refusal:
        tlcconvert.convert(small_network(classes=2), 32, **{option: value})
    named = str(refusal.value).removesuffix(".").split()[-1]
    assert named in {
        flag
        for parameter in get_command(cli.app).params
        for flag in parameter.opts + parameter.secondary_opts
    }


def test_every_option_is_passed_on_or_refused() -> None:
    meant = {"train_size", "localize_statistics", "strict", "opset", "routing", "without", "dump", "progress"}
    of_the_network = {"input_channels", "extra_inputs", "pixels"}
    refused = {"exported_program", "target"} | set(MEANINGLESS)
    assert {field.name for field in fields(Options)} == meant | of_the_network | refused


def test_a_classsr_is_not_written_as_an_exported_program(checkpoint: Path, tmp_path: Path) -> None:
    refused = command(checkpoint, "--train-size", 32, "-o", tmp_path / "out.pt2")
    assert_refused(refused, "routes patches at run time", ".onnx")
    assert not (tmp_path / "out.pt2").exists()


@pytest.mark.parametrize(
    "options",
    [
        ["--patch-size", "32"],
        ["--patch-step", "28"],
        ["--knobs"],
        ["--scale", "2"],
        ["--knobs", "--costs", __file__],
        ["--knobs", "--calibrate", "c.json"],
    ],
)
def test_other_networks_refuse_what_only_a_classsr_has(tmp_path: Path, options: list[str]) -> None:
    path = tmp_path / "model.pth"
    torch.save(Compact(num_in_ch=3, num_out_ch=3, num_feat=4, num_conv=1, upscale=2).state_dict(), path)
    typed = [option for option in options if option.startswith("--")]
    result = command(path, "--train-size", 32, "-o", tmp_path / "out.onnx", *options)
    assert_refused(result, "is no ClassSR", *typed)
    assert [file.name for file in tmp_path.iterdir()] == ["model.pth"]


def test_a_calibration_of_a_conversion_that_fails_is_not_written(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(from_options, "measured_costs", lambda network, size: COSTS)
    routing = ("--knobs", "--calibrate", tmp_path / "costs.json", "--patch-step", 8)
    assert_refused(command(checkpoint, "--train-size", 32, "--dry-run", *routing), "between half")
    assert not (tmp_path / "costs.json").exists()


def test_from_python_a_classsr_is_routed_too(passed_on: dict[str, Any]) -> None:
    routing = RoutingOptions(patch_step=32, knobs=True)
    assert tlcconvert.convert(small_network(classes=2), 32, routing=routing) is CONVERTED
    assert (passed_on["patch_size"], passed_on["patch_step"], passed_on["knobs"]) == (32, 32, True)
