"""Weights that one file cannot hold: written beside the model, together or not at all. The limit is lowered here."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

import tlcconvert
from tlcconvert import Conversion, InputError
from tlcconvert.lower import external_weights
from tlcconvert.output import write


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 3, 3, padding=1)).eval()


@pytest.fixture(scope="module")
def conversion() -> Conversion:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(external_weights, "_LIMIT", 1000)
        return tlcconvert.convert(network(), localize_statistics=False)


@pytest.fixture(scope="module")
def other() -> Conversion:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(external_weights, "_LIMIT", 1000)
        return tlcconvert.convert(network(1), localize_statistics=False)


def assert_is(path: Path, seed: int) -> None:
    """The file at ``path`` loads and computes what the network of that seed does."""
    onnx.checker.check_model(str(path), full_check=True)
    image = torch.rand(1, 3, 9, 14)
    (result,) = onnxruntime.InferenceSession(path).run(None, {"input": image.numpy()})
    assert np.allclose(result, network(seed)(image).detach(), atol=1e-6)


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


def test_the_data_of_the_model_that_is_replaced_goes_with_it_and_no_other(
    conversion: Conversion, other: Conversion, tmp_path: Path
) -> None:
    strangers = [tmp_path / f"{name}.onnx.0123456789abcdef.data" for name in ("out", "other")]
    for path in strangers:
        path.write_bytes(b"weights")
    conversion.save(tmp_path / "out.onnx")
    first = set(files(tmp_path))
    other.save(tmp_path / "out.onnx")
    second = set(files(tmp_path))
    assert len(first) == len(second) == 4
    assert len(first & second) == 3
    assert all(path.exists() for path in strangers)
    assert_is(tmp_path / "out.onnx", 1)


def test_a_model_that_names_data_of_another_name_does_not_take_it_along(
    conversion: Conversion, tmp_path: Path
) -> None:
    conversion.save(tmp_path / "first.onnx")
    (tmp_path / "first.onnx").rename(tmp_path / "out.onnx")
    (data,) = tmp_path.glob("*.data")
    conversion.save(tmp_path / "out.onnx")
    assert data.exists()


@pytest.mark.parametrize("place", ["model", "data"])
def test_a_failure_keeps_the_model_that_was_there_with_its_data(
    conversion: Conversion,
    other: Conversion,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    conversion.save(tmp_path / "out.onnx")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    replace = os.replace

    def full(source: Path, destination: Path) -> None:
        if (destination.suffix == ".data") == (place == "data"):
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, destination)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(InputError, match="No space left on device"):
            other.save(tmp_path / "out.onnx")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("has_locks", [True, False])
def test_a_model_published_while_another_waits_for_its_turn_leaves_a_pair_that_loads(
    conversion: Conversion,
    other: Conversion,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    has_locks: bool,
) -> None:
    """The first has all its data on the disk, then the second comes and goes, then the first is published."""
    out, locked = tmp_path / "out.onnx", write.locked
    waiting = [lambda: other.save(out)]

    @contextlib.contextmanager
    def last_in_line(folder: Path) -> Iterator[None]:
        if waiting:
            waiting.pop()()
        with locked(folder) if has_locks else contextlib.nullcontext():
            yield

    monkeypatch.setattr(write, "locked", last_in_line)
    conversion.save(out)
    assert_is(out, 0)
    assert len(files(tmp_path)) == 2


def test_a_writer_waits_while_another_clears_up(
    conversion: Conversion, other: Conversion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the three contents, the first writer removes the data which the second is about to publish again."""
    out, locked = tmp_path / "out.onnx", write.locked
    conversion.save(out)
    has_come = threading.Event()

    @contextlib.contextmanager
    def announced(folder: Path) -> Iterator[None]:
        if threading.current_thread() is second:
            has_come.set()
        with locked(folder):
            yield

    def let_the_second_come() -> None:
        second.start()
        assert has_come.wait(30)

    second = threading.Thread(target=conversion.save, args=(out,))
    monkeypatch.setattr(write, "locked", announced)
    write.write_together(other.files(out), written=let_the_second_come)
    second.join()
    assert_is(out, 0)
    assert len(files(tmp_path)) == 2


@pytest.mark.parametrize("name", [b"n" * 250 + b".onnx", "ü".encode() * 125 + b".onnx", b"\xff\xfe.onnx"])
def test_any_name_a_file_can_have_gets_data_beside_it(
    conversion: Conversion, tmp_path: Path, name: bytes
) -> None:
    out = tmp_path / os.fsdecode(name)
    for _ in range(2):
        conversion.save(out)
    assert len(files(tmp_path)) == 2
    assert all(len(os.fsencode(path.name)) <= 255 for path in tmp_path.iterdir())
    model = onnx.load(out.open("rb"), load_external_data=False)
    (data,) = {entry.value for tensor in model.graph.initializer for entry in tensor.external_data[:1]}
    assert (tmp_path / data).is_file()


def test_a_folder_that_has_the_name_of_the_data_is_kept_and_named(
    conversion: Conversion, tmp_path: Path
) -> None:
    conversion.save(tmp_path / "out.onnx")
    (data,) = tmp_path.glob("*.data")
    data.unlink()
    data.mkdir()
    (tmp_path / "out.onnx").write_bytes(b"before")
    with pytest.raises(InputError, match="is a directory"):
        conversion.save(tmp_path / "out.onnx")
    assert (tmp_path / "out.onnx").read_bytes() == b"before"
    assert len(files(tmp_path)) == 2


def test_through_a_link_model_and_data_are_beside_each_other_where_it_points_to(
    conversion: Conversion, tmp_path: Path
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link.onnx").symlink_to(tmp_path / "real" / "out.onnx")
    conversion.save(tmp_path / "link.onnx")
    assert (tmp_path / "link.onnx").is_symlink()
    assert len(files(tmp_path / "real")) == 2
    assert_is(tmp_path / "real" / "out.onnx", 0)


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


@pytest.mark.parametrize("step", ["tlcconvert.lower.mapped_weights.MappedWeights.move", "onnx_ir.save"])
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
