"""Collapses every region that is affine in one activation into one convolution.

Given::

        ┌► conv 3x3 ─► batch norm ─► conv 1x1 ─┐
    x ──┼► conv 1x1 ─► pad(bias) ─► conv 3x3 ──┼► add ──► y
        └──────────────────────────────────────┘

Result::

    x ──► conv 3x3 ──► y

Forward, every value gets its affine form (:mod:`passes.fold.affine_form`) with respect to every root its
inputs share; each value is itself a root. Backward, each live value takes the root whose convolution saves
most: the multiply-adds of the convolutions that die with the region, less those of the one emitted. What is
still read from outside does not die and does not count. A region is replaced only where that is no loss, and
only after the convolution has been proven against it in float64 (:mod:`passes.fold.region_proof`).
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import torch
from torch import fx
from torch.export import ExportedProgram

from passes.arguments import END, ordered_arguments
from passes.emitter import Emitter, substitute
from passes.fold.affine_form import Form, NotAffineError, identity
from passes.fold.affine_transfer import RULES, SPLITS, Transfer, activations, transfer
from passes.fold.batch_norm import has_frozen_statistics
from passes.fold.channel_constants import ChannelConstants
from passes.fold.emitted_convolution import EmittedConvolution, emitted_convolution
from passes.fold.parameter_name import parameter_name
from passes.fold.region_proof import RegionProof, prove
from passes.program import refresh, where
from passes.result import PassResult, Rewrite, Skipped
from passes.simplify.exact_constants import ExactConstants
from passes.sizes import expression

_KIND = "affine region"
_ALWAYS_ALLOWED_WEIGHTS = 2**20
_CONVOLUTIONS = {torch.ops.aten.conv2d.default, torch.ops.aten.conv2d.padding}
_PARTS = {operator.getitem, torch.ops.aten.slice.Tensor}


def affine_regions(program: ExportedProgram) -> PassResult:
    """Collapses affine regions of 4-D activations in place, and reports each merge done or refused.

    Exact for every size at which no value of a region is empty.
    """
    program.graph.eliminate_dead_code()
    work = _Work(program)
    for component in reversed(_components(work)):
        _collapse(component, work)
    if work.rewrites:
        refresh(program)
    return PassResult(tuple(reversed(work.rewrites)), tuple(reversed(work.skipped)))


class _Work:
    """The program, what is known of it, and what has been done to it so far."""

    def __init__(self, program: ExportedProgram) -> None:
        self.program = program
        self.constants = ExactConstants(program)
        self.channel_constants = ChannelConstants(self.constants)
        self.position = {node: i for i, node in enumerate(program.graph.nodes)}
        # A batch norm that no region takes in is folded into what stands before it afterwards.
        self.is_last_fold = not any(has_frozen_statistics(node) for node in program.graph.nodes)
        self.dead: set[fx.Node] = set()
        self.rewrites: list[Rewrite] = []
        self.skipped: list[Skipped] = []


@dataclass
class _Component:
    """Values connected by affine operations, in topological order, and their forms by root.

    Attributes:
        roots: the roots each value may have a form in, judged by the operations alone.
        limit: the most weights a composed kernel may hold: no more than the component's own can pay.
        inputs: the activations each value is computed from, as captured.
        forms: by value and root.
        refusals: why a value has no form in a root its inputs have one in.
    """

    nodes: list[fx.Node]
    roots: dict[fx.Node, list[fx.Node]]
    limit: int
    inputs: dict[fx.Node, list[fx.Node]] = field(default_factory=dict)
    forms: dict[fx.Node, dict[fx.Node, Form]] = field(default_factory=dict)
    refusals: dict[fx.Node, dict[fx.Node, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Region:
    """A candidate: ``last`` as one convolution of ``root``. Multiply-adds are per pixel of ``last``.

    Attributes:
        nodes: from root to last, root excluded.
        dying: those of them nothing else reads.
        saved: multiply-adds of the dying convolutions less those of the emitted one.
        saved_if_alone: the same if nothing outside read the region.
    """

    root: fx.Node
    last: fx.Node
    nodes: list[fx.Node]
    dying: list[fx.Node]
    kernel: EmittedConvolution
    saved: Fraction
    saved_if_alone: Fraction

    @property
    def pays(self) -> bool:
        """No more multiply-adds than before, and fewer of them or fewer operations."""
        operations = sum(_computes(node) for node in self.dying)
        return self.saved > 0 or (self.saved == 0 and operations > self.kernel.operations)


def _components(work: _Work) -> list[_Component]:
    roots: dict[fx.Node, dict[fx.Node, None]] = {}
    leader: dict[fx.Node, fx.Node] = {}

    def find(node: fx.Node) -> fx.Node:
        while leader[node] is not node:
            leader[node] = leader[leader[node]]
            node = leader[node]
        return node

    for node in work.program.graph.nodes:
        if node.op not in ("placeholder", "call_function") or node in work.channel_constants:
            continue
        roots[node] = dict.fromkeys(_shared_roots(node, roots, work))
        leader[node] = node
        for root in roots[node]:
            leader[find(root)] = node
        if _may_be_root(node):
            roots[node][node] = None
    members: dict[fx.Node, list[fx.Node]] = {}
    for node in roots:
        members.setdefault(find(node), []).append(node)
    return [_component(nodes, roots) for nodes in members.values() if len(nodes) > 1]


def _shared_roots(node: fx.Node, roots: dict[fx.Node, dict[fx.Node, None]], work: _Work) -> list[fx.Node]:
    if node.target not in RULES:
        return []
    inputs = activations(node, work.channel_constants)
    if not inputs or any(source not in roots for source in inputs):
        return []
    return [root for root in roots[inputs[0]] if all(root in roots[source] for source in inputs[1:])]


def _may_be_root(node: fx.Node) -> bool:
    value = node.meta.get("val")
    return (
        isinstance(value, torch.Tensor)
        and value.dim() == 4
        and value.is_floating_point()
        and _channels(value) is not None
    )


def _channels(value: torch.Tensor) -> int | None:
    """The number of channels, or None where the graph only knows it as an expression in the image's size."""
    channels = expression(value.shape[1])
    return int(channels) if channels.is_Integer else None


