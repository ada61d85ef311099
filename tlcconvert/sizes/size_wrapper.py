"""Makes a network that needs sizes of a multiple and a minimum accept every size: pad, run, crop.

Given      x [N, C, H, W] -> network -> y [N, D, h(H), w(W)], for H and W the network accepts

Result     x [N, C, H, W], any H, W >= 1
             |  index_select(rows), index_select(columns)
           [N, C, H', W'] -> network -> [N, D, h(H'), w(W')]
             |  slice
           y [N, D, h(H), w(W)]

with H' = max(minimum, ceil(H / multiple) * multiple). Row i of the padded image is row

    H - 1 + max(1 - H, min(d, -d)),     d = i - (H - 1),     0 <= i < H'

of the image: itself for i < H, then reflected about the last row down to the first, which then repeats. That
is spandrel's rule (``spandrel.__helpers.size_req.pad_tensor``): reflect as far as that goes, then replicate.

The extents h and w are functions floor(a * n + b) (``output_extents.py``), and what is kept is as large as
if the network took the image itself: behind convolutions without padding that is every pixel whose surroundings lie
in the image, with a = 3/2 every row that does. An image so small that nothing is kept gives an empty output.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram

from passes.emitter import place_new_nodes
from passes.program import fake_mode, refresh, user_inputs
from passes.result import PassResult, Rewrite
from passes.torch_internals.names import DimDynamic, StatelessSymbolicContext, optimization_hint
from tlcconvert.network.eager_reference import tensors_of
from tlcconvert.sizes.output_extents import Extent, Extents
from tlcconvert.sizes.size_requirements import SizeRequirements

_ATEN = torch.ops.aten
_HEIGHT, _WIDTH = -2, -1


def serves_an_image(requirements: SizeRequirements, extents: Sequence[Extents | None]) -> bool:
    """Whether every image, padded where it has to be, could have an output.

    None below the minimum can where convolutions have no padding: what the network refuses is too small to leave a
    pixel, and a file that padded it would return nothing.
    """
    if requirements.multiple > 1 or requirements.minimum <= 1:
        return True
    below = requirements.minimum - 1
    images = [extent for extent in extents if extent is not None]
    return not images or any(min(image.at(below, below)) > 0 for image in images)


def wrap_sizes(
    program: ExportedProgram, multiple: int, minimum: int, extents: Sequence[Extents | None]
) -> PassResult:
    """Adds the wrapper around ``program`` in place; nothing is added where every size is accepted already.

    Every input of the image's size is padded, every output that is an image is cropped. The program's inputs get new
    height and width symbols, free of the multiple; inside the wrapper the symbols stay those of capture, which now
    stand for the padded size.

    Args:
        program: a captured program, ``[N, C, H, W]`` first.
        multiple, minimum: pixels, as in :class:`tlcconvert.sizes.size_requirements.SizeRequirements`.
        extents: of every output; None leaves one as it is.
    """
    if multiple <= 1 and minimum <= 1:
        return PassResult()
    known = set(program.graph.nodes)
    images = _inputs_of_image_size(program)
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
    _crop_outputs(program, extents, sizes)
    place_new_nodes(program.graph, known, "size_wrapper")
    refresh(program)
    accepted = f"multiples of {multiple} from {minimum} pixels on"
    return PassResult((Rewrite("image sizes", "<root>", accepted, "every size, padded and cropped"),))


class SizeWrapper(nn.Module):
    """The same wrapper in eager PyTorch, around the original network: the reference of every comparison.

    Args:
        extents: of every output in flattened order; None leaves one as it is.
    """

    def __init__(
        self, network: nn.Module, multiple: int, minimum: int, extents: Sequence[Extents | None]
    ) -> None:
        super().__init__()
        self.network = network
        self.multiple = multiple
        self.minimum = minimum
        self.extents = tuple(extents)

    def forward(self, image: Tensor, *extra: Tensor) -> Tensor | tuple[Tensor, ...]:
        height, width = image.shape[_HEIGHT:]
        rows, columns = self._source(height), self._source(width)
        padded = [
            given[..., rows, :][..., columns] if given.shape[_HEIGHT:] == (height, width) else given
            for given in (image, *extra)
        ]
        outputs = tensors_of(self.network(*padded))
        cropped = tuple(
            output if extents is None else _top_left(output, extents.at(height, width))
            for output, extents in zip(outputs, self.extents, strict=True)
        )
        return cropped[0] if len(cropped) == 1 else cropped

    def _source(self, size: int) -> Tensor:
        padded = max(self.minimum, -(-size // self.multiple) * self.multiple)
        last = size - 1
        return torch.tensor([max(0, last - abs(i - last)) for i in range(padded)])


def _top_left(output: Tensor, size: tuple[int, int]) -> Tensor:
    height, width = (max(0, extent) for extent in size)
    return output[..., :height, :width]


def _inputs_of_image_size(program: ExportedProgram) -> list[fx.Node]:
    inputs = user_inputs(program)
    size = inputs[0].meta["val"].shape[_HEIGHT:]
    return [node for node in inputs if _same(node.meta["val"].shape[_HEIGHT:], size)]


def _same(shape: Any, other: Any) -> bool:
    return [str(size) for size in shape] == [str(size) for size in other]


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
    """The row (or column) of the image that each row of the padded image shows.

    Runtimes decide how it is written: OpenVINO takes the absolute value of constant whole numbers for the numbers
    themselves, and OpenCV clamps none.
    """
    call = graph.call_function
    padded = size
    if multiple > 1:
        count = call(operator.floordiv, (call(operator.add, (size, multiple - 1)), multiple))
        padded = call(operator.mul, (count, multiple))
    if minimum > multiple:
        padded = call(torch.sym_max, (padded, minimum))
    last = call(operator.sub, (size, 1))
    position = call(_ATEN.arange.default, (padded,), {"device": torch.device("cpu"), "pin_memory": False})
    behind = call(_ATEN.sub.Tensor, (position, last))
    nearer = call(_ATEN.minimum.default, (behind, call(_ATEN.neg.default, (behind,))))
    first = call(_ATEN.slice.Tensor, (behind, 0, 0, 1))
    return call(_ATEN.add.Tensor, (call(_ATEN.maximum.default, (nearer, first)), last))


def _crop_outputs(program: ExportedProgram, extents: Sequence[Extents | None], sizes: list[fx.Node]) -> None:
    """Slices every image to its extents at ``sizes`` where the program returns it."""
    returning = program.graph.output_node()
    (values,) = returning.args
    assert isinstance(values, (tuple, list))
    cropped = list(values)
    with program.graph.inserting_before(returning):
        for position, output in enumerate(extents):
            if output is None:
                continue
            for axis, size, extent in zip(
                (_HEIGHT, _WIDTH), sizes, (output.height, output.width), strict=True
            ):
                end = _length(program.graph, size, extent)
                cropped[position] = program.graph.call_function(
                    _ATEN.slice.Tensor, (cropped[position], axis, 0, end)
                )
    returning.args = (tuple(cropped),)


def _length(graph: fx.Graph, size: fx.Node, extent: Extent) -> fx.Node:
    """``extent`` at ``size``, and 0 where it is less."""
    call, length = graph.call_function, size
    for operation, number, neutral in (
        (operator.mul, extent.times, 1),
        (operator.add, extent.plus, 0),
        (operator.floordiv, extent.over, 1),
        (operator.mul, extent.step, 1),
        (operator.add, extent.shift, 0),
    ):
        if number != neutral:
            length = call(operation, (length, number))
    return call(torch.sym_max, (length, 0)) if extent(0) < 0 else length
