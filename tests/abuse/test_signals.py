"""Killed, told to stop or interrupted at any moment: the output is whole, and nothing else is left."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import pytest

from tests.abuse.command import EXTERNAL, LONGEST, Workplace, wait_until_ready_for_signals

ARGUMENTS = ("model.pth", "--train-size", "16", "-o", "out.onnx", "--json", "report.json", "--quiet")
ALL = 50
SAID = {
    signal.SIGINT: "Interrupted; nothing was written.\n",
    signal.SIGTERM: "Stopped by SIGTERM; nothing was written.\n",
}


@pytest.fixture(
    scope="module", params=[pytest.param("one file", marks=pytest.mark.full), "weights beside it"]
)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    folder = tmp_path_factory.mktemp("signals")
    return Workplace.at(folder) if request.param == "one file" else Workplace.at(folder, EXTERNAL)


@pytest.fixture(scope="module")
def seconds(place: Workplace) -> float:
    """How long a conversion takes; its output is there for the next ones to replace."""
    start = time.monotonic()
    assert place.run(*ARGUMENTS)[0] == 0
    assert not list(place.temporary.iterdir())
    return time.monotonic() - start


def assert_survives(place: Workplace, number: int, delay: float) -> None:
    """The signal comes ``delay`` seconds after the process is ready for signals."""
    before, left_by_a_kill = place.contents(), set(place.temporary.iterdir())
    process = place.start(*ARGUMENTS)
    wait_until_ready_for_signals(process)
    time.sleep(delay)
    process.send_signal(number)
    out, error = process.communicate(timeout=60)
    after = place.contents()
    what = f"{signal.Signals(number).name} after {delay:.3f} s: {process.returncode} {out!r} {error!r}"
    after.pop("report.json"), before.pop("report.json")  # it says how long the stages took
    assert after == before, what
    if number == signal.SIGKILL:
        for path in place.temporary.iterdir():  # of weights beside the model, removed by the next run
            assert path.name.startswith("tlcconvert-"), what
        assert process.returncode in (-signal.SIGKILL, 0), what
        return
    assert set(place.temporary.iterdir()) <= left_by_a_kill, what
    assert process.returncode in (128 + number, 0), what
    assert error.decode() == (SAID[signal.Signals(number)] if process.returncode else ""), what


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_anything_is_imported_ends_in_one_sentence(tmp_path: Path, number: int) -> None:
    place = Workplace.at(tmp_path)
    process = place.start(*ARGUMENTS)
    wait_until_ready_for_signals(process)
    process.send_signal(number)
    _, error = process.communicate(timeout=LONGEST)
    assert process.returncode == 128 + number, error
    assert error.decode().endswith("; nothing was written.\n")
    assert error.count(b"\n") == 1
    assert place.left() == set()


@pytest.mark.parametrize(
    "number",
    [
        *(pytest.param(number, marks=pytest.mark.full) for number in (signal.SIGINT, signal.SIGTERM)),
        signal.SIGKILL,
    ],
    ids=lambda number: number.name,
)
def test_a_signal_in_the_middle_changes_nothing(place: Workplace, seconds: float, number: int) -> None:
    assert_survives(place, number, seconds * 0.7)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(ALL))
def test_a_signal_at_any_moment_changes_nothing(place: Workplace, seconds: float, seed: int) -> None:
    choose = random.Random(seed)
    number = choose.choice([signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
    assert_survives(place, number, choose.uniform(0, seconds))
