"""From a network to a functional ATen graph with symbolic batch, height and width that computes the same.

``torch.export`` follows the branches the example takes and may bake the example's numbers into the graph
(``int(height / 2)``, ``if height % 2``, a mask for one size). It records such facts as guards, which every
later step drops. So a captured graph is believed only after it has been run against the network at batches 1
and 3 and at sizes of every parity; on a difference the next rung of a ladder is tried:

    1. where the network needs multiples of m, height and width declared as m * n: that loses no size, and every
       size is then a polynomial in n, which is decided far faster than quotients and remainders
    2. an example of odd sizes, where every "needs padding" branch is taken (right for even sizes too)
    3. an example of even, much divisible sizes
    4. height and width declared as m * n, m being 16, then 64: right at those only

each first by running the Python code, then by tracing its bytecode (``strict=True``), which takes several times
as long and keeps more of what Python computes from sizes symbolic.

The example's batch is 2 and its height differs from its width, so that no two axes are taken for one.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import math
import operator
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export import Dim, ExportedProgram
from torch.export.graph_signature import OutputKind

from passes.program import runnable, user_inputs
from passes.quick_symbols import quick_symbols
from tlcconvert.data_attribute import TracedDataAttribute
from tlcconvert.eager_reference import EagerReference, evaluation_copy, tensors_of
from tlcconvert.errors import CaptureError, InputError
from tlcconvert.export_guards import Guards, Shape, candidate_shapes, drop_guards
from tlcconvert.fractional_max_pooling import SymbolicFractionalMaxPooling
from tlcconvert.full_map_pooling import SymbolicFullMapPooling
from tlcconvert.functional_graph import write_functionally
from tlcconvert.network_inputs import BATCH, HEIGHT, WIDTH, ExtraInput, NetworkInputs
from tlcconvert.padding_to_multiple import PaddingToMultiple
from tlcconvert.shape_run import ShapeRun
from tlcconvert.size_requirements import (
    SizeProbe,
    SizeRequirements,
    probe_size_requirements,
    sizes_to_compare,
)
from tlcconvert.symbolic_int import symbolic_int

_DATA_DEPENDENT = re.compile(r"data.?dependent", re.IGNORECASE)
_BATCHES = (1, 3)
_TOLERANCE = 1e-5
_MULTIPLES = (16, 64)
_EVEN = 16
_LONGEST_TO_RUN = 256  # pixels


@dataclass(frozen=True)
class Captured:
    """A graph that reproduces a network.

    Attributes:
        program: functional ATen graph, ``[batch, channels, height, width]`` with symbolic batch, height and
            width; no input mutation, no runtime assertion.
        original: the network in eager PyTorch, with the program's inputs and (flattened) outputs.
        inputs: the inputs both take.
        requirements: sizes the program computes right; ``multiple`` includes ``symbol_multiple``.
        symbol_multiple: m where the program's height and width symbols stand for height / m and width / m.
        rung: how it was captured.
        compared: (batch, height, width) at which program and original were run and agreed.
        assumptions: conditions on the sizes that the exporter relied on and that no size small enough to run
            contradicts, e.g. ``"L['x'].size()[2] < 3000"``; where they fail the program is not proven.
    """

    program: ExportedProgram
    original: nn.Module
    inputs: NetworkInputs
    requirements: SizeRequirements
    symbol_multiple: int
    rung: str
    compared: tuple[Shape, ...] = ()
    assumptions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rung:
    """One way of capturing: the example's (height, width), strict or not, and m of ``m * n`` sizes."""

    example: tuple[int, int]
    strict: bool
    multiple: int = 1

    def __str__(self) -> str:
        mode = "strict" if self.strict else "non-strict"
        sizes = f", sizes {self.multiple} * n" if self.multiple > 1 else ""
        return f"{mode}, example {self.example[0]}x{self.example[1]}{sizes}"


