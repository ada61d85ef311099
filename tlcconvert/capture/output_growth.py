"""How the outputs of a captured network grow with the image, and where the growth of one ends.

Two sources must agree. The symbolic shapes of the program hold at every size, but rest on what the exporter took for
granted; the network on shapes alone (``ShapeRun``) takes nothing for granted, but tells of
the sizes it is asked for only. So a formula is fitted to the symbolic shapes over hundreds of sizes, and believed
where the network returns maps of that size for a photograph and for images of thousands of rows or columns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

import sympy
import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram

from passes.program import runnable, where
from passes.sizes import ImageSize, image_size, shape_expressions
from passes.torch_internals.names import FakeTensorMode
from passes.torch_internals.sympy_functions import PythonReferenceAnalysis, sympy_interp
from tlcconvert.capture.capture import Captured
from tlcconvert.capture.narrowed_sizes import deviation_at
from tlcconvert.errors import CaptureError, first_line
from tlcconvert.network.output_distance import TOLERANCE
from tlcconvert.network.shape_run import Accepted
from tlcconvert.process_state.silence import silence
from tlcconvert.sizes.output_extents import Extent, Extents, fitted
from tlcconvert.sizes.size_requirements import SizeRequirements

_DENSE = 256
_FAR = (90_090_000, 180_180_001, 270_270_002)
_SHORT, _LONG = 64, 4999  # pixels
_PHOTOGRAPH, _SMALL = (720, 1280), (97, 65)

Shape = tuple[int, ...]
Pixels = tuple[int, int]


class Kind(Enum):
    """What an output is.

    An image has height and width last, each a function of the same axis of the image. ``OTHER`` is a vector, a
    number, or of another rank than an image. The rest are maps [N, C, h, w] with more than one value per channel
    which are no images: ``CUT`` by an operation from map to map (a crop, a pool, a resize to a fixed size), or
    ``COMPUTED`` from statistics (a blur kernel, a Gram matrix) or from a mixture of both axes.
    """

    IMAGE = "image"
    IRREGULAR = "image whose extents follow no formula"
    CUT = "cut"
    COMPUTED = "computed"
    OTHER = "other"


@dataclass(frozen=True)
class Growth:
    """What became of one output: its kind, the extents of an image, and a sentence on why it has none."""

    kind: Kind
    extents: Extents | None = None
    reason: str = ""


def output_growth(captured: Captured) -> tuple[Growth, ...]:
    """The growth of every output of ``captured``, in the order the program returns them."""
    values = captured.program.graph.output_node().args[0]
    assert isinstance(values, (tuple, list))
    with silence():
        shapes = _Shapes(captured)
        tensors = 0
        growths = []
        for value in values:
            if not isinstance(value, fx.Node) or not isinstance(value.meta.get("val"), Tensor):
                growths.append(Growth(Kind.OTHER))
                continue
            growths.append(_growth(captured, shapes, value, tensors))
            tensors += 1
    return tuple(growths)


def images_kept(
    growths: Sequence[Growth], kept: Sequence[int]
) -> tuple[tuple[Extents | None, ...], tuple[str, ...]]:
    """The extents of the outputs at ``kept``, None where one is no image, and notes on what was not taken for one.

    Raises:
        CaptureError: one of them stops growing with the image; or it is a map and the network returns no image.
    """
    has_image = any(growth.kind in (Kind.IMAGE, Kind.IRREGULAR) for growth in growths)
    notes = []
    for output in kept:
        growth = growths[output]
        if growth.kind is Kind.CUT or (growth.kind is Kind.COMPUTED and not has_image):
            raise CaptureError(growth.reason)
        if growth.reason:
            notes.append(f"output {output}: {growth.reason.removesuffix('.')}")
    return tuple(growths[output].extents for output in kept), tuple(notes)


def padding_note(
    captured: Captured, bare: nn.Module, kept: Sequence[int], extents: Sequence[Extents | None]
) -> tuple[str, ...]:
    """A note on a size which the network runs at and the file pads, and what the network would have done there.

    Args:
        bare: the network with the outputs at ``kept``, as ``captured.program`` has them.
    """
    requirements = captured.requirements
    multiple = requirements.multiple
    network = captured.on_shapes if multiple > 1 else None
    if network is None:
        return ()
    also = f"the network also runs at sizes that are no multiple of {multiple}"
    for remainder in sorted({1, multiple // 2, multiple - 1}):
        size = (requirements.up(_SMALL[0]) + remainder, requirements.up(_SMALL[1]) + remainder)
        with silence():
            accepted = network(*size, 1)
        if not accepted:
            continue
        for output, image in zip(kept, extents, strict=True):
            if image is not None and _last_two(accepted, output) != image.at(*size):
                returned, stated = _pixels(_last_two(accepted, output)), _pixels(image.at(*size))
                return (
                    f"{also}, but returns {returned} pixels for {_pixels(size)}: the file pads such images and "
                    f"returns {stated}",
                )
        off = deviation_at(runnable(captured.program), bare, captured.inputs, requirements, size)
        if off is not None and off.relative_error > TOLERANCE:
            return (f"{also}: the file pads such images, which is off by {off} from the network itself",)
    return ()


class _Shapes:
    """The output shapes at (height, width) of the network, or of its graph where only that runs on shapes."""

    def __init__(self, captured: Captured) -> None:
        self._inputs = captured.inputs
        self._graph = runnable(captured.program)
        self._network = captured.on_shapes
        self._seen: dict[Pixels, Accepted] = {}
        self._inside: dict[Pixels, dict[fx.Node, Shape]] = {}

    def __call__(self, height: int, width: int) -> Accepted:
        size = (height, width)
        if size not in self._seen:
            told = self._network(height, width, 1) if self._network is not None else None
            self._seen[size] = told or self._of_graph(height, width)
        return self._seen[size]

    def inside(self, height: int, width: int) -> dict[fx.Node, Shape]:
        """The shape of every tensor of the graph.

        Raises:
            Exception: the graph does not take this size.
        """
        size = (height, width)
        if size not in self._inside:
            interpreter = _Recorder(self._graph)
            with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
                interpreter.run(*(torch.empty(shape) for shape in self._inputs.sizes(1, height, width)))
            self._inside[size] = interpreter.shapes
        return self._inside[size]

    @property
    def outputs(self) -> list[fx.Node]:
        """The nodes of the graph behind the outputs that are tensors."""
        (returned,) = self._graph.graph.output_node().args
        nodes = returned if isinstance(returned, (tuple, list)) else [returned]
        return [
            node for node in nodes if isinstance(node, fx.Node) and isinstance(node.meta.get("val"), Tensor)
        ]

    def _of_graph(self, height: int, width: int) -> Accepted:
        try:
            shapes = self.inside(height, width)
        except Exception as error:
            return Accepted(reason=first_line(error))
        return Accepted(tuple(shapes[node] for node in self.outputs))


class _Recorder(fx.Interpreter):
    """Keeps the shape of every tensor a graph computes."""

    def __init__(self, graph: fx.GraphModule) -> None:
        super().__init__(graph)
        self.shapes: dict[fx.Node, Shape] = {}

    def run_node(self, n: fx.Node) -> object:
        value = super().run_node(n)
        if isinstance(value, Tensor):
            self.shapes[n] = tuple(int(size) for size in value.shape)
        return value


def _growth(captured: Captured, shapes: _Shapes, output: fx.Node, position: int) -> Growth:
    rank = output.meta["val"].dim()
    if rank < 3:
        return Growth(Kind.OTHER)
    requirements = captured.requirements
    formula = _symbolic_extents(captured.program, requirements, output)
    for size in (_PHOTOGRAPH, (_LONG, _SHORT), (_SHORT, _LONG), _SMALL):
        height, width = map(requirements.up, size)
        accepted = shapes(height, width)
        if formula is None or not accepted:
            continue
        seen = _last_two(accepted, position)
        if seen != formula.at(height, width):
            return _stopped(requirements, shapes, position) or _contradicted(formula, seen, (height, width))
    if formula is not None:
        return Growth(Kind.IMAGE, formula)
    return _without_formula(requirements, shapes, position) if rank == 4 else Growth(Kind.OTHER)


def _last_two(accepted: Accepted, position: int) -> Pixels:
    height, width = accepted.shapes[position][-2:]
    return height, width


def _symbolic_extents(
    program: ExportedProgram, requirements: SizeRequirements, output: fx.Node
) -> Extents | None:
    """The formulas of an output's last two axes in the program's symbols; None where one of them has none."""
    image = image_size(program)
    height, width = shape_expressions(output)[-2:]

    def of_height(pixels: int, other: int) -> int:
        return _value(height, image, pixels, other)

    def of_width(pixels: int, other: int) -> int:
        return _value(width, image, other, pixels)

    try:
        rows, columns = (_fitted(length, requirements) for length in (of_height, of_width))
    except (ArithmeticError, NotImplementedError, KeyError):
        return None
    return Extents(rows, columns) if rows is not None and columns is not None else None


def _fitted(length: Callable[[int, int], int], requirements: SizeRequirements) -> Extent | None:
    """The formula of ``length`` (pixels of the same axis, of the other) over accepted sizes, if it grows by one."""
    step, least = requirements.multiple, requirements.minimum
    other = requirements.up(_SHORT)
    near = [least + step * count for count in range(_DENSE)]
    far = [requirements.up(pixels) for pixels in _FAR]
    extent = fitted({pixels: length(pixels, other) for pixels in (*near, *far)})
    if extent is None or extent.times == 0:
        return None
    further = [near[-1] + 7 * step * count for count in range(1, _DENSE)]
    is_right = all(extent(pixels) == length(pixels, other) for pixels in further)
    is_alone = all(
        extent(pixels) == length(pixels, beside) for pixels in near[:3] for beside in further[:3] + far
    )
    return extent if is_right and is_alone else None


def _value(size: sympy.Expr, image: ImageSize, height: int, width: int) -> int:
    """``size`` for an image of height x width pixels, which are multiples of the captured ones.

    Raises:
        KeyError: it depends on something else than the height and width of the image.
    """
    values = {
        symbol: pixels // image.multiple(axis)
        for axis, pixels in ((image.height, height), (image.width, width))
        for symbol in axis.free_symbols
    }
    return int(sympy_interp(PythonReferenceAnalysis, {s: values[s] for s in size.free_symbols}, size))


def _contradicted(formula: Extents, seen: Pixels, size: Pixels) -> Growth:
    """The network branches on a size too large to be run, and its graph follows one of the branches."""
    reason = (
        f"For an image of {_pixels(size)} pixels the network returns {_pixels(seen)} pixels, "
        f"but its graph {_pixels(formula.at(*size))}."
    )
    return Growth(Kind.CUT, reason=reason)


def _without_formula(requirements: SizeRequirements, shapes: _Shapes, position: int) -> Growth:
    """Why a map [N, C, h, w] is no image, told by what long images make of it."""
    stopped = _stopped(requirements, shapes, position)
    if stopped is not None:
        return stopped
    short, long = map(requirements.up, (_SHORT, _LONG))
    seen = [shapes(*size) for size in ((short, short), (long, short), (short, long))]
    if not all(seen):
        return Growth(
            Kind.IRREGULAR, reason="how it grows with the image was not found: it runs at no long image"
        )
    square, tall, wide = (_last_two(accepted, position) for accepted in seen)
    if square[1] == tall[1] and square[0] == wide[0]:
        return Growth(Kind.IRREGULAR, reason="its height and width are no floor(a * n + b) of the image's")
    mixing = _first_without(_Inside(shapes, requirements).is_map, shapes.outputs[position])
    reason = (
        f"The height and width of the network's output do not each follow the image's: it is {_pixels(tall)} pixels "
        f"for an image of {long}x{short}{_place(', since', mixing)}."
    )
    return Growth(Kind.COMPUTED, reason=reason)


def _stopped(requirements: SizeRequirements, shapes: _Shapes, position: int) -> Growth | None:
    """The growth of a map that is the same for images of other lengths; None where it differs along both axes."""
    short, long, longer = map(requirements.up, (_SHORT, _LONG, 2 * _LONG))
    for axis, sizes in enumerate((((long, short), (longer, short)), ((short, long), (short, longer)))):
        seen = [shapes(*size) for size in sizes]
        if not all(seen):
            continue
        extents, others = (_last_two(accepted, position) for accepted in seen)
        if extents == others:
            return _fixed(_Inside(shapes, requirements), shapes.outputs[position], axis, sizes[0], extents)
    return None


def _fixed(inside: _Inside, output: fx.Node, axis: int, image: Pixels, extents: Pixels) -> Growth:
    """The growth of an output that stays ``extents`` when ``axis`` of a long ``image`` grows on."""
    if extents == (1, 1):
        return Growth(Kind.OTHER)
    ending = _first_without(lambda node: inside.grows(node, axis), output)
    is_cut = ending is None or inside.is_cut(ending, axis)
    reason = (
        f"The network's output does not grow with the image: it is {_pixels(extents)} pixels for an image of "
        f"{_pixels(image)} and any of more {('rows', 'columns')[axis]}{_place('; growth ends at', ending)}."
    )
    return Growth(Kind.CUT if is_cut else Kind.COMPUTED, reason=reason)


class _Inside:
    """How the tensors inside a graph grow, from long images to images twice as long; nothing where it takes none."""

    def __init__(self, shapes: _Shapes, requirements: SizeRequirements) -> None:
        short, long, longer = map(requirements.up, (_SHORT, _LONG, 2 * _LONG))
        try:
            self._pairs = [
                (shapes.inside(long, short), shapes.inside(longer, short)),
                (shapes.inside(short, long), shapes.inside(short, longer)),
            ]
        except Exception:
            self._pairs = []

    def grows(self, node: fx.Node, axis: int) -> bool:
        """Whether something of ``node`` beside its first axis, the batch, grows with ``axis`` of the image."""
        if not self._pairs or node not in self._pairs[axis][0]:
            return False
        long, longer = self._pairs[axis]
        return long[node][1:] != longer[node][1:]

    def is_map(self, node: fx.Node) -> bool:
        """Whether the last two axes of ``node`` grow with height and width of the image, each with its own."""
        if not self._pairs or len(self._pairs[0][0].get(node, ())) < 4:
            return False
        return all(
            (long[node][own - 2] == longer[node][own - 2]) == (axis != own)
            for axis, (long, longer) in enumerate(self._pairs)
            for own in (0, 1)
        )

    def is_cut(self, node: fx.Node, axis: int) -> bool:
        """Whether ``node`` makes a map of a map, and of a fixed number of rows (``axis`` 0) or columns (1)."""
        shape = self._pairs[axis][0][node]
        return len(shape) >= 4 and shape[axis - 2] > 1 and any(map(self.is_map, node.all_input_nodes))


def _first_without(has: Callable[[fx.Node], bool], output: fx.Node) -> fx.Node | None:
    """The operation nearest to ``output`` that makes something without a property of something with it."""
    waiting, met = deque([output]), {output}
    while waiting:
        node = waiting.popleft()
        if any(map(has, node.all_input_nodes)):
            return node
        for source in node.all_input_nodes:
            if source not in met:
                met.add(source)
                waiting.append(source)
    return None


def _place(words: str, node: fx.Node | None) -> str:
    if node is None:
        return ""
    name = getattr(node.target, "__name__", str(node.target)).split(".")[0]
    return f"{words} {name} in {where(node)}"


def _pixels(size: Pixels) -> str:
    return f"{size[0]}x{size[1]}"
