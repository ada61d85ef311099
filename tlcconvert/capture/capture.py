"""From a network to a functional ATen graph with symbolic batch, height and width that computes the same.

``torch.export`` follows the branches the example takes and may bake the example's numbers into the graph
(``int(height / 2)``, ``if height % 2``, a mask for one size). It records such facts as guards, which every
later step drops. So a captured graph is believed only after it has been run against the network at batches 1
and 3, at sizes of every parity and where a guard does not hold (``proven_sizes.py``); where it differs the next
rung of a ladder is tried:

    1. where the network needs multiples of m, height and width declared as m * n: that loses no size, and every
       size is then a polynomial in n, which is decided far faster than quotients and remainders
    2. an example of odd sizes, where every "needs padding" branch is taken (right for even sizes too)
    3. an example of even, much divisible sizes
    4. where a graph is right up to some size only, an example beyond that size
    5. height and width declared as m * n, m being 16, then 64: right at those only

each first by running the Python code, then by tracing its bytecode (``strict=True``), which takes several times
as long and keeps more of what Python computes from sizes symbolic. Where no rung is right at every size the network
accepts, a larger minimum is preferred to a wider multiple, and neither is taken unasked beyond what
:mod:`tlcconvert.capture.narrowed_sizes` allows.

The example's batch is 2 and its height differs from its width, so that no two axes are taken for one.
"""

from __future__ import annotations

import copy
import math
import operator
import re
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import fx, nn
from torch.export import Dim, ExportedProgram
from torch.export.graph_signature import OutputKind

from passes.program import name_outputs, runnable, user_inputs
from passes.sizes import image_size
from passes.torch_internals.guards import drop_guards, without_guards
from passes.torch_internals.names import OpOverload, schema_of
from passes.torch_internals.undecided_sizes import undecided_sizes
from tlcconvert.capture import narrowed_sizes
from tlcconvert.capture.export_guards import Guards
from tlcconvert.capture.functional_graph import write_functionally
from tlcconvert.capture.narrowed_sizes import (
    Deviation,
    Permission,
    deviations,
    has_small_maximum,
    is_permitted,
)
from tlcconvert.capture.program_guards import (
    GuardedReference,
    greatest_size,
    least_size,
    not_proven,
    own_guards,
)
from tlcconvert.capture.proven_sizes import proven_sizes
from tlcconvert.capture.tracing.data_attribute import TRACED_DATA_ATTRIBUTE
from tlcconvert.capture.tracing.fractional_max_pooling import SYMBOLIC_FRACTIONAL_MAX_POOLING
from tlcconvert.capture.tracing.full_map_pooling import SYMBOLIC_FULL_MAP_POOLING
from tlcconvert.capture.tracing.padding_to_multiple import PADDING_TO_MULTIPLE
from tlcconvert.capture.tracing.symbolic_int import symbolic_int
from tlcconvert.errors import CaptureError, InputError, first_line
from tlcconvert.network.eager_reference import EagerReference, evaluation_copy, tensors_of
from tlcconvert.network.network_inputs import BATCH, HEIGHT, WIDTH, ExtraInput, NetworkInputs
from tlcconvert.network.shape_run import ShapeRun, shape_run
from tlcconvert.process_state.replaced_functions import ReplacedFunctions
from tlcconvert.process_state.silence import silence
from tlcconvert.sizes.size_requirements import (
    SizeProbe,
    SizeRequirements,
    for_multiples,
    probe_size_requirements,
)
from tlcconvert.torch_internals.keep_compiled_models import keep_compiled_models

_DATA_DEPENDENT = re.compile(r"data.?dependent", re.IGNORECASE)
_MULTIPLES = (16, 64)
_EVEN = 16


