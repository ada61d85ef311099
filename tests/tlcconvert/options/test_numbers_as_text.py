"""Numbers as they are typed."""

from __future__ import annotations

import pytest

from tlcconvert.errors import InputError
from tlcconvert.options.numbers_as_text import decimal_number, positive_number, whole_number

NEITHER = ["", "x", "\uff11", "1_0", " 1", "1\n", "+1", "0x10", "1" * 19, "1" * 5000, "--1", "\u0663"]


@pytest.mark.parametrize(
    ("text", "number"), [("0", 0), ("-12", -12), ("018", 18), ("9" * 18, 10**18 - 1), (18, 18)]
)
def test_whole_numbers(text: object, number: int) -> None:
    assert whole_number(text) == number


@pytest.mark.parametrize(
    ("text", "number"), [("1.5", 1.5), ("2", 2), (".5", 0.5), ("1.", 1), ("-1e-3", -0.001), (1.5, 1.5)]
)
def test_decimal_numbers(text: object, number: float) -> None:
    assert decimal_number(text) == number


@pytest.mark.parametrize("text", [*NEITHER, "1.0", "1e3"])
def test_what_is_no_whole_number(text: str) -> None:
    with pytest.raises(InputError) as caught:
        whole_number(text)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("text", [*NEITHER, "nan", "inf", "1e9999", "1.\uff15", ".", "1e"])
def test_what_is_no_decimal_number(text: str) -> None:
    with pytest.raises(InputError):
        decimal_number(text)


@pytest.mark.parametrize("text", ["0", "-1"])
def test_what_is_not_positive(text: str) -> None:
    with pytest.raises(InputError, match="at least 1"):
        positive_number(text)
