"""Weights that one file cannot hold: written beside the model, together or not at all. The limit is lowered here."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

import tlcconvert
from tlcconvert import Conversion, InputError, external_weights, write


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 3, 3, padding=1)).eval()


@pytest.fixture(scope="module")
def conversion() -> Conversion:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(external_weights, "_LIMIT", 1000)
        return tlcconvert.convert(network(), localize_statistics=False)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_model_and_data_are_written_together_and_run_wherever_they_are_moved(
    conversion: Conversion, tmp_path: Path
) -> None:
    (tmp_path / "first").mkdir()
    size = conversion.save(tmp_path / "first" / "out.onnx")
    moved = (tmp_path / "first").rename(tmp_path / "second")
    model, data = (moved / name for name in files(moved))
    assert (model.name, data.suffix) == ("out.onnx", ".data")
    assert size == model.stat().st_size + data.stat().st_size
    assert data.stat().st_size >= 2 * 32 * 3 * 9 * 4
    onnx.checker.check_model(str(model), full_check=True)
    image = torch.rand(2, 3, 9, 14)
    (result,) = onnxruntime.InferenceSession(model).run(None, {"input": image.numpy()})
    assert np.allclose(result, network()(image).detach(), atol=1e-6)
    tlcconvert.verify(model, network()).raise_for_mismatch()


def test_saving_again_leaves_one_data_file(conversion: Conversion, tmp_path: Path) -> None:
    stale = tmp_path / "out.onnx.0123456789abcdef.data"
    other = tmp_path / "other.onnx.0123456789abcdef.data"
    for path in (stale, other):
        path.write_bytes(b"weights")
    conversion.save(tmp_path / "out.onnx")
    conversion.save(tmp_path / "out.onnx")
    assert len(files(tmp_path)) == 3
    assert other.exists()
    assert not stale.exists()


def test_a_failure_keeps_the_model_that_was_there_with_its_data(
    conversion: Conversion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out.onnx").write_bytes(b"before")
    (tmp_path / "out.onnx.0123456789abcdef.data").write_bytes(b"weights")
    before = files(tmp_path)

    def no_space(content: bytes, path: Path) -> int:
        raise InputError("Cannot write: No space left on device.")

    monkeypatch.setattr(write, "write_bytes", no_space)
    with pytest.raises(InputError):
        conversion.save(tmp_path / "out.onnx")
    assert files(tmp_path) == before
    assert (tmp_path / "out.onnx").read_bytes() == b"before"


def test_the_folder_goes_with_the_conversion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external_weights, "_LIMIT", 1000)
    conversion = tlcconvert.convert(network(), localize_statistics=False)
    assert conversion.weights is not None
    folder = conversion.weights.folder
    assert folder.is_dir()
    del conversion
    assert not folder.exists()


def test_the_folded_weights_are_in_the_folder_and_the_module_outlives_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    wide = nn.Conv2d(3, 128, 1), nn.ReLU(), nn.Conv2d(128, 256, 1), nn.BatchNorm2d(256)
    folding = nn.Sequential(*wide, nn.ReLU(), nn.Conv2d(256, 3, 1)).eval()
    monkeypatch.setattr(external_weights, "_LIMIT", 1000)
    conversion = tlcconvert.convert(folding, localize_statistics=False)
    assert conversion.weights is not None
    moved = list(conversion.weights.folder.glob("program*.data"))
    assert [path.stat().st_size for path in moved] == [128 * 256 * 4]
    module, image = conversion.module, torch.rand(1, 3, 9, 14)
    del conversion
    assert not moved[0].exists()
    assert torch.allclose(module(image), folding(image), atol=1e-6)


@pytest.mark.parametrize("step", ["tlcconvert.mapped_weights.MappedWeights.move", "onnx_ir.save"])
def test_a_temporary_folder_without_room_is_named_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def no_space(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(external_weights, "_LIMIT", 1000)
    monkeypatch.setattr(step, no_space)
    with pytest.raises(
        InputError, match=r"Cannot keep the weights in .*: No space left on device. Set TMPDIR"
    ):
        tlcconvert.convert(network(), localize_statistics=False)