@dataclass(frozen=True)
class Captured:
    """A graph that reproduces a network.

    Attributes:
        program: functional ATen graph, ``[batch, channels, height, width]`` with symbolic batch, height and
            width; no input mutation, no runtime assertion.
        original: the network in eager PyTorch, with the program's inputs and (flattened) outputs.
        inputs: the inputs both take.
        requirements: sizes the program computes right; ``multiple`` includes m where the program's height and width
            symbols stand for height / m and width / m.
        accepted: sizes the network accepts; the same, but where only fewer could be captured.
        assumptions: conditions on the sizes that the exporter relied on and that are not proven, e.g.
            ``"L['x'].size()[2] < 90000"``: beyond ``requirements.maximum``, or unreadable.
        deviations: how far the program is from the network at sizes that only the network accepts, once padded.
    """

    program: ExportedProgram
    original: nn.Module
    inputs: NetworkInputs
    requirements: SizeRequirements
    accepted: SizeRequirements
    assumptions: tuple[str, ...] = ()
    deviations: tuple[Deviation, ...] = ()

    @cached_property
    def on_shapes(self) -> ShapeRun | None:
        """The network on shapes alone; None where it is a graph already, or cannot be copied without its weights."""
        if any(isinstance(part, fx.GraphModule) for part in self.original.modules()):
            return None
        return shape_run(self.original, self.inputs)

    @property
    def notes(self) -> tuple[str, ...]:
        """How the sizes of the program differ from those of the network, for the report."""
        return narrowed_sizes.note(self.accepted, self.requirements, self.deviations)


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
    permission: Permission | None = None,
    progress: Callable[[str], None] | None = None,
) -> Captured:
    """Captures ``module`` with symbolic batch, height and width, and proves it by running both.

    Args:
        module: a network in any mode, dtype and device (it is not changed), or a program exported with
            symbolic sizes, whose guards decide what it accepts.
        input_channels: channels of the image.
        extra_inputs: inputs after the image.
        multiple_hint, minimum_hint: size requirements a registry knows; confirmed by running the network.
        permission: what the caller takes where no graph reproduces the network at all sizes it accepts.
        progress: called with a short text before each attempt.

    Raises:
        InputError: ``module`` cannot be read as a network at all, or ``permission`` is for another file.
        CaptureError: no attempt reproduced the network; the message names the reason.
    """
    report = progress or (lambda _: None)
    inputs = NetworkInputs(input_channels, tuple(extra_inputs))
    permission = permission or Permission()
    if isinstance(module, ExportedProgram):
        return _as_accepted(_adopt(module, inputs, report), permission)
    pristine = evaluation_copy(module)
    original = EagerReference(_fresh(pristine))
    report("finding the sizes the network accepts")
    with silence():
        probe = SizeProbe(original, inputs, shape_run(pristine, inputs))
        requirements = probe_size_requirements(probe, multiple_hint=multiple_hint, minimum_hint=minimum_hint)
    _refuse_random(original, inputs, requirements)
    return _as_accepted(_climb(pristine, original, inputs, requirements, permission, report), permission)


def _as_accepted(captured: Captured, permission: Permission) -> Captured:
    """
    Raises:
        InputError: the caller takes another multiple than the program has.
    """
    multiple = captured.requirements.multiple
    if permission.multiple not in (None, multiple):
        raise InputError(
            f"The file takes multiples of {multiple}, not of {permission.multiple}: leave --accept-multiple out."
        )
    return captured


def _climb(
    pristine: nn.Module,
    original: nn.Module,
    inputs: NetworkInputs,
    accepted: SizeRequirements,
    permission: Permission,
    report: Callable[[str], None],
) -> Captured:
    """The first rung that is right at every size accepted, or the best of those that are permitted.

    An example whose branches were found to be taken at some sizes only is not tried again in another way.
    """
    failures: dict[Rung, str] = {}
    narrowed: list[Captured] = []
    branches_taken: set[tuple[int, int]] = set()
    rungs = deque(ladder(accepted))
    while rungs:
        rung = rungs.popleft()
        if rung.example in branches_taken:
            continue
        if rung.multiple > accepted.multiple and _is_wide_enough(narrowed, permission):
            break
        report(f"capturing ({rung})")
        try:
            program = _export(_fresh(pristine), inputs, rung)
        except Exception as error:
            failures[rung] = first_line(error)
            if len(failures) > 1 and all(_DATA_DEPENDENT.search(reason) for reason in failures.values()):
                break
            continue
        captured, difference = _proven(program, original, inputs, accepted, rung)
        if captured is not None and captured.requirements == accepted:
            return captured
        failures[rung] = difference
        if captured is None:
            continue
        narrowed.append(captured)
        branches_taken.add(rung.example)
        if has_small_maximum(accepted, captured.requirements):
            rungs.extendleft(reversed(_beyond(captured.requirements, tried=failures)))
    best = _best(narrowed, permission)
    if best is not None:
        return best
    if narrowed:
        raise CaptureError(_why_narrowed(narrowed, failures))
    raise CaptureError(f"No graph with symbolic sizes reproduces the network. {_why(failures)}")


def _is_wide_enough(narrowed: Sequence[Captured], permission: Permission) -> bool:
    """Whether no wider multiple is worth a try: what keeps one graph from all sizes keeps the next from them, too."""
    captured = {one.requirements.multiple for one in narrowed}
    asked = permission.multiple
    return bool(narrowed) and (asked is None or asked in captured or _best(narrowed, permission) is not None)


def _best(narrowed: Sequence[Captured], permission: Permission) -> Captured | None:
    """The permitted one that takes the most sizes."""
    permitted = [one for one in narrowed if is_permitted(one.accepted, one.requirements, permission)]
    return min(permitted, key=_narrowness, default=None)