def _component(nodes: list[fx.Node], roots: dict[fx.Node, dict[fx.Node, None]]) -> _Component:
    own = sum(_weight(node).numel() for node in nodes if node.target in _CONVOLUTIONS)
    return _Component(nodes, {node: list(roots[node]) for node in nodes}, max(own, _ALWAYS_ALLOWED_WEIGHTS))


def _collapse(component: _Component, work: _Work) -> None:
    if not any(node.target in _CONVOLUTIONS for node in component.nodes):
        return
    for node in component.nodes:
        _find_forms(node, component, work)
    explained: set[fx.Node] = set()
    for node in reversed(component.nodes):
        if node in work.dead or not _may_be_root(node):
            continue
        candidates = sorted(
            _candidates(node, component, work), key=lambda r: (r.saved, len(r.dying)), reverse=True
        )
        chosen = next((region for region in candidates if region.pays), None)
        if chosen is not None:
            _replace(chosen, work)
        elif node not in explained:
            _explain_cost(candidates, explained, work)
    _explain_refusals(component, work)
    component.forms.clear()


def _find_forms(node: fx.Node, component: _Component, work: _Work) -> None:
    forms: dict[fx.Node, Form] = {}
    refusals: dict[fx.Node, str] = {}
    inputs = activations(node, work.channel_constants)
    for root in component.roots[node]:
        if root is node:
            channels = _channels(node.meta["val"])
            assert channels is not None, "a root has a known number of channels"
            forms[node] = identity(channels)
            continue
        if any(root not in component.forms[source] for source in inputs):
            continue
        try:
            known = {source: component.forms[source][root] for source in inputs}
            context = Transfer(work.constants, work.channel_constants, known, component.limit)
            forms[root] = _typed(node, root, transfer(node, context))
        except NotAffineError as refusal:
            refusals[root] = str(refusal)
    component.inputs[node] = inputs
    component.forms[node] = forms
    component.refusals[node] = refusals


