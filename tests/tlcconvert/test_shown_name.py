"""Names of strangers: printable, on one line, and of bounded length, whatever they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlcconvert.shown_name import MOST_CHARACTERS, shown, shown_text


@given(st.text(st.characters(codec=None), max_size=700))
def test_any_text_is_one_bounded_line_without_control_characters(text: str) -> None:
    for said in (shown(text), shown_text(text), shown(Path(text.replace("\0", "")))):
        assert said.isprintable()
        assert len(said) <= MOST_CHARACTERS


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("body.0.weight", "'body.0.weight'"),
        ("\x1b[31mred\n", r"'\x1b[31mred\n'"),
        ("left\u202eright", r"'left\u202eright'"),
        ("\udcff", r"'\udcff'"),
        (b"\x00a", r"b'\x00a'"),
        (3, "3"),
        (Path("folder/my model.pth"), "folder/my model.pth"),
        (Path("folder/\x1b[2J.pth"), r"'folder/\x1b[2J.pth'"),
    ],
)
def test_a_name_is_its_repr_and_a_plain_path_itself(name: Any, said: str) -> None:
    assert shown(name) == said


def test_what_cannot_be_written_out_is_shown_by_its_type_or_cut() -> None:
    nested: Any = ()
    for _ in range(5000):
        nested = (nested,)
    for name in (10**6000, nested, {"x" * 400: ["y" * 400] * 9}, "z" * 10**7):
        assert 0 < len(shown(name)) <= MOST_CHARACTERS


def test_an_error_is_shown_on_one_line_without_quotes() -> None:
    assert shown_text(ValueError("first\n  second\x07")) == r"first second\x07"
    assert shown_text("é" * 400).endswith("é…")
