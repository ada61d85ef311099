"""Whatever is wrong with standard output and error, what could be written is, and the exit code says so."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.abuse.command import LONGEST, Workplace

ARGUMENTS = ("model.pth", "--train-size", "16", "-o", "out.onnx")
FULL = pytest.mark.full


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return Workplace.at(tmp_path)


def closing(*descriptors: int) -> list[str]:
    redirections = " ".join(f"{descriptor}>&-" for descriptor in descriptors)
    return ["sh", "-c", f'exec {redirections}; exec "$0" "$@"']


@pytest.mark.parametrize(
    "arguments",
    [pytest.param(ARGUMENTS, marks=FULL), ("model.pth", "-o", "out.onnx", "--no-such-option")],
)
@pytest.mark.parametrize("closed", [(0, 1, 2), (1,), (2,), (0, 1), (1, 2)])
def test_closed_streams_change_nothing(
    place: Workplace, arguments: tuple[str, ...], closed: tuple[int, ...]
) -> None:
    process = place.start(*arguments, prefix=closing(*closed))
    process.communicate(timeout=LONGEST)
    fails = "--no-such-option" in arguments
    assert process.returncode == (2 if fails else 0)
    assert place.left() == (set() if fails else {"out.onnx"})
    if not fails:
        # A descriptor that was closed is not the output's, or what is printed would be in it.
        assert b"Wrote" not in (place.folder / "out.onnx").read_bytes()


@FULL
@pytest.mark.parametrize("stream", ["stdout", "stderr", "both"])
def test_a_full_disk_behind_the_streams_changes_nothing(place: Workplace, stream: str) -> None:
    with Path("/dev/full").open("wb") as full:
        streams = ("stdout", "stderr") if stream == "both" else (stream,)
        assert place.run(*ARGUMENTS, **dict.fromkeys(streams, full))[0] == 0
    assert place.left() == {"out.onnx"}


@FULL
@pytest.mark.parametrize("arguments", [ARGUMENTS, ("--help",), ("missing.pth", "--dry-run")])
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_reader_that_has_gone_changes_nothing(
    place: Workplace, arguments: tuple[str, ...], stream: str
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    code, *_ = place.run(*arguments, **{stream: writing})
    os.close(writing)
    assert code == (2 if "missing.pth" in arguments else 0)
    assert place.left() == ({"out.onnx"} if "out.onnx" in arguments else set())


@FULL
@pytest.mark.parametrize("columns", ["1", "80", "0"])
@pytest.mark.parametrize(
    "locale", [{"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}, {"LC_ALL": "POSIX", "PYTHONUTF8": "0"}]
)
def test_a_locale_without_the_characters_changes_nothing(
    tmp_path: Path, locale: dict[str, str], columns: str
) -> None:
    place = Workplace.at(tmp_path, environment={**locale, "COLUMNS": columns})
    out = os.fsdecode("ü√".encode() + b"\xff.onnx")
    code, printed, errors = place.run("model.pth", "--train-size", "16", "-o", out)
    assert code == 0, errors
    assert place.left() == {out}
    assert "Wrote" in printed or columns == "1"
    assert (printed + errors).isascii()


@FULL
def test_the_first_line_is_enough_for_head(place: Workplace) -> None:
    process = place.start(*ARGUMENTS)
    assert process.stdout is not None
    head = subprocess.run(["head", "-1"], stdin=process.stdout, capture_output=True, check=True)
    process.stdout.close()
    process.wait(LONGEST)
    assert process.returncode == 0
    assert head.stdout.count(b"\n") == 1
    assert place.left() == {"out.onnx"}
