"""Several conversions: to one name at once, and the same one in many circumstances."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from tests.abuse.command import EXTERNAL, LONGEST, Workplace

ALL = 20


def assert_loads(path: Path) -> None:
    onnx.checker.check_model(str(path), full_check=True)
    (image,) = onnxruntime.InferenceSession(path).run(None, {"input": np.zeros((1, 3, 9, 7), np.float32)})
    assert image.shape == (1, 3, 18, 14)


@pytest.mark.full
@pytest.mark.parametrize("code", [Workplace.code, EXTERNAL], ids=["one file", "two files"])
def test_two_writers_of_one_name_leave_one_model_that_loads(tmp_path: Path, code: str) -> None:
    place = Workplace.at(tmp_path, code)
    processes = [
        place.start("model.pth", "--train-size", size, "-o", "out.onnx", "--quiet") for size in ("16", "20")
    ]
    for process in processes:
        _, errors = process.communicate(timeout=LONGEST)
        assert (process.returncode, errors) == (0, b"")
    assert_loads(place.folder / "out.onnx")
    assert len(place.left()) == (1 if code == Workplace.code else 2)


@pytest.mark.full
def test_the_same_conversion_writes_the_same_bytes_everywhere(tmp_path: Path) -> None:
    """Whatever the seed of Python's hashes, the number of threads, the folder and what runs beside it."""
    digests = set()
    for number in range(0, ALL, 2):
        started = []
        for each in (number, number + 1):
            environment = {"PYTHONHASHSEED": str(each), "OMP_NUM_THREADS": str(1 + each % 4)}
            place = Workplace.at(tmp_path / f"{each}", environment=environment)
            started.append(
                (place, place.start("model.pth", "--train-size", "16", "-o", "out.onnx", "--quiet"))
            )
        for place, process in started:
            assert process.communicate(timeout=LONGEST) == (b"", b"")
            digests.add(hashlib.sha256((place.folder / "out.onnx").read_bytes()).hexdigest())
    assert len(digests) == 1
