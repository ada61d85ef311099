"""Shape arithmetic is exact, on numbers and on symbols, as floating point of any precision is not."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor, trunc

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tlcconvert.onnx_input.values.node import Node
from tlcconvert.onnx_input.values.quotient import NotExact, Quotient, quotient_of
from tlcconvert.onnx_input.values.size_operators import Unknown, on_sizes
from tlcconvert.onnx_input.values.sizes import Sizes, sizes, sizes_of, tensor_of

whole = st.integers(-10_000, 10_000)
positive = st.integers(1, 10_000)


def as_fraction(quotient: Quotient) -> Fraction:
    assert isinstance(quotient.numerator, int)
    assert isinstance(quotient.denominator, int)
    return Fraction(quotient.numerator, quotient.denominator)


@given(whole, positive, whole, positive)
def test_quotients_are_added_and_multiplied_as_fractions_are(a: int, b: int, c: int, d: int) -> None:
    one, other = Quotient(a, b), Quotient(c, d)
    x, y = Fraction(a, b), Fraction(c, d)
    assert as_fraction(one + other) == x + y
    assert as_fraction(one - other) == x - y
    assert as_fraction(one * other) == x * y
    if c:
        assert as_fraction(one / other) == x / y
    assert (one < other) == (x < y)
    assert one.equals(other) == (x == y)


@given(whole, positive)
def test_quotients_are_rounded_as_fractions_are(a: int, b: int) -> None:
    quotient, exact = Quotient(a, b), Fraction(a, b)
    found = (quotient.floor, quotient.ceiling, quotient.truncated, quotient.rounded)
    assert found == (floor(exact), ceil(exact), trunc(exact), round(exact))


@given(st.integers(1, 4000), st.integers(1, 4000))
def test_a_rounded_fraction_is_recovered(a: int, b: int) -> None:
    assert as_fraction(quotient_of(float(np.float32(a / b)))) == Fraction(a, b) or a > 100 * b


def test_infinity_is_no_size() -> None:
    with pytest.raises(NotExact):
        quotient_of(float("inf"))


@pytest.mark.parametrize(
    "kind", ["Add", "Sub", "Mul", "Div", "Mod", "Max", "Min", "Equal", "Less", "LessOrEqual"]
)
def test_whole_numbers_are_computed_with_as_the_operator_says(kind: str) -> None:
    from tlcconvert.onnx_input.operators import OPERATORS

    a = torch.tensor([7, -7, 7, -7, 0, 5])
    b = torch.tensor([2, 2, -2, -2, 3, 5])
    node = Node(kind, "node", ("a", "b"), ("c",))
    result = on_sizes(node, [sizes_of(a), sizes_of(b)])
    assert isinstance(result, Sizes)
    torch.testing.assert_close(tensor_of(result), OPERATORS[kind].function(node, a, b))


def test_negative_steps_reach_the_first_size() -> None:
    node = Node("Slice", "node", ("a", "s", "e", "x", "t"), ("b",))
    far = -(2**31)
    result = on_sizes(node, [sizes([1, 2, 3]), sizes([-1]), sizes([far]), sizes([0]), sizes([-1])])
    assert isinstance(result, Sizes)
    assert result.items == [3, 2, 1]


def test_what_has_no_exact_form_is_left_to_tensors() -> None:
    with pytest.raises(Unknown):
        on_sizes(Node("Sqrt", "node", ("a",), ("b",)), [Sizes(np.array([2.0], dtype=object), torch.float32)])
