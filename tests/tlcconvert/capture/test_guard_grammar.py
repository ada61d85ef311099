"""A guard means what Python means by its text, without being run; what is outside the grammar is unreadable."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tlcconvert.capture.guard_grammar import GuardReader, UnreadableGuard


class _Sized:
    def __init__(self, sizes: tuple[int, ...]) -> None:
        self._sizes = sizes

    def size(self) -> tuple[int, ...]:
        return self._sizes


def by_python(text: str, shapes: list[tuple[int, ...]]) -> bool | None:
    """What Python makes of a text this test wrote; None where it raises."""
    tensors = [_Sized(shape) for shape in shapes]
    names: dict[str, Any] = {"x": tensors[0], "level": tensors[1], "flat_args": tensors}
    try:
        return bool(eval(text, {"L": names, "torch": torch, "math": math}))
    except (ArithmeticError, ValueError, TypeError):
        return None


EXTENTS = st.sampled_from(
    ["L['x'].size()[0]", "L['x'].size()[2]", "L['x'].size()[3]", "L['flat_args'][1].size()[1]"]
)
NUMBERS = st.one_of(EXTENTS, EXTENTS, st.integers(-9, 99).map(lambda number: f"({number})"), st.just("2.5"))


def _operations(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def joined(pattern: str, *more: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.tuples(parts, parts, *more).map(lambda values: pattern.format(*values))

    binary = st.sampled_from(["+", "-", "*", "//", "%", "/"])
    functions = st.sampled_from(["torch.sym_max", "torch.sym_min", "max", "min"])
    unary = st.sampled_from(["math.floor", "math.ceil", "math.trunc", "torch.sym_float", "abs", "-", "round"])
    comparison = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
    return st.one_of(
        joined("({0} {2} {1})", binary),
        joined("{2}({0}, {1})", functions),
        joined("({0} {2} {1})", comparison),
        joined("({0} {2} {1} {2} {0})", comparison),
        joined("({0} and {1} or not {0})"),
        joined("({0} if {1} else {2})", parts),
        joined("({0}) ** 2 * {1}"),
        st.tuples(unary, parts).map(lambda values: f"{values[0]}({values[1]})"),
    )


@given(
    st.recursive(NUMBERS, _operations, max_leaves=12),
    st.lists(st.tuples(*[st.integers(1, 300)] * 4), min_size=2, max_size=2),
)
@settings(max_examples=300, deadline=None)
def test_a_guard_holds_where_python_says_so(text: str, shapes: list[tuple[int, ...]]) -> None:
    try:
        condition = GuardReader(["x", "level"]).read(text)
    except UnreadableGuard:
        # Numbers that cannot be computed, such as 1 // 0, make the whole text unreadable.
        assert any(symbol in text for symbol in ("/", "%"))
        return
    assert condition.value(shapes) == by_python(text, shapes)


@pytest.mark.parametrize(
    ("text", "shape", "holds"),
    [
        ("L['x'].size()[3] >= 81", (1, 3, 40, 80), False),
        ("L['x'].size()[3] >= 81", (1, 3, 40, 81), True),
        ("L['x'].shape[-1] % 8 == 0", (1, 3, 41, 80), True),
        ("L['x'].size(2) <= 512", (1, 3, 513, 1), False),
        ("math.trunc(L['x'].size()[2] / 2) == L['x'].size()[2] // 2", (1, 3, 41, 1), True),
        ("torch._sym_sqrt(torch.sym_float(L['x'].size()[2])) < math.inf", (1, 3, 41, 1), True),
        ("(L['x'].size()[2] if L['x'].size()[0] > 1 else 7) == 7", (1, 3, 41, 1), True),
        ("L['flat_args'][0].size()[0] != 2 and L['args'][0].size()[1] == 3", (1, 3, 41, 1), True),
        ("1 % (L['x'].size()[3] - 1) == 0", (1, 3, 41, 1), False),
    ],
)
def test_what_torch_writes_is_read(text: str, shape: tuple[int, ...], holds: bool) -> None:
    assert GuardReader(["x"]).read(text).holds([shape]) is holds


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "(lambda: True)()",
        "[1 for _ in (1, 2)]",
        "L['x'].size().__class__",
        "L['x'].stride()[2] == 1",
        "L['x'].size()[L['x'].size()[0]]",
        "open('file')",
        "math.__dict__",
        "torch.load('file')",
        "min(*L)",
        "round(1.5, ndigits=0)",
        "'a' < 'b'",
        "1 << 2",
        "x",
        "",
        "1 +",
        "9**9**9**9",
        "9" * 5000,
        "(" * 500 + "1" + ")" * 500,
        "-" * 5000 + "1",
        " + ".join(["L['x'].size()[2]"] * 3000),
        "1 or " * 200_000 + "1",
    ],
)
def test_what_is_outside_the_grammar_is_unreadable_at_once(text: str) -> None:
    start = time.process_time()
    with pytest.raises(UnreadableGuard):
        GuardReader(["x"]).read(text)
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    "text",
    [
        "L['x'].size()[2] ** L['x'].size()[2] ** L['x'].size()[2] > 0",
        "9**9**L['x'].size()[2] > 0",
        " * ".join(["L['x'].size()[2] ** 99"] * 50) + " > 0",
        "0 ** -L['x'].size()[2] > 0",
        "(-L['x'].size()[2]) ** 0.5 > 0",
    ],
)
def test_a_number_without_bound_has_no_value_and_the_guard_does_not_hold(text: str) -> None:
    condition = GuardReader(["x"]).read(text)
    assert condition.value([(1, 3, 99, 99)]) is None
    assert not condition.holds([(1, 3, 99, 99)])


def test_an_input_nobody_has_is_unreadable_but_a_single_input_may_have_any_name() -> None:
    with pytest.raises(UnreadableGuard, match="names no input"):
        GuardReader(["x", "level"]).read("L['image'].size()[0] == 1")
    assert GuardReader(["x"]).read("L['image'].size()[0] == 1").holds([(1,)])
