"""Functions of PyTorch that do something else while a block runs, in its thread alone.

A network calls them by whatever name it imported them under, so what is replaced is the call, not the name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch.overrides import TorchFunctionMode

Rule = Callable[..., Any]
"""Called with the arguments in the place of a function; ``NotImplemented`` lets this call be."""


class ReplacedFunctions(TorchFunctionMode):
    """While active, a call of a function in ``rules`` is what its rule makes of it; every other passes unchanged.

    Inside a rule nothing is replaced.
    """

    def __init__(self, rules: Mapping[Callable[..., Any], Rule]) -> None:
        super().__init__()
        self._rules = dict(rules)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        rule = self._rules.get(func)
        result = NotImplemented if rule is None else rule(*args, **kwargs)
        return func(*args, **kwargs) if result is NotImplemented else result