def _typed(node: fx.Node, root: fx.Node, form: Form) -> Form:
    value = node.meta["val"]
    if not isinstance(value, torch.Tensor):
        return form
    if value.dtype != root.meta["val"].dtype:
        raise NotAffineError(f"it changes dtype from {root.meta['val'].dtype} to {value.dtype}")
    if value.dim() != 4 or _channels(value) != form.channels:
        raise NotAffineError("it broadcasts the value to another shape")
    return form


def _candidates(last: fx.Node, component: _Component, work: _Work) -> Iterator[_Region]:
    for root, form in component.forms[last].items():
        if root is last or not form.convolves:
            continue
        try:
            kernel = emitted_convolution(form)
        except NotAffineError:
            continue
        nodes = _between(root, last, work.position)
        dying = _dying(nodes, last, work.dead)
        before = sum((_macs(node, root, last, component) for node in dying), Fraction())
        alone = sum((_macs(node, root, last, component) for node in nodes), Fraction())
        yield _Region(root, last, nodes, dying, kernel, before - kernel.macs, alone - kernel.macs)


def _between(root: fx.Node, last: fx.Node, position: dict[fx.Node, int]) -> list[fx.Node]:
    """Nodes through which ``last`` depends on ``root``, root excluded, in topological order."""
    above, pending = {last}, [last]
    while pending:
        for source in pending.pop().all_input_nodes:
            if source not in above and position.get(source, -1) > position[root]:
                above.add(source)
                pending.append(source)
    dependent = {root}
    for node in sorted(above, key=position.__getitem__):
        if _carries_tensor(node) and not dependent.isdisjoint(node.all_input_nodes):
            dependent.add(node)
    return sorted(dependent - {root}, key=position.__getitem__)


def _carries_tensor(node: fx.Node) -> bool:
    return isinstance(node.meta["val"], (torch.Tensor, tuple, list))


def _dying(nodes: list[fx.Node], last: fx.Node, dead: set[fx.Node]) -> list[fx.Node]:
    dying = {last}
    for node in reversed(nodes):
        if node is not last and all(user in dying or user in dead for user in node.users):
            dying.add(node)
    return [node for node in nodes if node in dying]


def _macs(node: fx.Node, root: fx.Node, last: fx.Node, component: _Component) -> Fraction:
    """Multiply-adds of ``node`` per pixel of ``last``; 0 where its density is not known, so it never pays."""
    form = component.forms.get(node, {}).get(root)
    if node.target not in _CONVOLUTIONS or form is None:
        return Fraction()
    end = component.forms[last][root]
    density = Fraction(1)
    for own, final in zip(form.axes, end.axes, strict=True):
        density *= Fraction(final.stride, own.stride)
    return _weight(node).numel() * density


def _weight(node: fx.Node) -> torch.Tensor:
    weight = node.args[1]
    assert isinstance(weight, fx.Node)
    return weight.meta["val"]


def _computes(node: fx.Node) -> bool:
    """Whether ``node`` does any work; reading a part of a split or slicing off nothing is none."""
    if node.target is torch.ops.aten.slice.Tensor:
        _, _, start, end, step = ordered_arguments(node)
        return not (start in (0, None) and end in (None, END) and step == 1)
    return node.target is not operator.getitem and node.target not in SPLITS


def _replace(region: _Region, work: _Work) -> None:
    try:
        proof = prove(region.root, region.last, region.nodes, work.constants, region.kernel)
        convolution = _emit(region, work)
    except NotAffineError as refusal:
        work.skipped.append(Skipped(_KIND, where(region.last), str(refusal)))
        return
    work.rewrites.append(_report(region, proof))
    substitute(region.last, convolution)
    work.dead.update(region.dying)


