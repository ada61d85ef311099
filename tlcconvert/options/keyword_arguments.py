"""Makes the fields of a dataclass the keyword arguments of a function, for people and for type checkers."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from tlcconvert.options.option import documented

P = ParamSpec("P")
O = TypeVar("O")  # noqa: E741
N = TypeVar("N")
R = TypeVar("R")
N_contra = TypeVar("N_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)


class OfNetwork(Protocol[N_contra, P, R_co]):
    """A function of a network and of what ``P`` takes."""

    def __call__(self, network: N_contra, *args: P.args, **kwargs: P.kwargs) -> R_co: ...


def taking(options: Callable[P, O]) -> Callable[[Callable[[N, O], R]], OfNetwork[N, P, R]]:
    """A decorator of functions of a network and ``options``, a dataclass that is :func:`explained
    <tlcconvert.options.option.explained>`: they take its fields one by one.

    Type checkers see what the constructor of ``options`` takes. ``inspect.signature`` and ``help`` show the same
    arguments; what each means goes to the end of ``Args:`` in the docstring.
    """

    group = cast("type", options)

    def decorate(function: Callable[[N, O], R]) -> OfNetwork[N, P, R]:
        @functools.wraps(function)
        def taken_one_by_one(network: N, *args: P.args, **kwargs: P.kwargs) -> R:
            return function(network, options(*args, **kwargs))

        signature = _signature(function, group)
        taken_one_by_one.__doc__ = documented(function.__doc__, group)
        taken_one_by_one.__annotations__ = {
            **{name: parameter.annotation for name, parameter in signature.parameters.items()},
            "return": signature.return_annotation,
        }
        vars(taken_one_by_one)["__signature__"] = signature
        return taken_one_by_one

    return decorate


def _signature(function: Callable[..., Any], group: type) -> inspect.Signature:
    own = inspect.signature(function, eval_str=True)
    network, _ = own.parameters.values()
    return own.replace(parameters=[network, *inspect.signature(group).parameters.values()])
