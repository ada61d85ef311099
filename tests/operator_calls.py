"""What every ``tlc::`` operator is called with on a map, derived from the names of its arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import torch
from torch import Tensor

from passes.statistics import Operator
from passes.torch_internals.names import schema_of

tlc = torch.ops.tlc


def name_of(operator: Operator) -> str:
    return schema_of(operator.overload).name.removeprefix("tlc::")


def names_of(operator: Operator) -> list[str]:
    """Its arguments, those that have a default left out."""
    return [given.name for given in schema_of(operator.overload).arguments if not given.has_default_value()]


def arguments_of(
    operator: Operator,
    x: Tensor,
    window: tuple[int, int],
    *,
    groups: int = 2,
    ratio: int = 2,
    logits: int = 1,
) -> tuple[Any, ...]:
    """Arguments made of x [N, C, H, W], with C a multiple of 2 and of ``groups``.

    Args:
        logits: channels of what weighs the pixels.
    """
    names = names_of(operator)
    height, width = window if "x" in names else x.shape[2:]
    given: dict[str, Callable[[], Any]] = {
        "x": lambda: x,
        "logits": lambda: 30 * x[:, -logits:].sin(),
        "interior": lambda: tlc.local_mean(x, *window),
        "grid": lambda: tlc.grid_mean(x, *window, ratio),
        "query": lambda: x,
        "key": lambda: x.flip(1),
        "value": lambda: x.cos(),
        "temperature": lambda: None,
        "heads": lambda: 2,
        "window_height": lambda: window[0],
        "window_width": lambda: window[1],
        "height": lambda: height,
        "width": lambda: width,
        "groups": lambda: groups,
        "eps": lambda: 1e-5,
        "ratio": lambda: ratio,
    }
    return tuple(given[name]() for name in names)


def options_of(operator: Operator, **choices: tuple[int, ...]) -> Iterator[dict[str, int]]:
    """Every combination of those of ``choices`` that the operator takes."""
    taken = {name: values for name, values in choices.items() if name in names_of(operator)}
    for values in product(*taken.values()):
        yield dict(zip(taken, values, strict=True))
