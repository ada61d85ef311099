"""Makes a network that needs sizes of a multiple and a minimum accept every size: pad, run, crop.

Given      x [N, C, H, W] -> network -> y [N, D, scale * H, scale * W], for H and W the network accepts

Result     x [N, C, H, W], any H, W >= 1
             |  index_select(rows), index_select(columns)
           [N, C, H', W'] -> network -> [N, D, scale * H', scale * W']
             |  slice
           y [N, D, scale * H, scale * W]

with H' = max(minimum, ceil(H / multiple) * multiple). Row i of the padded image is row

    max(0, H - 1 - |i - (H - 1)|),     0 <= i < H'

of the image: itself for i < H, then reflected about the last row down to the first, which then repeats. That
is spandrel's rule (``spandrel.__helpers.size_req.pad_tensor``): reflect as far as that goes, then replicate.
"""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import TensorArgument
from torch.fx.experimental.symbolic_shapes import DimDynamic, StatelessSymbolicContext, optimization_hint

from passes.program import fake_mode, refresh, user_inputs
from tlcconvert.eager_reference import tensors_of

_ATEN = torch.ops.aten
_HEIGHT, _WIDTH = -2, -1


def wrap_sizes(program: ExportedProgram, multiple: int, minimum: int, scale: int) -> None:
    """Adds the wrapper around ``program`` in place; nothing is added where every size is accepted already.

    Every input of the image's size is padded, every output of ``scale`` times that size is cropped. The
    program's inputs get new height and width symbols, free of the multiple; inside the wrapper the symbols stay
    those of capture, which now stand for the padded size.

    Args:
        program: a captured program, ``[N, C, H, W]`` first.
        multiple, minimum: pixels, as in :class:`tlcconvert.size_requirements.SizeRequirements`.
        scale: output size over input size; 0 leaves the outputs as they are.
    """
    if multiple <= 1 and minimum <= 1:
        return
    images = _inputs_of_image_size(program)
    padded_hint = [_hint(size) for size in images[0].meta["val"].shape[_HEIGHT:]]
    outputs = _outputs_of_size(program, [scale * size for size in padded_hint]) if scale else []
    readers = {image: (image.meta["val"], list(image.users)) for image in images}
    _free_sizes(program, images, multiple)
    with program.graph.inserting_before(user_inputs(program)[-1].next):
        sizes = [program.graph.call_function(_ATEN.sym_size.int, (images[0], axis)) for axis in (2, 3)]
        sources = [_source_index(program.graph, size, multiple, minimum) for size in sizes]
        for image, (accepted, users) in readers.items():
            padded = image
            for axis, source in zip((_HEIGHT, _WIDTH), sources, strict=True):
                padded = program.graph.call_function(_ATEN.index_select.default, (padded, axis, source))
            padded.meta["val"] = accepted
            for user in users:
                user.replace_input_with(image, padded)
    for output in outputs:
        _crop(program, output, sizes, scale)
    refresh(program)


class SizeWrapper(nn.Module):
    """The same wrapper in eager PyTorch, around the original network: the reference of every comparison."""

    def __init__(self, network: nn.Module, multiple: int, minimum: int, scale: int) -> None:
        super().__init__()
        self.network = network
        self.multiple = multiple
        self.minimum = minimum
        self.scale = scale

    def forward(self, image: Tensor, *extra: Tensor) -> Tensor | tuple[Tensor, ...]:
        height, width = image.shape[_HEIGHT:]
        rows, columns = self._source(height), self._source(width)
        padded = [
            given[..., rows, :][..., columns] if given.shape[_HEIGHT:] == (height, width) else given
            for given in (image, *extra)
        ]
        outputs = tensors_of(self.network(*padded))
        full_size = (self.scale * len(rows), self.scale * len(columns))
        cropped = tuple(
            output[..., : self.scale * height, : self.scale * width]
            if output.dim() >= 2 and output.shape[_HEIGHT:] == full_size
            else output
            for output in outputs
        )
        return cropped[0] if len(cropped) == 1 else cropped

    def _source(self, size: int) -> Tensor:
        padded = max(self.minimum, -(-size // self.multiple) * self.multiple)
        last = size - 1
        return torch.tensor([max(0, last - abs(i - last)) for i in range(padded)])


def _inputs_of_image_size(program: ExportedProgram) -> list[fx.Node]:
    inputs = user_inputs(program)
    size = inputs[0].meta["val"].shape[_HEIGHT:]
    return [node for node in inputs if _same(node.meta["val"].shape[_HEIGHT:], size)]


def _same(shape: Any, other: Any) -> bool:
    return [str(size) for size in shape] == [str(size) for size in other]


def _outputs_of_size(program: ExportedProgram, size: list[int]) -> list[fx.Node]:
    values = program.graph.output_node().args[0]
    assert isinstance(values, (tuple, list))
    return [
        value
        for value in dict.fromkeys(values)
        if isinstance(value, fx.Node) and [_hint(axis) for axis in value.meta["val"].shape[_HEIGHT:]] == size
    ]


def _hint(size: Any) -> int:
    return int(optimization_hint(size))


def _free_sizes(program: ExportedProgram, images: list[fx.Node], multiple: int) -> None:
    """New height and width symbols for ``images``, of an example that is no multiple, lest one be assumed."""
    mode = fake_mode(program)
    first = images[0].meta["val"]
    height, width = (_hint(size) - (multiple > 1) for size in first.shape[_HEIGHT:])
    context: StatelessSymbolicContext[Any, Any] = StatelessSymbolicContext(
        dynamic_sizes=[DimDynamic.DYNAMIC] * 2
    )
    free = mode.from_tensor(torch.empty(height, width), symbolic_context=context)
    for node in images:
        old = node.meta["val"]
        node.meta["val"] = old.new_empty((*old.shape[:_HEIGHT], *free.shape))


def _source_index(graph: fx.Graph, size: fx.Node, multiple: int, minimum: int) -> fx.Node:
    """The row (or column) of the image that each row of the padded image shows."""
    call = graph.call_function
    padded = size
    if multiple > 1:
        count = call(operator.floordiv, (call(operator.add, (size, multiple - 1)), multiple))
        padded = call(operator.mul, (count, multiple))
    if minimum > multiple:
        padded = call(torch.sym_max, (padded, minimum))
    last = call(operator.sub, (size, 1))
    position = call(_ATEN.arange.default, (padded,), {"device": torch.device("cpu"), "pin_memory": False})
    distance = call(_ATEN.abs.default, (call(_ATEN.sub.Tensor, (position, last)),))
    mirrored = call(_ATEN.add.Tensor, (call(_ATEN.neg.default, (distance,)), last))
    return call(_ATEN.clamp.default, (mirrored, 0))


def _crop(program: ExportedProgram, output: fx.Node, sizes: list[fx.Node], scale: int) -> None:
    """Slices ``output`` to ``scale`` times ``sizes`` where the program returns it."""
    returning = program.graph.output_node()
    cropped = output
    with program.graph.inserting_before(returning):
        for axis, size in zip((_HEIGHT, _WIDTH), sizes, strict=True):
            end = program.graph.call_function(operator.mul, (size, scale)) if scale > 1 else size
            cropped = program.graph.call_function(_ATEN.slice.Tensor, (cropped, axis, 0, end))
    returning.replace_input_with(output, cropped)
    for spec in program.graph_signature.output_specs:
        if spec.arg.name == output.name:
            spec.arg = TensorArgument(name=cropped.name)