def _narrowness(captured: Captured) -> tuple[int, ...]:
    sizes = captured.requirements
    return has_small_maximum(captured.accepted, sizes), sizes.multiple, sizes.minimum


def _why_narrowed(narrowed: Sequence[Captured], failures: dict[Rung, str]) -> str:
    best = min(narrowed, key=_narrowness)
    refusal = narrowed_sizes.refusal(best.accepted, best.requirements, best.deviations)
    return f"{refusal} {_why(failures)}"


def _beyond(proven: SizeRequirements, tried: Collection[Rung]) -> list[Rung]:
    """Rungs with an example beyond the maximum of a graph that is right up to some size only."""
    if proven.maximum is None:
        return []
    example = _example(proven.multiple, proven.maximum + proven.multiple)
    return [rung for rung in _rungs(example, proven.multiple) if rung not in tried]


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
    way = keep_compiled_models() if rung.strict else symbolic_int(network)
    with silence(), torch.no_grad(), ReplacedFunctions(_SYMBOLIC_FORMS), way, undecided_sizes():
        program = torch.export.export(
            network, example, dynamic_shapes=_dynamic_shapes(inputs, rung.multiple), strict=rung.strict
        )
        return functional(program)


_SYMBOLIC_FORMS = (
    SYMBOLIC_FULL_MAP_POOLING | SYMBOLIC_FRACTIONAL_MAX_POOLING | TRACED_DATA_ATTRIBUTE | PADDING_TO_MULTIPLE
)
"""What the exporter would take for constants or not see at all, written in another way while it runs."""


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
        CaptureError: an operator that writes into its argument is left, or one that exchanges the memory of tensors.
    """
    if not write_functionally(program):
        _refuse_exchanged_data(program)
        program = program.run_decompositions({})
    _drop_assertions(program)
    _drop_mutation_outputs(program)
    _allow_any_layout(program)
    _integer_shape_arithmetic(program)
    program.graph.eliminate_dead_code()
    name_outputs(program)
    program.graph_module.recompile()
    for node in program.graph.nodes:
        if isinstance(node.target, OpOverload) and schema_of(node.target).is_mutable:
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


def _refuse_exchanged_data(program: ExportedProgram) -> None:
    """PyTorch's functionalization crashes the process where one tensor is given the memory of another."""
    exchanging = (torch.ops.aten.shallow_copy_data_.default, torch.ops.aten.set_data.default)
    if any(node.target in exchanging for node in program.graph.nodes):
        raise CaptureError("An assignment to .data is left in the graph.")


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
    accepted: SizeRequirements,
    rung: Rung,
) -> tuple[Captured | None, str]:
    """The capture with the most sizes at which the program was seen to be right, and the first difference."""
    graph = runnable(program)
    guards = Guards(program, inputs)
    drop_guards(program)
    proven, difference = proven_sizes(graph, original, inputs, guards, for_multiples(accepted, rung.multiple))
    if proven is None:
        return None, difference
    off = deviations(graph, original, inputs, accepted, proven.requirements)
    captured = Captured(program, original, inputs, proven.requirements, accepted, proven.assumptions, off)
    return captured, difference


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
    """Takes an exported program whose sizes are symbolic; its own graph is the reference, where its guards hold."""
    _refuse_other_inputs(program, inputs)
    report("reading the exported program")
    image = image_size(program)
    multiple = math.lcm(image.multiple(image.height), image.multiple(image.width))
    guards = own_guards(program, inputs)
    with silence(), torch.no_grad(), undecided_sizes(), without_guards(program):
        # A program of its own: the caller's is left as it is.
        program = functional(program.run_decompositions({}))
    drop_guards(program)
    original = EagerReference(GuardedReference(runnable(program), guards))
    accepted = probe_size_requirements(
        SizeProbe(original, inputs), multiple_hint=multiple, minimum_hint=least_size(guards, multiple)
    )
    accepted = for_multiples(accepted, multiple)
    accepted = replace(accepted, maximum=greatest_size(guards, accepted))
    unproven = not_proven(guards, accepted)
    off = deviations(runnable(program), original, inputs, accepted, accepted)
    return Captured(program, original, inputs, accepted, accepted, unproven, off)


def _refuse_other_inputs(program: ExportedProgram, inputs: NetworkInputs) -> None:
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


def _fresh(pristine: nn.Module) -> nn.Module:
    """A copy that has never run: a network that caches a mask must not bring one from an earlier run."""
    memo: dict[int, Any] = {id(parameter): parameter for parameter in pristine.parameters()}
    return copy.deepcopy(pristine, memo)


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
