"""Editing an exported program in place: parameters, constants, fake shapes, and a guard-free way to run it.

Every pass works on one :class:`torch.export.ExportedProgram` from capture to file, so the program must stay
valid between passes: the graph lints, each node's ``meta["val"]`` has the shape the node now produces, and
the signature names every placeholder.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, InputSpec, OutputKind, TensorArgument

from passes.torch_internals.names import FakeTensor, enable_python_dispatcher, pytree
from passes.torch_internals.own_graph import with_graph
from passes.torch_internals.undecided_sizes import undecided_sizes

_STATE_KINDS = (InputKind.PARAMETER, InputKind.BUFFER, InputKind.CONSTANT_TENSOR)


def where(node: fx.Node) -> str:
    """Module path and innermost source line of ``node``, e.g. ``"body.0.attention (nafnet.py:74)"``."""
    path = ""
    for recorded in (node.meta.get("nn_module_stack") or {}).values():
        path = recorded[0] or path
    lines = re.findall(r'File "([^"]+)", line (\d+)', node.meta.get("stack_trace") or "")
    own = [line for line in lines if "/torch/nn/" not in line[0]] or lines
    source = f" ({own[-1][0].rsplit('/', 1)[-1]}:{own[-1][1]})" if own else ""
    return (path.removeprefix("L['self'].") or "<root>") + source


def state(program: ExportedProgram) -> dict[str, torch.Tensor]:
    """The tensor behind every parameter, buffer and constant placeholder, by placeholder name."""
    tensors: dict[str, torch.Tensor] = {}
    for spec in program.graph_signature.input_specs:
        if spec.kind not in _STATE_KINDS:
            continue
        assert spec.target is not None
        source = program.state_dict if spec.target in program.state_dict else program.constants
        tensors[spec.arg.name] = source[spec.target]
    return tensors


def tensors_in(node: fx.Node) -> list[torch.Tensor]:
    """The fake tensors ``node`` returns."""
    return [leaf for leaf in pytree.tree_leaves(node.meta.get("val")) if isinstance(leaf, torch.Tensor)]


def with_own_graph(program: ExportedProgram) -> ExportedProgram:
    """A program over the same tensors whose graph can be changed without changing that of ``program``."""
    return with_graph(program, graph_copy(program))


def user_inputs(program: ExportedProgram) -> list[fx.Node]:
    """The placeholders a caller feeds, in calling order."""
    names = set(program.graph_signature.user_inputs)
    return [node for node in program.graph.nodes if node.op == "placeholder" and node.name in names]


def graph_copy(program: ExportedProgram) -> fx.Graph:
    """A copy of the program's graph whose nodes keep the names the signature knows them by.

    fx gives a placeholder called like a built-in, such as ``input``, another name when it copies it.
    """
    copied = copy.deepcopy(program.graph)
    for original, node in zip(program.graph.nodes, copied.nodes, strict=True):
        if node.name != original.name:
            node.name = original.name
    return copied


def add_parameter(program: ExportedProgram, name: str, tensor: torch.Tensor) -> fx.Node:
    """Adds ``tensor`` as a parameter and returns its placeholder; ``name`` is made unique by a suffix.

    The placeholder is inserted before the first one, so nodes already in the graph may use it.
    """
    taken = program.state_dict.keys() | program.constants.keys()
    target, suffix = name, 0
    while target in taken:
        suffix += 1
        target = f"{name}_{suffix}"
    first = next(iter(program.graph.nodes))
    with program.graph.inserting_before(first):
        node = program.graph.placeholder("p_" + re.sub(r"\W", "_", target))
    node.meta["val"] = fake_mode(program).from_tensor(tensor, static_shapes=True)
    spec = InputSpec(InputKind.PARAMETER, TensorArgument(name=node.name), target)
    program.graph_signature.input_specs.insert(0, spec)
    program.state_dict[target] = torch.nn.Parameter(tensor.detach(), requires_grad=False)
    return node


def fake_mode(program: ExportedProgram) -> Any:
    """The fake-tensor mode the program was captured in; it owns the symbolic sizes."""
    for node in program.graph.nodes:
        value = node.meta.get("val")
        if isinstance(value, FakeTensor):
            return value.fake_mode
    raise ValueError("the program has no fake tensors: it was not made by torch.export")


def constant_nodes(program: ExportedProgram) -> set[fx.Node]:
    """Nodes whose value depends on parameters, buffers and literals only: never on an input or its size."""
    names = {spec.arg.name for spec in program.graph_signature.input_specs if spec.kind in _STATE_KINDS}
    constant: set[fx.Node] = set()
    for node in program.graph.nodes:
        if node.op == "placeholder" and node.name in names:
            constant.add(node)
        elif node.op == "call_function" and not _is_random(node):
            if all(source in constant for source in node.all_input_nodes):
                constant.add(node)
    return constant


def _is_random(node: fx.Node) -> bool:
    tags = getattr(node.target, "tags", ())
    return torch.Tag.nondeterministic_seeded in tags


def evaluate_constant(program: ExportedProgram, node: fx.Node) -> Any:
    """The value of a node of :func:`constant_nodes`, computed on the program's own tensors and dtypes."""
    tensors = state(program)
    known: dict[fx.Node, Any] = {}

    def value(current: fx.Node) -> Any:
        if current not in known:
            if current.op == "placeholder":
                known[current] = tensors[current.name].detach()
            else:
                args = fx.map_arg(current.args, value)
                kwargs = fx.map_arg(current.kwargs, value)
                known[current] = current.target(*args, **kwargs)  # type: ignore[operator]
        return known[current]

    with torch.no_grad():
        return value(node)


