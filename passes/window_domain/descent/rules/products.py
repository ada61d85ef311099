"""Products: an axis of the result counts what it counts in the operand it comes from; contracted axes are gone.

    [.., n, k] @ [.., k, m]    ->   [.., n, m]
    attention(q, k, v)         ->   the places of the queries

So a value computed from all pixels of a window, or of the image, is at the place of the pixel that asked.
"""

from __future__ import annotations

from passes.window_domain.descent.digits import Axes, Digits
from passes.window_domain.descent.operation import NoRule, Operation, Rule


def matmul(operation: Operation) -> Axes:
    left, right = (operation.axes(operand) for operand in operation.node.args[:2])
    return _product(operation, left, right)


def _product(operation: Operation, left: Axes, right: Axes) -> Axes:
    rows = left[-2:-1]
    columns = right[-1:] if len(right) > 1 else ()
    shape = operation.shape
    batch = shape[: len(shape) - len(rows) - len(columns)]
    return (*operation.combined([left[:-2], right[:-2]], batch), *rows, *columns)


def add_matmul(operation: Operation) -> Axes:
    left, right = (operation.axes(operand) for operand in operation.node.args[1:3])
    return operation.combined([_product(operation, left, right)])


def linear(operation: Operation) -> Axes:
    return (*operation.axes(operation.node.args[0])[:-1], operation.plain(operation.shape[-1]))


def attention(operation: Operation) -> Axes:
    query, key, value = (operation.axes(operand) for operand in operation.node.args[:3])
    batch = operation.combined([query[:-2], key[:-2], value[:-2]], operation.shape[:-2])
    return (*batch, query[-2], value[-1])


def einsum(operation: Operation) -> Axes:
    equation, operands = operation.node.args[:2]
    terms, arrow, result = str(equation).replace(" ", "").partition("->")
    if "." in terms:
        raise NoRule
    if not arrow:
        result = "".join(sorted(label for label in set(terms) - {","} if terms.count(label) == 1))
    labelled: dict[str, list[Digits]] = {}
    assert isinstance(operands, (list, tuple))
    for term, operand in zip(terms.split(","), operands, strict=True):
        for label, digits in zip(term, operation.axes(operand), strict=True):
            labelled.setdefault(label, []).append(digits)
    return tuple(
        operation.combined([(digits,) for digits in labelled[label]], [size])[0]
        for label, size in zip(result, operation.shape, strict=True)
    )


RULES: dict[str, Rule] = {
    **dict.fromkeys(("matmul", "bmm", "mm", "mv", "dot"), matmul),
    **dict.fromkeys(("addmm", "baddbmm"), add_matmul),
    "linear": linear,
    "scaled_dot_product_attention": attention,
    "einsum": einsum,
}
