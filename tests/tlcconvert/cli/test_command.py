"""The command line: what it writes, what it refuses, and with which exit code."""

from __future__ import annotations

import json
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from spandrel.architectures.Compact import Compact
from torch import nn
from typer.testing import CliRunner, Result

from tlcconvert.cli import command as cli
from tlcconvert.lower.lower import Lowered
from tlcconvert.pipeline import steps


class RunsCode:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch was_run",)


def tlcconvert(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A checkpoint of a network that converts in seconds."""
    path = tmp_path / "model.pth"
    torch.manual_seed(0)
    torch.save(Compact(num_in_ch=3, num_out_ch=3, num_feat=4, num_conv=1, upscale=2).state_dict(), path)
    return path


def assert_refused(result: Result, code: int, *words: str) -> None:
    """One sentence on stderr, no traceback, nothing on stdout."""
    assert result.exit_code == code, result.output
    message = result.stderr.strip()
    for word in words:
        assert word.lower() in message.lower()
    assert "Traceback" not in message
    assert result.stdout == ""


def test_a_checkpoint_becomes_a_file_with_a_report(network: Path, tmp_path: Path) -> None:
    out, report = tmp_path / "out.onnx", tmp_path / "report.json"
    result = tlcconvert(network, "--train-size", "32x48", "-o", out, "--json", report)
    assert result.exit_code == 0, result.output
    onnx.checker.check_model(onnx.load(out), full_check=True)
    session = onnxruntime.InferenceSession(out)
    (image,) = session.run(None, {"input": np.zeros((2, 3, 5, 7), np.float32)})
    assert image.shape == (2, 3, 10, 14)
    facts = json.loads(report.read_text())
    assert facts["metadata"]["train_size"] == "[32, 48]"
    assert facts["metadata"]["color_order"] == "RGB"
    assert all(row["passed"] for row in facts["parity"])
    assert "Nothing to localize" in result.stdout
    assert f"({out.stat().st_size:,} bytes)" in result.stdout.replace("\n", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.pth", "out.onnx", "report.json"]


def test_a_dry_run_reports_and_writes_nothing(network: Path, tmp_path: Path) -> None:
    result = tlcconvert(network, "--no-localize", "--dry-run")
    assert result.exit_code == 0
    assert "nothing was written" in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["model.pth"]


def test_a_file_for_one_size_is_verified_at_that_size(network: Path, tmp_path: Path) -> None:
    out, report = tmp_path / "out.onnx", tmp_path / "report.json"
    result = tlcconvert(network, "--no-localize", "--static", "30x41", "-o", out, "--json", report)
    assert result.exit_code == 0, result.output
    sizes = [row["size"] for row in json.loads(report.read_text())["parity"]]
    assert [1, 30, 41] in sizes
    assert onnxruntime.InferenceSession(out).get_inputs()[0].shape == [1, 3, 30, 41]


def test_the_runtime_a_file_is_made_for_is_in_its_metadata(network: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.onnx"
    options = ("--train-size", "16", "--static", "30x41", "--target", "tensorrt")
    result = tlcconvert(network, *options, "-o", out)
    assert result.exit_code == 0, result.output
    metadata = onnxruntime.InferenceSession(out).get_modelmeta().custom_metadata_map
    assert (metadata["target"], metadata["static_size"]) == ("tensorrt", "[30, 41]")


def test_quiet_prints_nothing(network: Path, tmp_path: Path) -> None:
    result = tlcconvert(network, "--no-localize", "--quiet", "-o", tmp_path / "out.onnx")
    assert (result.exit_code, result.output) == (0, "")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["empty"]),
        (b"\x93\x17random bytes that are no checkpoint" * 9, ["model.pth"]),
        ("truncated", ["model.pth"]),
        ("unknown", ["architecture"]),
        ("pickled module", ["--allow-pickle", "Sequential"]),
        ("running code", ["--allow-pickle", "system"]),
        ("torchscript", ["TorchScript", "state"]),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_and_an_existing_output_kept(
    network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | str, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    if isinstance(content, bytes):
        network.write_bytes(content)
    elif content == "truncated":
        network.write_bytes(network.read_bytes()[:1000])
    elif content == "unknown":
        torch.save({"some.weight": torch.zeros(3, 3)}, network)
    elif content == "pickled module":
        torch.save(nn.Sequential(nn.Conv2d(3, 3, 3)), network)
    elif content == "running code":
        network.write_bytes(pickle.dumps({"weight": RunsCode()}))
    else:
        torch.jit.trace(nn.Conv2d(3, 3, 3), torch.zeros(1, 3, 8, 8)).save(str(network))
    out = tmp_path / "out.onnx"
    out.write_bytes(b"before")
    assert_refused(tlcconvert(network, "--train-size", 32, "-o", out), 2, *words)
    assert out.read_bytes() == b"before"
    assert not (tmp_path / "was_run").exists()


def test_a_missing_file_and_a_directory_are_refused(tmp_path: Path) -> None:
    out = tmp_path / "out.onnx"
    assert_refused(tlcconvert(tmp_path / "missing.pth", "--train-size", 32, "-o", out), 2, "missing.pth")
    assert_refused(tlcconvert(tmp_path, "--train-size", 32, "-o", out), 2, "directory")
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], ["-o"]),
        (["-o", "out.onnx"], ["--train-size"]),
        (["-o", "out.onnx", "--train-size", "0"], ["between 1 and"]),
        (["-o", "out.onnx", "--train-size", "-64"], ["between 1 and"]),
        (["-o", "out.onnx", "--train-size", "99999999"], ["between 1 and"]),
        (["-o", "out.onnx", "--train-size", "large"], ["train size"]),
        (["-o", "out.onnx", "--train-size", "64", "--opset", "7"], ["opset"]),
        (["-o", "out.onnx", "--train-size", "64", "--base-ratio", "0"], ["base ratio"]),
        (["-o", "out.onnx", "--train-size", "64", "--static", "720"], ["HxW"]),
        (["-o", "out.onnx", "--train-size", "64", "--static", "2x720x1280"], ["batch is 1"]),
        (["-o", "out.onnx", "--train-size", "64", "--target", "coreml"], ["portable", "tensorrt"]),
        (
            ["-o", "out.onnx", "--train-size", "64", "--target", "onnxruntime"],
            ["'portable'", "'onnxruntime-cpu'"],
        ),
        (["-o", "out.onnx", "--train-size", "64", "--verify-sizes", "64x64,large"], ["large"]),
        (["-o", "out.onnx", "--train-size", "64", "--all-outputs", "--output-index", "0"], ["one output"]),
        (["-o", "missing/out.onnx", "--train-size", "64"], ["missing"]),
        (["-o", ".", "--train-size", "64"], ["directory"]),
        (["-o", "out.onnx", "--train-size", "64", "--weights", "w.pth"], ["--weights"]),
        (["-o", "out.onnx", "--train-size", "64", "--model", "a:b"], ["one network"]),
        (["-o", "model.pth", "--train-size", "64"], ["-o", "same file", "MODEL"]),
        (["-o", "./x/../model.pth", "--train-size", "64"], ["same file"]),
        (["-o", "out.onnx", "--train-size", "64", "--json", "out.onnx"], ["--json", "same file", "-o"]),
        (["-o", "out.onnx", "--train-size", "64", "--json", "model.pth"], ["--json", "same file", "MODEL"]),
        (["--dry-run", "--train-size", "64", "--json", "model.pth"], ["--json", "same file", "MODEL"]),
        (["-o", "c", "--train-size", "64", "--knobs", "--costs", "c"], ["-o", "same file", "--costs"]),
        (["-o", "c", "--train-size", "64", "--knobs", "--calibrate", "c"], ["-o", "same", "--calibrate"]),
        (["-o", "/dev/null", "--train-size", "64"], ["no regular file"]),
        (["-o", "out.onnx", "--train-size", "64", "--json", "/dev/stdout"], ["/dev/stdout"]),
        (["-o", "n" * 256, "--train-size", "64"], ["File name too long"]),
        (["-o", "out.onnx", "--train-size", "64", "--no-such-option"], ["no such option"]),
        (["-o", "out.onnx", "--train-size"], ["--train-size", "requires an argument"]),
        (["-o", "out.onnx", "--train-size", "64", "more.pth"], ["unexpected", "more.pth"]),
        (["-o", "out.onnx", "--train-size", "\uff11\uff12\uff18"], ["train size"]),
        (["-o", "out.onnx", "--train-size", "1" * 5000], ["train size"]),
        (["-o", "out.onnx", "--train-size", "64", "--opset", "\uff11\uff18"], ["--opset", "whole number"]),
        (["-o", "out.onnx", "--train-size", "64", "--opset", "1_8"], ["--opset", "whole number"]),
        (["-o", "out.onnx", "--train-size", "64", "--output-index", "1" * 5000], ["whole number"]),
        (["-o", "out.onnx", "--train-size", "64", "--input-channels", "0"], ["at least 1"]),
        (["-o", "out.onnx", "--train-size", "64", "--base-ratio", "nan"], ["--base-ratio", "number"]),
        (["-o", "out.onnx", "--train-size", "64", "--base-ratio", "1.\uff15"], ["--base-ratio", "number"]),
        (["-o", "out.onnx", "--train-size", "64", "--static", "\uff11\uff12\uff18x128"], ["HxW"]),
        (["-o", "out.onnx", "--train-size", "64", "--verify-sizes", f"{'9' * 5000}x1"], ["HxW"]),
    ],
)
def test_unusable_options_are_refused_before_any_work(
    network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    before = network.read_bytes()
    result = tlcconvert(network, *options)
    assert_refused(result, 2, *words)
    assert result.stderr.count("\n") == 1
    assert len(result.stderr) < 1000
    assert [path.name for path in tmp_path.iterdir()] == ["model.pth"]
    assert network.read_bytes() == before


FACTORIES = '''
import torch
from torch import nn

class Tokens(nn.Module):
    """A statistic that is returned as it is beside what the image needs of it."""
    def forward(self, x):
        return x * torch.fft.rfft2(x).abs().mean((1, 2, 3), keepdim=True)

class DataDependent(nn.Module):
    def forward(self, x):
        return x * 2 if x.mean() > 0.5 else x

class OddAndEven(nn.Module):
    def forward(self, x):
        return x.flip(1) if x.shape[2] % 2 else x * 2

def odd_and_even(): return OddAndEven()
def fourier(): return Tokens()
def data_dependent(): return DataDependent()
def not_a_network(): return 3
'''


@pytest.fixture
def factories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "own_networks", raising=False)
    (tmp_path / "own_networks.py").write_text(FACTORIES)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("factories")
@pytest.mark.parametrize(
    ("factory", "options", "code", "words"),
    [
        ("own_networks:data_dependent", [], 3, ["graph"]),
        (
            "own_networks:odd_and_even",
            [],
            3,
            ["every size", "multiples of 16", "off by", "--accept-multiple 16"],
        ),
        ("own_networks:odd_and_even", ["--accept-multiple", "32"], 3, ["--accept-multiple 16"]),
        ("own_networks:not_a_network", [], 2, ["not_a_network"]),
        ("own_networks:missing", [], 2, ["missing"]),
        ("own_networks:fourier", ["--strict"], 5, ["Fourier transform", "own_networks.py"]),
    ],
)
def test_each_way_to_fail_has_its_exit_code(
    tmp_path: Path, factory: str, options: list[str], code: int, words: list[str]
) -> None:
    out = tmp_path / "out.onnx"
    arguments = ["--model", factory, "--input-channels", 3, "--train-size", 32, "-o", out, *options]
    assert_refused(tlcconvert(*arguments), code, *words)
    assert not out.exists()


@pytest.mark.usefixtures("factories")
def test_a_file_for_a_wider_multiple_is_written_for_someone_who_takes_it_and_says_so(tmp_path: Path) -> None:
    out = tmp_path / "out.onnx"
    arguments = ["--model", "own_networks:odd_and_even", "--input-channels", 3, "--train-size", 32, "-o", out]
    result = tlcconvert(*arguments, "--accept-multiple", "16", "--json", tmp_path / "report.json")
    assert result.exit_code == 0
    printed = " ".join(result.output.split())
    assert "Note: the network accepts every size, the file computes it for multiples of 16" in printed
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["metadata"]["network_multiple"], report["metadata"]["size_multiple"]) == ("1", "16")
    assert any("off by" in note for note in report["parity_notes"])


def test_a_file_that_does_not_compute_the_network_is_not_written(
    network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lowering is made wrong on purpose: every kernel of the exported model is doubled."""
    right = steps.lower

    def wrong(*arguments: object) -> Lowered:
        lowered = right(*arguments)  # type: ignore[arg-type]
        for initializer in lowered.model.graph.initializer:
            values = onnx.numpy_helper.to_array(initializer)
            if values.ndim == 4:
                initializer.CopyFrom(onnx.numpy_helper.from_array(2 * values, initializer.name))
        return lowered

    monkeypatch.setattr(steps, "lower", wrong)
    out = tmp_path / "out.onnx"
    out.write_bytes(b"before")
    assert_refused(tlcconvert(network, "--train-size", 32, "-o", out), 4, "FAILED", "1x64x64")
    assert out.read_bytes() == b"before"


def test_graphs_are_not_dumped_among_other_files(network: Path, tmp_path: Path) -> None:
    result = tlcconvert(network, "--train-size", 32, "--dry-run", "--dump", tmp_path)
    assert_refused(result, 2, "has files in it: name an empty folder")


def test_debug_shows_where_an_error_came_from(tmp_path: Path) -> None:
    result = tlcconvert(tmp_path / "missing.pth", "--train-size", 32, "--dry-run", "--debug")
    assert result.exit_code == 2
    assert "Traceback" in result.stderr


@pytest.mark.parametrize("spelling", ["itself", "hard link", "symbolic link"])
def test_weights_are_not_written_over(network: Path, tmp_path: Path, spelling: str) -> None:
    before, out = network.read_bytes(), network
    if spelling != "itself":
        out = tmp_path / "out.onnx"
        (out.hardlink_to if spelling == "hard link" else out.symlink_to)(network)
    result = tlcconvert("--model", "a:b", "--weights", network, "--train-size", 32, "-o", out)
    assert_refused(result, 2, "-o", "same file", "--weights")
    assert network.read_bytes() == before


@pytest.mark.usefixtures("factories")
def test_the_code_of_a_network_is_not_written_over(tmp_path: Path) -> None:
    arguments = ["--model", "own_networks:fourier", "--input-channels", 3, "--train-size", 32]
    result = tlcconvert(*arguments, "-o", tmp_path / "own_networks.py")
    assert_refused(result, 2, "own_networks.py", "code of the network")
    assert (tmp_path / "own_networks.py").read_text() == FACTORIES


@pytest.mark.parametrize("failing", ["out.onnx", "report.json"])
def test_model_and_report_are_written_both_or_neither(
    network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    out, report = tmp_path / "out.onnx", tmp_path / "report.json"
    out.write_bytes(b"before")
    replace = os.replace

    def fails(source: Path, destination: Path) -> None:
        if destination.name == failing and source.stat().st_size > len(b"before"):
            raise OSError(28, "No space left on device")
        replace(source, destination)

    monkeypatch.setattr(os, "replace", fails)
    result = tlcconvert(network, "--no-localize", "-o", out, "--json", report)
    assert_refused(result, 2, failing, "No space left on device")
    assert out.read_bytes() == b"before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.pth", "out.onnx"]


def test_a_name_is_printed_as_it_is(network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = tlcconvert(network, "--no-localize", "-o", "o[bold]:smile:\x1b[31m.onnx")
    assert result.exit_code == 0, result.output
    assert "Wrote 'o[bold]:smile:\\x1b[31m.onnx' (" in result.stdout.replace("\n", " ")
    assert "\x1b" not in result.output


@pytest.mark.parametrize(
    "option", [["--static", "100000x100000"], ["--verify-sizes", "64x64,9x9x1000000000"]]
)
def test_a_size_there_is_no_memory_for_is_refused_with_the_estimate(
    network: Path, tmp_path: Path, option: list[str]
) -> None:
    result = tlcconvert(network, "--train-size", 32, *option, "-o", tmp_path / "out.onnx")
    assert_refused(result, 2, "takes at least", "B of memory", "are left (")


def test_a_large_train_size_is_legitimate(network: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.onnx"
    result = tlcconvert(network, "--train-size", 16384, "--verify-sizes", "32x32", "-o", out)
    assert result.exit_code == 0, result.output


def test_a_report_that_cannot_be_printed_does_not_undo_the_file(
    network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise UnicodeEncodeError("ascii", "ü", 0, 1, "ordinal not in range")

    monkeypatch.setattr("tlcconvert.cli.console.print_conversion", fails)
    out = tmp_path / "out.onnx"
    result = tlcconvert(network, "--no-localize", "-o", out)
    assert result.exit_code == 0
    assert "cannot be printed" in result.stderr
    onnx.checker.check_model(onnx.load(out))


def test_help_fits_a_screen_and_says_where_the_rest_is() -> None:
    short = CliRunner().invoke(cli.app, ["--help"], env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"})
    assert short.exit_code == 0
    assert len(short.stdout.splitlines()) <= 40
    assert all(
        name in short.stdout
        for name in ("--train-size", "--target", "diagnose MODEL IMAGES...", "--help-all")
    )
    assert "--opset" not in short.stdout


def test_all_of_the_help_keeps_its_panels() -> None:
    result = tlcconvert("--help-all")
    assert result.exit_code == 0
    assert "Statistics and folding" in result.stdout
    assert "--opset" in result.stdout
