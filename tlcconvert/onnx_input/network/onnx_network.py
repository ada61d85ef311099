"""A model as a network that computes it node by node.

    weights              tensors under the names they have in the file
    steps                one module per node, under the node's name
    forward              every step in order; a value goes as soon as nothing reads it

What is made of constants alone is computed once, when the network is built.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from onnx import GraphProto, NodeProto
from torch import Tensor, nn

from tlcconvert.errors import InputError, first_line
from tlcconvert.machine.out_of_memory import is_out_of_memory
from tlcconvert.onnx_input.network.attributes import constant_in, node_of, tensor_in
from tlcconvert.onnx_input.network.module_names import ModuleNames
from tlcconvert.onnx_input.network.step import Step, computed
from tlcconvert.onnx_input.operators import OPERATORS
from tlcconvert.onnx_input.values.node import Node, Value
from tlcconvert.onnx_input.values.sizes import Sizes, sizes, sizes_of, tensor_of
from tlcconvert.shown_name import shown

_FEW = 1024
"""Elements of a constant that shape arithmetic may read."""


@dataclass(frozen=True)
class Input:
    """Where a step's input comes from.

    Attributes:
        value: name of the value it reads; ``""`` for a constant and for an input that is left out.
        weight: the constant's name among the weights, or ``""``.
        sizes: the constant as sizes where it has few elements.
    """

    value: str = ""
    weight: str = ""
    sizes: Sizes | None = None


@dataclass
class Plan:
    """A graph to compute.

    Attributes:
        steps: module path and inputs of each node, in order.
        results: where the outputs come from.
        last_reads: values that are not read after the step of the same number.
    """

    nodes: list[Node] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    inputs: list[list[Input]] = field(default_factory=list)
    branches: list[tuple[Plan, Plan] | None] = field(default_factory=list)
    results: list[Input] = field(default_factory=list)
    last_reads: list[list[str]] = field(default_factory=list)


class OnnxNetwork(nn.Module):
    """Computes ``graph``.

    Attributes:
        input_names: of what it is called with, in that order.
        output_names: of what it returns.
    """

    def __init__(
        self,
        graph: GraphProto,
        opsets: dict[str, int],
        given: Mapping[str, Tensor] | None = None,
        first: str = "",
    ) -> None:
        """
        Args:
            given: values for inputs, which are inputs no longer.
            first: the input that is called first; by default the graph's own.

        Raises:
            InputError: weights are damaged, or what is made of constants cannot be computed.
        """
        super().__init__()
        constants = {proto.name: tensor_in(proto) for proto in graph.initializer} | dict(given or {})
        names = [value.name for value in graph.input if value.name not in constants]
        self.input_names = sorted(names, key=lambda name: name != first)
        self.output_names = [value.name for value in graph.output]
        builder = _Builder(self, opsets)
        self.plan = builder.plan(graph, constants)
        self.steps = builder.steps
        self.weights = builder.weights
        self.eval()

    def forward(
        self,
        image: Tensor,
        extra_1: Tensor | None = None,
        extra_2: Tensor | None = None,
        extra_3: Tensor | None = None,
        extra_4: Tensor | None = None,
    ) -> Tensor | tuple[Tensor, ...]:
        """The outputs of the graph; an input after the image for each name after the first."""
        images = [image, extra_1, extra_2, extra_3, extra_4]
        values: dict[str, Value] = dict(zip(self.input_names, images, strict=False))
        results = [
            tensor_of(value) if isinstance(value, Sizes) else value for value in self._run(self.plan, values)
        ]
        assert all(isinstance(result, Tensor) for result in results)
        return results[0] if len(results) == 1 else tuple(results)  # type: ignore[return-value, arg-type]

    def free_batch(self) -> list[tuple[list[Input], Input]]:
        """Lets reshapes to shapes that begin with 1 keep the first axis; returns what :meth:`fix_batch` puts back."""
        changed = []
        for node, inputs in zip(self.plan.nodes, self.plan.inputs, strict=True):
            shape = inputs[1].sizes if node.kind == "Reshape" and len(inputs) == 2 else None
            if shape is not None and shape.items[:1] == [1] and not node.get("allowzero", 0):
                changed.append((inputs, inputs[1]))
                inputs[1] = Input(sizes=sizes([0, *shape.items[1:]]))
        return changed

    def fix_batch(self, changed: list[tuple[list[Input], Input]]) -> None:
        """Undoes :meth:`free_batch`."""
        for inputs, shape in changed:
            inputs[1] = shape

    def _run(self, plan: Plan, values: dict[str, Value]) -> list[Value]:
        for number, node in enumerate(plan.nodes):
            inputs = plan.inputs[number]
            arguments = [self._value(own, values) for own in inputs]
            branches = plan.branches[number]
            if branches is None:
                step = self.get_submodule(plan.paths[number])
                outputs: Sequence[Value] = step(arguments, [own.sizes for own in inputs])
            else:
                outputs = self._run(branches[0 if _is_true(arguments[0], node) else 1], dict(values))
            for name, value in zip(node.outputs, outputs, strict=False):
                values[name] = value
            for name in plan.last_reads[number]:
                values.pop(name, None)
        return [self._value(own, values) for own in plan.results]

    def _value(self, own: Input, values: Mapping[str, Value]) -> Value:
        if own.value:
            return values[own.value]
        if own.weight:
            module, _, name = own.weight.rpartition(".")
            return getattr(self.get_submodule(module), name)
        return own.sizes


def _is_true(condition: Value, node: Node) -> bool:
    if not isinstance(condition, Sizes):
        raise InputError(
            f"Node {shown(node.name)} (If) decides by the values of an image, which a graph cannot."
        )
    return bool(condition.items[0])


class _Builder:
    """Turns graphs into plans, and registers what they need with the network."""

    def __init__(self, network: OnnxNetwork, opsets: dict[str, int]) -> None:
        self._network = network
        self._opsets = opsets
        self._names = ModuleNames(network)
        self._registered: dict[int, str] = {}
        self._kept: list[Tensor] = []
        self.steps: dict[str, str] = {}
        self.weights: dict[str, str] = {}

    def plan(self, graph: GraphProto, constants: dict[str, Tensor]) -> Plan:
        constants = dict(constants)
        plan = Plan()
        for proto in graph.node:
            if proto.op_type == "Constant" and not proto.domain:
                constants[proto.output[0]] = constant_in(proto)
                continue
            node = node_of(
                proto, proto.name or (proto.output[0] if proto.output else proto.op_type), self._opsets
            )
            if node.kind == "If":
                self._add_branches(plan, node, proto, constants)
            elif not self._fold(node, constants):
                self._add(plan, node, constants)
        plan.results = [self._input(value.name, constants, as_tensor=True) for value in graph.output]
        plan.last_reads = _last_reads(plan)
        return plan

    def _fold(self, node: Node, constants: dict[str, Tensor]) -> bool:
        """Computes ``node`` if everything it reads is constant."""
        if not all(name in constants for name in node.inputs if name):
            return False
        tensors = [constants[name] if name else None for name in node.inputs]
        try:
            with torch.no_grad():
                outputs = computed(node, tensors)
        except InputError:
            raise
        except Exception as error:
            if is_out_of_memory(error):
                raise
            raise InputError(
                f"Node {shown(node.name)} ({node.kind}) of the ONNX file cannot be computed: {first_line(error)}."
            ) from error
        for name, value in zip(node.outputs, outputs, strict=False):
            if name and value is not None:
                constants[name] = tensor_of(value) if isinstance(value, Sizes) else value.detach()
        return True

    def _add(self, plan: Plan, node: Node, constants: Mapping[str, Tensor]) -> None:
        operator = OPERATORS[node.kind]
        inputs = []
        for place, name in enumerate(node.inputs):
            is_number = place in operator.sizes or operator.is_pointwise
            inputs.append(self._input(name, constants, as_tensor=not is_number))
        path = self._names.add_module(node.name, Step(node))
        self.steps[path] = node.name
        plan.nodes.append(node)
        plan.paths.append(path)
        plan.inputs.append(inputs)
        plan.branches.append(None)

    def _add_branches(self, plan: Plan, node: Node, proto: NodeProto, constants: dict[str, Tensor]) -> None:
        graphs = {attribute.name: attribute.g for attribute in proto.attribute}
        order = ("then_branch", "else_branch")
        condition = constants.get(node.inputs[0])
        if condition is not None:
            order = (order[0],) * 2 if bool(condition) else (order[1],) * 2
        branches = self.plan(graphs[order[0]], constants), self.plan(graphs[order[1]], constants)
        plan.nodes.append(node)
        plan.paths.append("")
        plan.inputs.append([self._input(node.inputs[0], constants, as_tensor=False)])
        plan.branches.append(branches)

    def _input(self, name: str, constants: Mapping[str, Tensor], *, as_tensor: bool) -> Input:
        if not name:
            return Input()
        tensor = constants.get(name)
        if tensor is None:
            return Input(value=name)
        few = sizes_of(tensor) if tensor.numel() <= _FEW else None
        is_weight = tensor.is_floating_point() and (as_tensor or tensor.numel() > 1)
        if not is_weight and few is not None:
            return Input(sizes=few)
        return Input(weight=self._weight(name, tensor), sizes=few)

    def _weight(self, name: str, tensor: Tensor) -> str:
        """Registers ``tensor`` once; returns its path."""
        key = id(tensor)
        if key not in self._registered:
            self._kept.append(tensor)
            self._registered[key] = self._names.add_tensor(name, tensor)
            self.weights[self._registered[key]] = name
        return self._registered[key]


def _last_reads(plan: Plan) -> list[list[str]]:
    """For each step, the values that nothing reads after it."""
    last: dict[str, int] = {}
    for number, node in enumerate(plan.nodes):
        last |= dict.fromkeys(filter(None, node.outputs), number)
        last |= dict.fromkeys(_reads(plan, number), number)
    for result in plan.results:
        last.pop(result.value, None)
    freed: list[list[str]] = [[] for _ in plan.nodes]
    for name, number in last.items():
        freed[number].append(name)
    return freed


def _reads(plan: Plan, number: int) -> list[str]:
    names = [own.value for own in plan.inputs[number] if own.value]
    for branch in plan.branches[number] or ():
        for inner in range(len(branch.nodes)):
            names += _reads(branch, inner)
        names += [result.value for result in branch.results if result.value]
    return names