def _emit(region: _Region, work: _Work) -> fx.Node:
    kernel, last = region.kernel, region.last
    dtype = last.meta["val"].dtype
    for tensor in (kernel.weight, kernel.bias):
        if tensor is not None and not bool(tensor.to(dtype).isfinite().all()):
            raise NotAffineError(f"the composed weights do not fit into {dtype}")
    final = work.is_last_fold
    weight = work.constants.add(parameter_name(last, "weight"), kernel.weight, dtype, is_final=final)
    bias = None
    if kernel.bias is not None:
        bias = work.constants.add(parameter_name(last, "bias"), kernel.bias, dtype, is_final=final)
    emit = Emitter(last)
    source = _bordered(region, emit)
    padding = [ends[0] for ends in kernel.pad] if kernel.pads_itself else [0, 0]
    steps = (list(kernel.stride), padding, list(kernel.dilation), kernel.groups)
    return emit.call(torch.ops.aten.conv2d.default, source, weight, bias, *steps)


def _bordered(region: _Region, emit: Emitter) -> fx.Node:
    """The root as the convolution reads it: cropped, and padded where it cannot pad by itself."""
    source, kernel = region.root, region.kernel
    for dimension, (before, after) in zip((2, 3), kernel.crop, strict=True):
        if before or after:
            end = -after if after else END
            source = emit.call(torch.ops.aten.slice.Tensor, source, dimension, before, end)
    if not kernel.pads_itself:
        rows, columns = kernel.pad
        source = emit.call(torch.ops.aten.constant_pad_nd.default, source, [*columns, *rows], 0.0)
    return source


def _report(region: _Region, proof: RegionProof) -> Rewrite:
    before = _described(
        sum(node.target in _CONVOLUTIONS for node in region.dying), region.saved + region.kernel.macs
    )
    sizes = " and ".join(f"{height}x{width}" for height, width in proof.sizes)
    operations = sum(_computes(node) for node in region.dying)
    note = f"{operations} operations, float64 error {proof.error:.1e} at {sizes}"
    return Rewrite(_KIND, where(region.last), before, _described(1, Fraction(region.kernel.macs)), note)


def _described(convolutions: int, macs: Fraction) -> str:
    amount = f"{int(macs):,}" if macs.denominator == 1 else f"{float(macs):,.1f}"
    return f"{convolutions} convolution{'' if convolutions == 1 else 's'}, {amount} MACs per pixel"


def _explain_cost(candidates: list[_Region], explained: set[fx.Node], work: _Work) -> None:
    """Reports the merge at this value that would have cost more, unless a later value's report covers it."""
    merges = [r for r in candidates if sum(node.target in _CONVOLUTIONS for node in r.nodes) > 1]
    if not merges:
        return
    best = merges[0]
    explained.update(best.nodes)
    if best.saved_if_alone >= 0 > best.saved:
        reason = (
            f"a value inside it is read elsewhere ({_read_elsewhere(best)}), so merging would repeat its work"
        )
    else:
        own = _described(
            sum(n.target in _CONVOLUTIONS for n in best.nodes), best.saved_if_alone + best.kernel.macs
        )
        reason = f"one convolution would take {best.kernel.macs:,} MACs per pixel; it stays {own}"
    work.skipped.append(Skipped(_KIND, where(best.last), reason))


def _read_elsewhere(region: _Region) -> str:
    kept = [node for node in region.nodes if node not in region.dying]
    return where(kept[-1])


def _explain_refusals(component: _Component, work: _Work) -> None:
    """Reports, once per value, why it was not merged with a convolution that is still there before it.

    Reading a part of a value is no merge that could have saved anything.
    """
    for node in reversed(component.nodes):
        if node.target in _PARTS:
            continue
        for root, reason in component.refusals[node].items():
            kept = [
                s for s in component.inputs[node] if s not in work.dead and component.forms[s][root].convolves
            ]
            if kept:
                work.skipped.append(Skipped(_KIND, where(node), reason))
                break
