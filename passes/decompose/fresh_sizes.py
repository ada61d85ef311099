"""Fresh symbols for the sizes of a program's inputs, with an example larger than the windows.

A size's example decides how fake tensors settle what algebra leaves open, such as whether an interior is one
pixel long and so broadcasts. The example a network was captured with fits its windows; a compiler that reads
the program would settle such questions by it, for all sizes.
"""

from __future__ import annotations

from typing import Any

import sympy
import torch
from torch import Tensor
from torch.export import ExportedProgram

from passes.program import state, user_inputs
from passes.sizes import Size, expression, image_size
from passes.torch_internals.names import (
    DimDynamic,
    FakeTensorMode,
    ShapeEnv,
    StatelessSymbolicContext,
    optimization_hint,
)
from passes.torch_internals.sympy_functions import ValueRanges, int_oo

_BATCH = 2


class FreshSizes:
    """New symbols in place of those of ``program``'s inputs; each stands for any size from 1 on.

    Args:
        example: height and width of the example image, in pixels.
    """

    def __init__(self, program: ExportedProgram, example: tuple[int, int]) -> None:
        # A ShapeEnv that specialises 0 and 1 takes symbols to start at 2, and max(H, 2) to be H.
        self.environment = ShapeEnv(specialize_zero_one=False)
        self.mode = FakeTensorMode(shape_env=self.environment)
        # Comparing the symbolic sizes of two calls takes longer than making the call.
        self.mode.cache_enabled = False
        self._program = program
        self._examples = _examples(program, example)
        context: StatelessSymbolicContext[Any, Any] = StatelessSymbolicContext(
            dynamic_sizes=[DimDynamic.DYNAMIC] * len(self._examples)
        )
        fresh = self.mode.from_tensor(
            torch.empty(tuple(self._examples.values()), device="meta"), symbolic_context=context
        )
        self._symbols = {old: expression(new) for old, new in zip(self._examples, fresh.shape, strict=True)}
        for symbol in self._symbols.values():
            self.environment.constrain_symbol_range(symbol, compiler_min=1, compiler_max=int_oo)

    @property
    def ranges(self) -> dict[sympy.Symbol, Any]:
        """What each new symbol may be."""
        return {symbol: ValueRanges(1, int_oo) for symbol in self._symbols.values()}

    def placeholders(self) -> dict[str, Tensor]:
        """The fake value of every placeholder of the program, by its name."""
        values: dict[str, Tensor] = {
            name: self.mode.from_tensor(tensor, static_shapes=True)
            for name, tensor in state(self._program).items()
        }
        with self.mode:
            for node in user_inputs(self._program):
                old = node.meta["val"]
                values[node.name] = torch.empty(
                    [self._fresh(size) for size in old.shape], dtype=old.dtype, device=old.device
                )
        return values

    def _fresh(self, size: Size) -> Size:
        if isinstance(size, int):
            return size
        old = expression(size)
        return self.environment.create_symintnode(old.subs(self._symbols), hint=int(old.subs(self._examples)))


def _examples(program: ExportedProgram, image_example: tuple[int, int]) -> dict[sympy.Symbol, int]:
    """The example of every symbol of the program's inputs."""
    image = image_size(program)
    known = dict.fromkeys(image.batch, _BATCH)
    for axis, pixels in zip((image.height, image.width), image_example, strict=True):
        known |= {symbol: -(-pixels // image.multiple(axis)) for symbol in axis.free_symbols}
    for node in user_inputs(program):
        for size in node.meta["val"].shape:
            for symbol in expression(size).free_symbols - known.keys():
                known[symbol] = int(optimization_hint(size))
    return known
