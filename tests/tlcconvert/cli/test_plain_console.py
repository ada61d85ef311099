"""Text on a terminal is what it is, and nothing a terminal obeys."""

from __future__ import annotations

import pytest

from tlcconvert.cli.plain_console import plain_console, printable


def test_brackets_and_colons_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    plain_console().print("o[bold]:smile:.onnx")
    assert capsys.readouterr().out == "o[bold]:smile:.onnx\n"


def test_lines_stay_lines_and_everything_else_is_written_out() -> None:
    assert printable("a\nb\x1b[31m\r\x07\u202e") == "a\nb\\x1b[31m\\r\\x07\\u202e"
    assert printable("ü") == "ü"
    assert len(printable("x" * 10**7)) < 30_000
