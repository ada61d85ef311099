"""Padding to a multiple, in a form whose sizes the exporter can divide.

    pad(x, (m - h % m) % m)    ->    pad(x, m * ((h + m - 1) // m) - h)

Both pad by the same. But h + (m - h % m) % m is a long sum of remainders that every later question about sizes (is it
divisible by 8? does the view fit?) has to take apart again, and m * q with q = (h + m - 1) // m is one product. A
network of windows is captured in seconds instead of many minutes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import sympy
import torch
from torch import Tensor
from torch.nn import functional

_LARGEST_MULTIPLE = 1024  # pixels


def _pad(input: Tensor, pad: Sequence[Any], *args: Any, **kwargs: Any) -> Tensor:
    amounts = list(pad)
    for position in range(0, len(amounts), 2):
        extent = input.shape[-1 - position // 2]
        before, after = amounts[position : position + 2]
        multiple = _multiple(extent, before + after)
        if multiple:
            amounts[position + 1] = multiple * ((extent + multiple - 1) // multiple) - extent - before
    return functional.pad(input, tuple(amounts), *args, **kwargs)


def _multiple(extent: Any, amount: Any) -> int:
    """m if ``amount`` pads ``extent``, for every value of its symbol, to the next multiple of m; else 0.

    Made of remainders and quotients by numbers, the padded size less its mean growth repeats with the least common
    multiple of these numbers, so two periods decide.
    """
    if not isinstance(amount, torch.SymInt) or not isinstance(extent, torch.SymInt):
        return 0
    size = extent.node.expr
    padded = size + amount.node.expr
    symbols = padded.free_symbols
    divisors = _divisors(padded)
    if len(symbols) != 1 or not divisors:
        return 0
    (symbol,) = symbols
    multiple, period = max(divisors), math.lcm(*divisors)
    if period > _LARGEST_MULTIPLE:
        return 0
    for value in range(1, 2 * period + 1):
        least = -(-int(size.subs(symbol, value)) // multiple) * multiple
        if padded.subs(symbol, value) != least:
            return 0
    return multiple


def _divisors(expression: sympy.Expr) -> set[int]:
    """What ``expression`` divides by; empty if that is not all numbers or it is made of anything but quotients."""
    divisors = set()
    for part in sympy.preorder_traversal(expression):
        if isinstance(part, (sympy.Add, sympy.Mul, sympy.Symbol, sympy.Integer)):
            continue
        if len(part.args) == 2 and part.args[1].is_Integer:
            divisors.add(int(part.args[1]))
        elif len(part.args) != 1:
            return set()
    return divisors


PADDING_TO_MULTIPLE = {functional.pad: _pad}