def refresh(program: ExportedProgram, has_new_sizes: bool = False) -> None:
    """Removes dead nodes, computes the fake value of new ones, lints and recompiles.

    Call once at the end of a pass. A node a pass inserted has no ``meta["val"]`` before this, unless it stands in
    the place of a node of the same shape and took its ``meta``.

    Args:
        has_new_sizes: the symbols of an input changed, so every node's value is computed anew.
    """
    program.graph.eliminate_dead_code()
    if has_new_sizes:
        for node in program.graph.nodes:
            if node.op == "call_function":
                node.meta.pop("val", None)
    compute_values(program.graph, fake_mode(program))
    drop_unused_state(program)
    name_outputs(program)
    program.graph.lint()
    program.graph_module.recompile()


def compute_values(graph: fx.Graph, mode: Any) -> None:
    """Computes the fake value of every node without one, in ``mode``."""
    # Without the Python dispatcher some operators ask C++ for their shape, which turns symbols into numbers.
    with mode, enable_python_dispatcher(), torch.no_grad(), undecided_sizes():
        for node in graph.nodes:
            if node.op == "call_function" and "val" not in node.meta:
                args = fx.map_arg(node.args, lambda source: source.meta["val"])
                kwargs = fx.map_arg(node.kwargs, lambda source: source.meta["val"])
                kernel = _VALUES.get(node.target, node.target)
                node.meta["val"] = kernel(*args, **kwargs)


def _convolution_like(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0),
    *rest: Any,
) -> torch.Tensor:
    """The value of a convolution; at 1x1, where no extent changes, without deciding relations between sizes."""
    is_pointwise = tuple(weight.shape[2:]) == (1, 1) and set(stride) == {1} and set(padding) == {0}
    if not is_pointwise or x.dim() != 4:
        return torch.ops.aten.conv2d.default(x, weight, bias, stride, padding, *rest)
    return x.new_empty((x.shape[0], weight.shape[0], *x.shape[2:]))


def _cumsum_like(x: torch.Tensor, axis: int, *, dtype: torch.dtype | None = None) -> torch.Tensor:
    """An uninitialised running sum; torch's fake kernel makes a table of all pairs of positions instead."""
    if not x.is_floating_point():
        dtype = dtype or torch.int64
    return torch.empty_like(x, dtype=dtype, memory_format=torch.contiguous_format)


