"""A trial runs every image, tells failures apart, and judges by what the localised network computes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from benchmarks.latency.subjects import Subject
from benchmarks.runtimes.files import KINDS, File, Kind
from benchmarks.runtimes.images import LEVEL, SPREAD, images_for
from benchmarks.runtimes.runtimes import FLOAT16, Environment, Program, Runtime
from benchmarks.runtimes.subjects import MULTIPLE, SUBJECTS, TRAIN_SIZE, window_of
from benchmarks.runtimes.trial import Trials
from tests.oracles.comparison import padded
from tests.oracles.eager_localiser import EagerLocaliser
from tlcconvert.verification.float64_copy import float64_copy

HERE = Environment(lambda: [sys.executable], lambda: "")
IDENTITY = Subject("identity", torch.nn.Identity, TRAIN_SIZE, (61, 45))


def nothing(subject: Subject) -> File:
    import onnx

    graph = onnx.GraphProto(name="nothing")
    return File(onnx.ModelProto(graph=graph), float64_copy(subject.network()))


NOTHING = Kind("nothing", nothing, is_stock=True)


def runtime(folder: Path, text: str, **facts: object) -> Runtime:
    """One whose program has this text; ``files`` are the images and outputs it is given."""
    program = folder / "program.py"
    program.write_text(f"import sys, numpy as np\nmodel, *files = sys.argv[1:]\n{text}\n")
    return Runtime("of the test", Program(HERE, str(program)), **facts)  # type: ignore[arg-type]


COPIES = "for a, b in zip(files[::2], files[1::2]): np.save(b, np.load(a))"


def test_every_image_is_run(tmp_path: Path) -> None:
    verdicts = Trials(tmp_path).verdicts(runtime(tmp_path, COPIES), NOTHING, IDENTITY)
    assert [own.image for own in verdicts] == [
        "below the window",
        "the window",
        "odd, batch of 2",
        "several windows",
        "low contrast",
    ]
    assert all(own.is_right and own.error == 0 for own in verdicts)


def test_a_failure_at_one_image_leaves_the_others(tmp_path: Path) -> None:
    text = COPIES + "\nif any(np.load(a).shape[0] == 2 for a in files[::2]): raise ValueError('no batches')"
    late = text.replace("for a, b in", "for a, b in [] if len(files) > 2 else")
    for program in (late, text.replace("np.save(b,", "np.load(a).shape[0] == 2 or np.save(b,")):
        verdicts = Trials(tmp_path).verdicts(runtime(tmp_path, program), NOTHING, IDENTITY)
        assert [own.is_right for own in verdicts] == [True, True, False, True, True]
        assert "no batches" in verdicts[2].failure


def test_a_file_that_does_not_load_fails_at_every_image(tmp_path: Path) -> None:
    verdicts = Trials(tmp_path).verdicts(
        runtime(tmp_path, "raise RuntimeError('Check failed at src/core/node.cpp:12: no such\\noperator')"),
        NOTHING,
        IDENTITY,
    )
    assert {own.failure for own in verdicts} == {"RuntimeError: Check no such operator"}


def test_an_error_without_words_is_told_with_its_line(tmp_path: Path) -> None:
    fails = runtime(tmp_path, "assert len(files) == 0")
    assert {own.failure for own in Trials(tmp_path).verdicts(fails, NOTHING, IDENTITY)} == {
        "AssertionError `assert len(files) == 0`"
    }


def test_a_crash_is_told(tmp_path: Path) -> None:
    crash = runtime(tmp_path, "import os; os.abort()")
    assert {own.failure for own in Trials(tmp_path).verdicts(crash, NOTHING, IDENTITY)} == {
        "ends by signal or code -6"
    }


def test_the_precision_that_a_program_prints_counts(tmp_path: Path) -> None:
    program = runtime(tmp_path, COPIES + "\nprint('computing')\nprint('f16')")
    assert {own.precision for own in Trials(tmp_path).verdicts(program, NOTHING, IDENTITY)} == {FLOAT16}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_images_are_of_low_contrast_too_and_reach_beyond_the_window(kind: Kind) -> None:
    images = images_for(IDENTITY, kind, one_at_a_time=False)
    assert any(min(image.height, image.width) > window_of(IDENTITY) for image in images)
    (low,) = (image.pixels() for image in images if image.is_low_contrast)
    flat, noise = low[..., : low.shape[3] // 2], low[..., low.shape[3] // 2 :]
    assert (flat == LEVEL).all()
    assert noise.min() >= LEVEL and noise.max() <= LEVEL + SPREAD and noise.std() > 0.02


def test_one_at_a_time_means_no_batches() -> None:
    for kind in KINDS:
        assert all(image.batch == 1 for image in images_for(IDENTITY, kind, one_at_a_time=True))


@pytest.mark.full
@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_what_files_are_compared_with_is_the_network_run_over_windows(subject: Subject) -> None:
    file = KINDS[0].make(subject)
    for image in images_for(subject, KINDS[0], one_at_a_time=True):
        pixels = padded(image.pixels(), MULTIPLE, MULTIPLE)
        localiser = EagerLocaliser(subject.network(), (subject.train_size, subject.train_size))
        expected = localiser(pixels)
        with torch.no_grad():
            computed = file.exact(pixels.double())
        assert (computed - expected).abs().max() <= 1e-9 * expected.abs().max(), image