def capture(
    module: nn.Module | ExportedProgram,
    *,
    input_channels: int,
    extra_inputs: Sequence[ExtraInput] = (),
    multiple_hint: int = 1,
    minimum_hint: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Captured:
    """Captures ``module`` with symbolic batch, height and width, and proves it by running both.

    Args:
        module: a network in any mode, dtype and device (it is not changed), or a program exported with
            symbolic sizes, whose guards are dropped.
        input_channels: channels of the image.
        extra_inputs: inputs after the image.
        multiple_hint, minimum_hint: size requirements a registry knows; confirmed by running the network.
        progress: called with a short text before each attempt.

    Raises:
        InputError: ``module`` cannot be read as a network at all.
        CaptureError: no attempt reproduced the network; the message names the reason.
    """
    report = progress or (lambda _: None)
    inputs = NetworkInputs(input_channels, tuple(extra_inputs))
    if isinstance(module, ExportedProgram):
        return _adopt(module, inputs, report)
    pristine = evaluation_copy(module)
    original = EagerReference(_fresh(pristine))
    report("finding the sizes the network accepts")
    with silence():
        probe = SizeProbe(original, inputs, _on_shapes(pristine, inputs))
        requirements = probe_size_requirements(probe, multiple_hint=multiple_hint, minimum_hint=minimum_hint)
    _refuse_random(original, inputs, requirements)
    return _climb(pristine, original, inputs, requirements, report)


def _climb(
    pristine: nn.Module,
    original: nn.Module,
    inputs: NetworkInputs,
    requirements: SizeRequirements,
    report: Callable[[str], None],
) -> Captured:
    failures: dict[Rung, str] = {}
    for rung in ladder(requirements):
        report(f"capturing ({rung})")
        try:
            program = _export(_fresh(pristine), inputs, rung)
        except Exception as error:
            failures[rung] = _reason(error)
            if len(failures) > 1 and all(_DATA_DEPENDENT.search(reason) for reason in failures.values()):
                break
            continue
        captured, difference = _proven(program, original, inputs, requirements, rung)
        if captured is not None:
            return captured
        failures[rung] = difference
    raise CaptureError(f"No graph with symbolic sizes reproduces the network. {_why(failures)}")


def ladder(requirements: SizeRequirements) -> Iterator[Rung]:
    """The rungs to try, the most general first."""
    needed, minimum = requirements.multiple, requirements.minimum
    if needed > 1:
        yield from _rungs(_example(needed, minimum), needed)
    odd, even = (_example(math.lcm(needed, multiple), minimum) for multiple in (1, _EVEN))
    for example in dict.fromkeys((odd, even)):
        yield from _rungs(example)
    for multiple in dict.fromkeys(math.lcm(needed, multiple) for multiple in _MULTIPLES):
        if multiple > needed:
            yield from _rungs(_example(multiple, minimum), multiple)


def _rungs(example: tuple[int, int], multiple: int = 1) -> Iterator[Rung]:
    yield Rung(example, strict=False, multiple=multiple)
    yield Rung(example, strict=True, multiple=multiple)


def _example(multiple: int, minimum: int) -> tuple[int, int]:
    """Height and width: different odd factors of ``multiple``, about 40 and 100 pixels or just above.

    They are at least 64 apart, so that no network which pads to windows makes them equal.
    """
    least = max(minimum, 37)
    factor = -(-least // multiple) | 1
    height = max(factor, 3) * multiple
    return height, height + 4 * multiple * max(1, 64 // (4 * multiple))


def _export(network: nn.Module, inputs: NetworkInputs, rung: Rung) -> ExportedProgram:
    example = inputs.random(2, *rung.example)
    # Tracing bytecode, the exporter keeps the built-in's truncation of a symbol by itself.
    integers = contextlib.nullcontext() if rung.strict else symbolic_int(network)
    with silence(), torch.no_grad(), _symbolic_forms(), integers, quick_symbols():
        program = torch.export.export(
            network, example, dynamic_shapes=_dynamic_shapes(inputs, rung.multiple), strict=rung.strict
        )
        return functional(program)


@contextlib.contextmanager
def _symbolic_forms() -> Iterator[None]:
    """What the exporter would take for constants or not see at all is written in another way while it runs."""
    with SymbolicFullMapPooling(), SymbolicFractionalMaxPooling(), TracedDataAttribute(), PaddingToMultiple():
        yield


def _dynamic_shapes(inputs: NetworkInputs, multiple: int) -> Any:
    if multiple == 1:
        symbols: dict[str, Any] = dict.fromkeys((BATCH, HEIGHT, WIDTH), Dim.DYNAMIC)
    else:
        symbols = {
            BATCH: Dim.DYNAMIC,
            HEIGHT: multiple * Dim("rows", min=1),
            WIDTH: multiple * Dim("columns", min=1),
        }
    return tuple(
        {position: symbols[axis] for position, axis in enumerate(shape) if isinstance(axis, str)}
        for shape in inputs.shapes
    )


def functional(program: ExportedProgram) -> ExportedProgram:
    """``program`` as a functional ATen graph: no mutation, no runtime assertion; composite operators stay.

    ``program`` itself is changed where it need not be traced again.

    Raises:
        CaptureError: an operator that writes into its argument is left.
    """
    if not write_functionally(program):
        program = program.run_decompositions({})
    _drop_assertions(program)
    _drop_mutation_outputs(program)
    _allow_any_layout(program)
    _integer_shape_arithmetic(program)
    program.graph.eliminate_dead_code()
    program.graph_module.recompile()
    for node in program.graph.nodes:
        schema = getattr(node.target, "_schema", None)
        if node.op == "call_function" and schema is not None and schema.is_mutable:
            raise CaptureError(f"The operator {node.target} writes into its argument.")
    return program


_ASSERTIONS = frozenset(
    {
        torch.ops.aten._assert_scalar.default,
        torch.ops.aten._assert_async.default,
        torch.ops.aten._assert_async.msg,
        torch.ops.aten._assert_tensor_metadata.default,
        torch.ops.aten.sym_constrain_range.default,
        torch.ops.aten.sym_constrain_range_for_size.default,
    }
)

_VIEWS = (torch.ops.aten.view.default, torch.ops.aten._unsafe_view.default)


def _drop_assertions(program: ExportedProgram) -> None:
    for node in list(program.graph.nodes):
        if node.target in _ASSERTIONS:
            program.graph.erase_node(node)


def _drop_mutation_outputs(program: ExportedProgram) -> None:
    """An input or buffer the network wrote to comes back as an output; a converted file has no use for it."""
    output = program.graph.output_node()
    specs = program.graph_signature.output_specs
    keep = [spec.kind is OutputKind.USER_OUTPUT for spec in specs]
    values = output.args[0]
    assert isinstance(values, (tuple, list))
    output.args = (tuple(value for value, kept in zip(values, keep, strict=True) if kept),)
    specs[:] = [spec for spec, kept in zip(specs, keep, strict=True) if kept]


def _allow_any_layout(program: ExportedProgram) -> None:
    """view(x, shape) -> reshape(x, shape)

    Where the example has a single window along an axis, a reshape of permuted windows needs no copy and is
    captured as a view; at other sizes the same view would be refused.
    """
    for node in program.graph.nodes:
        if node.target in _VIEWS:
            node.target = torch.ops.aten.reshape.default


def _integer_shape_arithmetic(program: ExportedProgram) -> None:
    """trunc(n / c) -> n // c for a size n >= 0 and a constant c > 0, which no runtime rounds differently."""
    for node in list(program.graph.nodes):
        if node.target not in (math.trunc, math.floor):
            continue
        quotient = node.args[0]
        if not isinstance(quotient, fx.Node) or quotient.target is not operator.truediv:
            continue
        if not isinstance(quotient.args[1], int) or quotient.args[1] <= 0:
            continue
        with program.graph.inserting_before(node):
            floor = program.graph.call_function(operator.floordiv, quotient.args)
        floor.meta = dict(node.meta)
        node.replace_all_uses_with(floor)
        program.graph.erase_node(node)


def _proven(
    program: ExportedProgram,
    original: nn.Module,
    inputs: NetworkInputs,
    requirements: SizeRequirements,
    rung: Rung,
) -> tuple[Captured | None, str]:
    """The capture with the widest requirements the program was seen to fulfil, and the first difference."""
    graph = runnable(program)
    guards = Guards(program, inputs)
    drop_guards(program)
    difference = ""
    for multiple in dict.fromkeys((1, rung.multiple)):
        narrowed = _narrowed(requirements, multiple)
        shapes, assumptions = _shapes_to_compare(guards, narrowed)
        compared, found = compare(graph, original, inputs, shapes)
        difference = difference or found
        if not found:
            where = (str(rung), compared, assumptions)
            return Captured(program, original, inputs, narrowed, rung.multiple, *where), difference
    return None, difference


def _shapes_to_compare(guards: Guards, requirements: SizeRequirements) -> tuple[list[Shape], tuple[str, ...]]:
    """Accepted shapes of every parity, those that break a guard among them; and the guards left unbroken."""
    sizes = enumerate(sizes_to_compare(requirements))
    shapes = [(_BATCHES[number % len(_BATCHES)], *size) for number, size in sizes]
    candidates = list(candidate_shapes(requirements))
    assumptions = []
    for guard in guards:
        breaking = None if guards.first_false(guard, shapes) else guards.first_false(guard, candidates)
        if breaking is None:
            continue
        if max(breaking) <= _LONGEST_TO_RUN:
            shapes.append(breaking)
        else:
            assumptions.append(guard)
    return shapes, tuple(assumptions)


def _narrowed(requirements: SizeRequirements, multiple: int) -> SizeRequirements:
    multiple = math.lcm(requirements.multiple, multiple)
    return SizeRequirements(multiple, -(-requirements.minimum // multiple) * multiple, requirements.scale)


def compare(
    graph: nn.Module, original: nn.Module, inputs: NetworkInputs, shapes: Sequence[Shape]
) -> tuple[tuple[Shape, ...], str]:
    """Runs both at ``shapes``; returns where they agreed, and the first difference found or ``""``.

    Shapes at which the original itself raises or is not finite are left out.
    """
    compared = []
    for seed, shape in enumerate(shapes):
        image = inputs.random(*shape, seed=seed)
        try:
            expected = tensors_of(original(*image))
        except Exception:
            continue
        if not all(bool(torch.isfinite(tensor).all()) for tensor in expected):
            continue
        difference = _difference(graph, image, expected)
        if difference:
            return (), f"at {'x'.join(map(str, shape))} {difference}"
        compared.append(shape)
    if not compared:
        return (), "the network accepts none of the sizes to compare at"
    return tuple(compared), ""


def _difference(graph: nn.Module, image: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> str:
    try:
        with torch.no_grad():
            computed = tensors_of(graph(*(tensor.clone() for tensor in image)))
    except Exception as error:
        return f"the graph raises {_reason(error)}"
    if [tensor.shape for tensor in computed] != [tensor.shape for tensor in expected]:
        shapes = [list(tensor.shape) for tensor in computed], [list(tensor.shape) for tensor in expected]
        return f"the graph returns shapes {shapes[0]}, the network {shapes[1]}"
    for own, reference in zip(computed, expected, strict=True):
        largest = float(reference.abs().max())
        deviation = float((own.double() - reference.double()).abs().max())
        if not deviation <= _TOLERANCE * largest:
            return f"the graph is off by {deviation:.1e} where the network's values reach {largest:.1e}"
    return ""


def _refuse_random(original: nn.Module, inputs: NetworkInputs, requirements: SizeRequirements) -> None:
    size = requirements.up(40)
    image = inputs.random(1, size, size)
    first, second = tensors_of(original(*image)), tensors_of(original(*image))
    if any(not torch.equal(one, other) for one, other in zip(first, second, strict=True)):
        raise CaptureError(
            "The network returns different values for the same image in evaluation mode (it draws random "
            "numbers or keeps state between calls), so no file can be checked against it."
        )


def _adopt(program: ExportedProgram, inputs: NetworkInputs, report: Callable[[str], None]) -> Captured:
    """Takes an exported program whose sizes are symbolic; its own graph is the reference."""
    images = user_inputs(program)
    if len(images) != len(inputs.shapes):
        raise InputError(
            f"The program takes {len(images)} inputs, but {len(inputs.shapes)} are described: "
            "name the inputs after the image."
        )
    shape = images[0].meta["val"].shape
    if len(shape) != 4:
        raise InputError(f"The program's first input has {len(shape)} axes; an image batch has 4.")
    fixed = [
        f"{axis} {size}"
        for axis, size in zip((BATCH, "", HEIGHT, WIDTH), shape, strict=True)
        if axis and isinstance(size, int)
    ]
    if fixed:
        raise InputError(
            f"The program was exported with fixed {', '.join(fixed)}: export it again with "
            "dynamic_shapes=({0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC},)."
        )
    if shape[1] != inputs.channels:
        raise InputError(f"The program takes {shape[1]} input channels, not {inputs.channels}.")
    report("reading the exported program")
    multiple = math.lcm(_symbol_multiple(shape[2]), _symbol_multiple(shape[3]))
    with silence(), torch.no_grad(), quick_symbols():
        # A program of its own: the caller's is left as it is.
        program = functional(program.run_decompositions({}))
    drop_guards(program)
    original = EagerReference(runnable(program))
    requirements = probe_size_requirements(SizeProbe(original, inputs), multiple_hint=multiple)
    requirements = _narrowed(requirements, multiple)
    return Captured(program, original, inputs, requirements, multiple, "exported program", ())


def _symbol_multiple(size: Any) -> int:
    coefficient, _ = size.node.expr.as_coeff_Mul()
    return int(coefficient)


def _on_shapes(pristine: nn.Module, inputs: NetworkInputs) -> ShapeRun | None:
    """The network on shapes, unless copying it without its weights fails: shapes only save time."""
    try:
        return ShapeRun(pristine, inputs)
    except Exception:
        return None


def _fresh(pristine: nn.Module) -> nn.Module:
    """A copy that has never run: a network that caches a mask must not bring one from an earlier run."""
    memo: dict[int, Any] = {id(parameter): parameter for parameter in pristine.parameters()}
    return copy.deepcopy(pristine, memo)


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Keeps the exporter's warnings and log lines from the reader; its failures come back as reasons."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        torch._dynamo.reset()


def _reason(error: BaseException) -> str:
    lines = (str(error).strip() or type(error).__name__).splitlines()
    return f"{type(error).__name__}: {lines[0]}"


def _why(failures: dict[Rung, str]) -> str:
    """The most telling of the reasons the rungs failed for, in one sentence, and the first detail."""
    told = "\n".join(failures.values())
    detail = f" ({next(iter(failures.values()))})"
    if _DATA_DEPENDENT.search(told):
        return "Its control flow or a size in it depends on pixel values" + detail + "."
    if re.search(r"specialized it to be a constant|Constraints violated", told):
        axes = set(re.findall(r"\.size\(\)\[(\d)\]", told))
        fixed = "the number of images in a batch" if axes == {"0"} else "the image size"
        return f"It turns {fixed} into a fixed number{detail}."
    return "Its control flow depends on the image size" + detail + "."
