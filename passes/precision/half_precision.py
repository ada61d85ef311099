"""A program in half precision, its statistics in float32.

    Given    x ──► conv ──► relu ──► norm ──► conv ──► y                                              all float32
    Result   x ──► conv ──► relu ──► norm ──► to float16 ──► conv ──► to float32 ──► y
                   └─ float32, with weights in float16 ─┘     └─ float16

No number changes but by rounding. What stays in float32 says :mod:`passes.precision.protected`. Weights of products
are stored in float16, also of those computed in float32, which read them through a cast: their rounding makes another
network, but is the same for all pixels. A value that is read in the other type is cast once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import fx
from torch.export import ExportedProgram

from passes.emitter import place_of
from passes.precision.half_operators import PRODUCTS
from passes.precision.protected import Protection, is_real, is_row_of_ones
from passes.program import add_parameter, fake_mode, refresh, state, tensors_in, user_inputs
from passes.result import PassResult, Rewrite

_HALF, _FULL = torch.float16, torch.float32


def half_precision(program: ExportedProgram, *, is_half_outside: bool = False) -> PassResult:
    """Lets ``program`` compute in float16, in place.

    Args:
        is_half_outside: whether inputs and outputs are float16 too.
    """
    inputs = set(user_inputs(program))
    operations = [node for node in program.graph.nodes if node.op == "call_function" and is_real(node)]
    protected = Protection.of(program).nodes(operations, inputs, is_inside_float32=not is_half_outside)
    halved = {node for node in operations if node not in protected}
    if is_half_outside:
        halved |= {node for node in inputs if is_real(node)}
    casts = _Casts.of(program, operations)
    readers = [node for node in program.graph.nodes if node.op in ("call_function", "output")]
    mode = fake_mode(program)
    with mode:
        for node in halved:
            node.meta["val"] = _in_half(node.meta["val"])
    for reader in readers:
        if _takes_any(reader):
            continue
        is_half = is_half_outside if reader.op == "output" else reader in halved
        for source in reader.all_input_nodes:
            if tensors_in(source) and all(t.dtype in (_HALF, _FULL) for t in tensors_in(source)):
                reader.replace_input_with(source, casts.value(source, _HALF if is_half else _FULL, reader))
    refresh(program)
    after = f"float16, {len(protected)} of {len(operations)} operations in float32"
    return PassResult((Rewrite("precision", "<root>", "float32", after),))


def _in_half(value: object) -> object:
    if isinstance(value, (tuple, list)):
        return type(value)(_in_half(each) for each in value)
    return value.to(_HALF) if isinstance(value, torch.Tensor) else value


def _takes_any(reader: fx.Node) -> bool:
    """Whether it reads a shape or an element of a tuple, and so a value as it is."""
    return reader.op == "call_function" and (
        reader.target is torch.ops.aten.sym_size.int or not hasattr(reader.target, "overloadpacket")
    )


@dataclass
class _Casts:
    """Every value in the other type, made when it is first asked for.

    Attributes:
        tensors: parameters and constants by the name of their placeholder.
        stored: those that are stored in float16 whoever reads them.
    """

    program: ExportedProgram
    tensors: dict[str, torch.Tensor]
    stored: set[fx.Node]
    made: dict[tuple[fx.Node, torch.dtype], fx.Node] = field(default_factory=dict)

    @classmethod
    def of(cls, program: ExportedProgram, operations: list[fx.Node]) -> _Casts:
        tensors = state(program)
        read = {source for node in operations if node.target in PRODUCTS for source in node.all_input_nodes}
        stored = {
            source
            for source in read
            if source.name in tensors and is_real(source) and _is_weight(tensors[source.name])
        }
        return cls(program, tensors, stored)

    def value(self, source: fx.Node, dtype: torch.dtype, reader: fx.Node) -> fx.Node:
        """``source`` as ``dtype``, for ``reader`` and whoever asks after it."""
        if source not in self.stored and tensors_in(source)[0].dtype == dtype:
            return source
        key = (source, dtype)
        if key not in self.made:
            self.made[key] = self._made(source, dtype, reader)
        return self.made[key]

    def _made(self, source: fx.Node, dtype: torch.dtype, reader: fx.Node) -> fx.Node:
        tensor = self.tensors.get(source.name) if source.op == "placeholder" else None
        if tensor is not None and dtype == _HALF:
            return add_parameter(self.program, f"{source.name.removeprefix('p_')}_half", tensor.to(_HALF))
        if source in self.stored:
            source = self.value(source, _HALF, reader)
        return self._cast(source, dtype, reader)

    def _cast(self, source: fx.Node, dtype: torch.dtype, reader: fx.Node) -> fx.Node:
        graph = self.program.graph
        is_fed = source.op == "placeholder"
        before = [node for node in graph.nodes if node.op == "placeholder"][-1] if is_fed else source
        with graph.inserting_after(before):
            node = graph.call_function(torch.ops.aten._to_copy.default, (source,), {"dtype": dtype})
        node.meta |= place_of(source) or place_of(reader)
        return node


def _is_weight(tensor: torch.Tensor) -> bool:
    """Of a sum written as a product, 1/96 must stay what it is."""
    return tensor.dim() > 1 and not is_row_of_ones(tensor)
