"""What still depends on the whole image once the doors are done.

A table of doors cannot see what it does not match. This walk looks at every operation of the graph instead and
names each one that reduces, contracts, normalises, sorts or transforms over an extent that grows with the
height or width of the image, so that nothing global is left without a word.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram

from passes.arguments import bound_arguments
from passes.program import tensors_in, where
from passes.result import PassResult, Skipped
from passes.sizes import ImageSize, expression, image_size, shape_expressions
from passes.torch_internals.names import OpOverload
from passes.window_domain.layout import pixel_layouts

aten = torch.ops.aten

Axes = Iterable[int]


def audit(program: ExportedProgram, known: Collection[fx.Node] = ()) -> PassResult:
    """Names every operation that still reads an extent of the image, in graph order; changes nothing.

    Args:
        known: nodes that are reported already.
    """
    image = image_size(program)
    found: dict[tuple[str, str], Skipped] = {}
    layouts = pixel_layouts(program.graph, image)
    for node in program.graph.nodes:
        if node in known or not (kind := global_kind(node, image)):
            continue
        reason = f"{node.target} depends on the size of the whole image"
        lost = next((why for source in node.all_input_nodes if (why := layouts.why_none(source))), "")
        reason += lost and f"; {lost}"
        found.setdefault((kind, where(node)), Skipped(kind, where(node), reason))
    return PassResult(skipped=tuple(found.values()))


def global_kind(node: fx.Node, image: ImageSize) -> str:
    """What ``node`` does over an extent of the image, or ``""``."""
    if node.op != "call_function" or not isinstance(node.target, OpOverload):
        return ""
    if node.target.namespace == "tlc" or not _pixel_sources(node, image):
        return ""
    packet = node.target.overloadpacket
    name = packet.__name__
    if "fft" in name:
        return "Fourier transform" if _fourier(node, image) else ""
    if packet in _AXES_READ and node.target is not aten.max.other and node.target is not aten.min.other:
        kind, axes = _AXES_READ[packet]
        return kind if _any_spatial(node, axes(node), image, _OPERAND_READ.get(packet, 0)) else ""
    if packet is aten.einsum:
        return "matrix product over pixels" if _einsum_contracts(node, image) else ""
    if packet in _BATCH_NORMS:
        return "batch norm on batch statistics" if bound_arguments(node)["training"] else ""
    return "reduction to a fixed size" if _collapses(node, image) else ""


def _pixel_sources(node: fx.Node, image: ImageSize) -> list[fx.Node]:
    return [
        source
        for source in node.all_input_nodes
        if isinstance(source.meta.get("val"), torch.Tensor) and image.spatial_axes(shape_expressions(source))
    ]


def _any_spatial(node: fx.Node, axes: Axes, image: ImageSize, operand: int = 0) -> bool:
    source = node.args[operand]
    if not isinstance(source, fx.Node) or not isinstance(source.meta.get("val"), torch.Tensor):
        return False
    shape = shape_expressions(source)
    return bool(shape) and any(image.is_spatial(shape[axis % len(shape)]) for axis in axes)


def _named_dims(name: str = "dim") -> Callable[[fx.Node], Axes]:
    def dims(node: fx.Node) -> Axes:
        value = bound_arguments(node).get(name)
        if isinstance(value, int):
            return (value,)
        return value or _every_axis(node)

    return dims


def _every_axis(node: fx.Node) -> Axes:
    return range(len(shape_expressions(node.args[0])))  # type: ignore[arg-type]


def _last_axis(_: fx.Node) -> Axes:
    return (-1,)


def _normalized_axes(node: fx.Node) -> Axes:
    return range(-len(bound_arguments(node)["normalized_shape"]), 0)


def _all_but_batch(node: fx.Node) -> Axes:
    return list(_every_axis(node))[1:]


def _instance_axes(node: fx.Node) -> Axes:
    return list(_every_axis(node))[2:] if bound_arguments(node)["use_input_stats"] else ()


def _key_axis(_: fx.Node) -> Axes:
    return (-2,)


def _channel_axis(_: fx.Node) -> Axes:
    return (1,)


def _reductions(kind: str, *packets: str) -> dict[Any, tuple[str, Callable[[fx.Node], Axes]]]:
    return {getattr(aten, packet): (kind, _named_dims()) for packet in packets}


_AXES_READ: dict[Any, tuple[str, Callable[[fx.Node], Axes]]] = {
    **_reductions("global mean", "mean"),
    **_reductions("global sum", "sum", "nansum"),
    **_reductions("global maximum", "amax", "amin", "max", "min", "argmax", "argmin", "aminmax"),
    **_reductions("global variance", "var", "std", "var_mean", "std_mean"),
    **_reductions("global norm", "norm", "linalg_vector_norm", "prod"),
    **_reductions("global log-sum-exp", "logsumexp", "special_logsumexp"),
    **_reductions("global order statistic", "median", "nanmedian", "quantile", "kthvalue", "mode"),
    **_reductions("sort over pixels", "sort", "argsort", "topk"),
    **_reductions("running sum over pixels", "cumsum", "cumprod", "cummax", "cummin", "logcumsumexp"),
    **_reductions("softmax over pixels", "softmax", "_softmax", "log_softmax", "_log_softmax"),
    aten.layer_norm: ("norm over pixels", _normalized_axes),
    aten.native_layer_norm: ("norm over pixels", _normalized_axes),
    aten.rms_norm: ("norm over pixels", _normalized_axes),
    aten.group_norm: ("group norm", _all_but_batch),
    aten.native_group_norm: ("group norm", _all_but_batch),
    aten.instance_norm: ("instance norm", _instance_axes),
    aten.matmul: ("matrix product over pixels", _last_axis),
    aten.bmm: ("matrix product over pixels", _last_axis),
    aten.mm: ("matrix product over pixels", _last_axis),
    aten.baddbmm: ("matrix product over pixels", _last_axis),
    aten.addmm: ("matrix product over pixels", _last_axis),
    aten.linear: ("linear layer over pixels", _last_axis),
    aten.scaled_dot_product_attention: ("attention over pixels", _key_axis),
    aten.conv2d: ("convolution over flattened pixels", _channel_axis),
    aten.conv1d: ("convolution over flattened pixels", _channel_axis),
    aten.unique_consecutive: ("sort over pixels", _every_axis),
    aten._unique2: ("sort over pixels", _every_axis),
    aten.nonzero: ("selection of pixels", _every_axis),
}

_OPERAND_READ = {aten.scaled_dot_product_attention: 1, aten.baddbmm: 1, aten.addmm: 1}
"""Which operand has those axes, where it is not the first."""


def _fourier(node: fx.Node, image: ImageSize) -> bool:
    arguments = bound_arguments(node)
    dims = arguments.get("dim")
    if isinstance(dims, int):
        dims = (dims,)
    return _any_spatial(node, dims or _every_axis(node), image)


def _einsum_contracts(node: fx.Node, image: ImageSize) -> bool:
    equation, operands = node.args[:2]
    terms, arrow, result = str(equation).replace(" ", "").partition("->")
    if not arrow:
        result = "".join(label for label in terms if terms.count(label) == 1)
    for term, operand in zip(terms.split(","), operands, strict=True):  # type: ignore[arg-type]
        shape = shape_expressions(operand)
        if any(
            label not in result and image.is_spatial(size)
            for label, size in zip(reversed(term), reversed(shape), strict=False)
        ):
            return True
    return False


_BATCH_NORMS = (
    aten.batch_norm,
    aten.native_batch_norm,
    aten._native_batch_norm_legit,
    aten._native_batch_norm_legit_functional,
)
_READS_NO_PIXELS = (
    aten.sym_size, aten.new_zeros, aten.new_ones, aten.new_full, aten.new_empty, aten.type_as, aten.to
)  # fmt: skip
"""Of a second operand, the type at most."""
_PICKS_PIXELS = (aten.slice, aten.select, aten.narrow, aten.index, aten.constant_pad_nd, aten.pad)


def _collapses(node: fx.Node, image: ImageSize) -> bool:
    """Whether any other operation makes a fixed extent of one that grows with the height or the width."""
    if node.target.overloadpacket in (*_READS_NO_PIXELS, *_PICKS_PIXELS):  # type: ignore[union-attr]
        return False
    shapes = [[expression(size) for size in result.shape] for result in tensors_in(node)]
    sources = [shape_expressions(source) for source in _pixel_sources(node, image)]
    return bool(shapes) and any(
        any(grows(size) for shape in sources for size in shape)
        and not any(grows(size) for shape in shapes for size in shape)
        for grows in (image.grows_with_height, image.grows_with_width)
    )
