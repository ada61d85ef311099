"""In-place and aliasing operations of an exported graph, written as the functional ones that give the same values.

Given      a = conv(x);  b = relu_(a);  c = chunk(a, 2);  d = reshape(a, s)

Result     a = conv(x);  b = relu(a);   c = split(b, n);  d = view(b, s)

An operation may be written functionally where nothing else shares its argument's memory: the argument was made by
an operation that returns memory of its own, and no view of it was taken. Every later reader of the argument then
reads the result. ``ExportedProgram.run_decompositions`` does the same for any graph by tracing it a second time,
which takes as long as the export; here no size is worked out anew.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram

from passes.arguments import ordered_arguments
from passes.emitter import Emitter, substitute
from passes.torch_internals.names import HigherOrderOperator, OpOverload, overload_name, schema_of
from tlcconvert.torch_internals.composite_operators import is_composite
from tlcconvert.torch_internals.shared_storage import share_storage

_ATEN = torch.ops.aten

_FRESH = frozenset(
    {
        _ATEN.conv1d.default,
        _ATEN.conv2d.default,
        _ATEN.conv2d.padding,
        _ATEN.conv_transpose2d.input,
        _ATEN.linear.default,
        _ATEN.matmul.default,
        _ATEN.layer_norm.default,
        _ATEN.group_norm.default,
        _ATEN.instance_norm.default,
        _ATEN.prelu.default,
        _ATEN.silu.default,
    }
)


def write_functionally(program: ExportedProgram) -> bool:
    """Rewrites ``program`` in place; False where an operation is left that has to be traced to be functional.

    A part of capture and no pass on what it yields: the answer decides whether the rewritten graph is kept at all.
    """
    # Writes come first: who shares memory with whom is told by the operations as they were captured.
    known = all(rewrite(node) for rewrite in _REWRITES for node in list(program.graph.nodes))
    program.graph.eliminate_dead_code()
    program.graph_module.recompile()
    return known


def _write(node: fx.Node) -> bool:
    target = node.target
    if not isinstance(target, OpOverload):
        is_submodule = isinstance(target, HigherOrderOperator)
        return node.op in ("placeholder", "output") or (node.op == "call_function" and not is_submodule)
    return not schema_of(target).is_mutable or _write_out_of_place(node)


def _copy_or_view(node: fx.Node) -> bool:
    target = node.target
    if not isinstance(target, OpOverload) or not is_composite(target) or not _may_alias(target):
        return True
    rule = _ALIASING.get(target)
    return rule is not None and rule(node)


def _may_alias(target: OpOverload) -> bool:
    """Whether the result may share memory with an argument, by schema or by tag."""
    if torch.Tag.maybe_aliasing_or_mutating in target.tags:
        return True
    return any(argument.alias_info is not None for argument in schema_of(target).arguments)


def _write_out_of_place(node: fx.Node) -> bool:
    changed, functional = node.args[0], _out_of_place(node.target)
    if functional is None or not isinstance(changed, fx.Node) or not _has_memory_of_its_own(changed):
        return False
    if changed.meta["val"].dtype != node.meta["val"].dtype:
        return False
    result = Emitter(node).call(functional, *node.args, **node.kwargs)
    _take_place(node, result)
    changed.replace_all_uses_with(result, lambda user: user is not result and user > result)
    return True


def _out_of_place(target: Any) -> OpOverload | None:
    """``aten.relu.default`` for ``aten.relu_.default``; None where no such operation of the same arguments is."""
    name, arguments = schema_of(target).name.removeprefix("aten::"), schema_of(target).arguments
    if not name.endswith("_") or not arguments or not arguments[0].alias_info:
        return None
    if any(argument.alias_info is not None for argument in arguments[1:]):
        return None
    packet = getattr(_ATEN, name.removesuffix("_"), None)
    found = getattr(packet, overload_name(target), None)
    if found is None or schema_of(found).is_mutable or _may_alias(found):
        return None
    same = [argument.name for argument in schema_of(found).arguments] == [
        argument.name for argument in arguments
    ]
    return found if same else None


def _has_memory_of_its_own(node: fx.Node) -> bool:
    """Whether no value but ``node`` reads or writes its memory."""
    is_new = node.op == "placeholder" or (node.op == "call_function" and _returns_new_memory(node.target))
    return is_new and all(
        not _returns_tensors(user) or _returns_new_memory(user.target) for user in node.users
    )


def _returns_tensors(node: fx.Node) -> bool:
    return not isinstance(
        node.meta.get("val"), (torch.SymInt, torch.SymFloat, torch.SymBool, int, float, bool)
    )


def _returns_new_memory(target: Any) -> bool:
    if not isinstance(target, OpOverload):
        return False
    if schema_of(target).is_mutable:
        return _out_of_place(target) is not None
    if _may_alias(target):
        return target is _ATEN.batch_norm.default
    return target in _FRESH or not is_composite(target)


def _take_place(node: fx.Node, new: fx.Node) -> None:
    substitute(node, new)
    node.graph.erase_node(node)


def _chunk(node: fx.Node) -> bool:
    """chunk(x, n, dim) -> split(x, ceil(size / n), dim)"""
    source, count, dim = ordered_arguments(node)
    size = source.meta["val"].shape[dim]
    if not isinstance(size, int):
        return False
    _take_place(node, Emitter(node).call(_ATEN.split.Tensor, source, -(-size // count), dim))
    return True


def _reshape(node: fx.Node) -> bool:
    """reshape(x, shape) -> view(x, shape), after a copy where the order of the elements in memory changes."""
    source, shape = ordered_arguments(node)
    emit = Emitter(node)
    if not _shares_memory(node, source):
        source = _contiguous_copy(emit, source)
    _take_place(node, emit.call(_ATEN.view.default, source, shape))
    return True


def _flatten(node: fx.Node) -> bool:
    """flatten(x, first, last) -> view(x, [..., -1, ...]), after a copy where the elements are not in that order"""
    source, first, last = ordered_arguments(node)
    rank = source.meta["val"].dim()
    if rank == 0:
        return False
    emit = Emitter(node)
    if not _shares_memory(node, source):
        source = _contiguous_copy(emit, source)
    before = [_size(emit, source, axis) for axis in range(first % rank)]
    after = [_size(emit, source, axis) for axis in range(last % rank + 1, rank)]
    _take_place(node, emit.call(_ATEN.view.default, source, [*before, -1, *after]))
    return True


def _to_dtype(node: fx.Node) -> bool:
    """to(x, dtype) -> x where it has that type, or a copy of that type"""
    source, dtype, _, is_copy, memory_format = ordered_arguments(node)
    if memory_format not in (None, torch.preserve_format):
        return False
    if source.meta["val"].dtype == dtype and not is_copy:
        node.replace_all_uses_with(source)
        node.graph.erase_node(node)
        return True
    _take_place(node, Emitter(node).call(_ATEN._to_copy.default, source, dtype=dtype))
    return True


def _contiguous(node: fx.Node) -> bool:
    """contiguous(x) -> x, or a copy of it"""
    source, *_ = ordered_arguments(node)
    if node.kwargs.get("memory_format", torch.contiguous_format) is not torch.contiguous_format:
        return False
    if _shares_memory(node, source):
        node.replace_all_uses_with(source)
        node.graph.erase_node(node)
        return True
    _take_place(node, _contiguous_copy(Emitter(node), source))
    return True


def _expand_as(node: fx.Node) -> bool:
    """expand_as(x, y) -> expand(x, y.shape)"""
    source, other = ordered_arguments(node)
    emit = Emitter(node)
    shape = [_size(emit, other, axis) for axis in range(other.meta["val"].dim())]
    _take_place(node, emit.call(_ATEN.expand.default, source, shape))
    return True


def _dropout(node: fx.Node) -> bool:
    """dropout(x) -> x in evaluation"""
    source, _, is_training = ordered_arguments(node)
    if is_training:
        return False
    node.replace_all_uses_with(source)
    node.graph.erase_node(node)
    return True


def _batch_norm(node: fx.Node) -> bool:
    """batch_norm(x, ...) -> _native_batch_norm_legit_no_training(x, ...)[0] in evaluation"""
    source, weight, bias, mean, variance, is_training, momentum, epsilon, _ = ordered_arguments(node)
    if is_training or mean is None or variance is None:
        return False
    emit, frozen = Emitter(node), _ATEN._native_batch_norm_legit_no_training.default
    norm = emit.call(frozen, source, weight, bias, mean, variance, momentum, epsilon)
    value = node.meta["val"]
    norm.meta["val"] = (value, value.new_empty(0), value.new_empty(0))
    _take_place(node, emit.call(operator.getitem, norm, 0))
    return True


def _size(emit: Emitter, node: fx.Node, axis: int) -> int | fx.Node:
    size = node.meta["val"].shape[axis]
    if isinstance(size, int):
        return size
    read = emit.size(node, axis)
    read.meta["val"] = size
    return read


def _contiguous_copy(emit: Emitter, source: fx.Node) -> fx.Node:
    copy = emit.call(_ATEN.clone.default, source, memory_format=torch.contiguous_format)
    copy.meta["val"] = source.meta["val"].contiguous()
    return copy


def _shares_memory(node: fx.Node, source: fx.Node) -> bool:
    """Whether the exporter saw ``node`` return a view of ``source``."""
    return share_storage(node.meta["val"], source.meta["val"])


_Rule = Callable[[fx.Node], bool]
_ALIASING: dict[Any, _Rule] = {
    _ATEN.chunk.default: _chunk,
    _ATEN.reshape.default: _reshape,
    _ATEN.flatten.using_ints: _flatten,
    _ATEN.to.dtype: _to_dtype,
    _ATEN.contiguous.default: _contiguous,
    _ATEN.expand_as.default: _expand_as,
    _ATEN.dropout.default: _dropout,
    _ATEN.batch_norm.default: _batch_norm,
}
_REWRITES: tuple[_Rule, ...] = (_write, _copy_or_view)