def _same_like(x: torch.Tensor) -> torch.Tensor:
    """The value of a function of each element."""
    return x.new_empty(x.shape)


def _reshape_like(x: torch.Tensor, shape: Sequence[Any]) -> torch.Tensor:
    """The value of a reshape that flattens the last axes or says every size, without proving that sizes match."""
    known = list(shape)
    if known[-1:] == [-1] and all(a is b or a == b for a, b in zip(known[:-1], x.shape, strict=False)):
        known[-1] = math.prod(x.shape[len(known) - 1 :])
    if any(isinstance(size, int) and size == -1 for size in known):
        return torch.ops.aten.reshape.default(x, shape)
    return x.new_empty(known)


def _matmul_like(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The value of a product of a matrix with matrices, without expanding it over their axes."""
    if a.dim() != 2 or b.dim() < 2:
        return torch.ops.aten.matmul.default(a, b)
    return b.new_empty((*b.shape[:-2], a.shape[0], b.shape[-1]))


_VALUES: dict[Any, Callable[..., Any]] = {
    torch.ops.aten.conv2d.default: _convolution_like,
    torch.ops.aten.cumsum.default: _cumsum_like,
    torch.ops.aten.matmul.default: _matmul_like,
    torch.ops.aten.relu.default: _same_like,
    torch.ops.aten.reshape.default: _reshape_like,
    torch.ops.aten.sigmoid.default: _same_like,
    torch.ops.aten.silu.default: _same_like,
    torch.ops.aten.tanh.default: _same_like,
}


def name_outputs(program: ExportedProgram) -> None:
    """Lets the signature call each tensor output by the node that now produces it."""
    values = program.graph.output_node().args[0]
    assert isinstance(values, (tuple, list))
    for spec, value in zip(program.graph_signature.output_specs, values, strict=True):
        if isinstance(value, fx.Node) and isinstance(spec.arg, TensorArgument):
            spec.arg = TensorArgument(name=value.name)


def drop_unused_state(program: ExportedProgram) -> None:
    """Removes parameter and buffer placeholders nothing reads, and their tensors."""
    unused = {node.name: node for node in program.graph.nodes if node.op == "placeholder" and not node.users}
    kept = []
    for spec in program.graph_signature.input_specs:
        if spec.kind in _STATE_KINDS and spec.arg.name in unused:
            program.graph.erase_node(unused[spec.arg.name])
        else:
            kept.append(spec)
    program.graph_signature.input_specs[:] = kept
    targets = {spec.target for spec in kept}
    for name in [name for name in program.state_dict if name not in targets]:
        del program.state_dict[name]


def runnable(program: ExportedProgram) -> fx.GraphModule:
    """The program as an ``nn.Module`` of its user inputs, without the guards capture recorded.

    Guards repeat what the example happened to satisfy; the converter proves sizes by running them instead.
    Returns what the original returned, flattened: one tensor, or a tuple of tensors.
    """
    tensors = state(program)
    graph = fx.Graph()
    root = torch.nn.Module()
    copied: dict[fx.Node, fx.Node] = {}
    for node in program.graph.nodes:
        if node.op == "placeholder" and node.name in tensors:
            root.register_buffer(node.name, tensors[node.name].detach())
            copied[node] = graph.get_attr(node.name)
        elif node.op == "output":
            outputs = [copied[source] for source in _user_outputs(program, node)]
            graph.output(outputs[0] if len(outputs) == 1 else tuple(outputs))
        else:
            copied[node] = graph.node_copy(node, lambda source: copied[source])
    return fx.GraphModule(root, graph)


def _user_outputs(program: ExportedProgram, output: fx.Node) -> list[fx.Node]:
    specs = program.graph_signature.output_specs
    values = output.args[0]
    assert isinstance(values, (tuple, list))
    return [
        value
        for spec, value in zip(specs, values, strict=True)
        if spec.kind is OutputKind.USER_OUTPUT and isinstance(value, fx.Node)
    ]
