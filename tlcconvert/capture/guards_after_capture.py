"""What the steps after capture take for granted about sizes.

Capture's own guards are tried on both sides (``export_guards.py``). Whatever computes the shape of a new node or
traces a decomposition afterwards may ask the same kind of question, which the program's ``ShapeEnv`` answers for the
example and records. Each such condition is looked up here at many accepted sizes; where it is false, the file is run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import sympy
from torch.export import ExportedProgram

from passes.program import fake_mode
from passes.sizes import ImageSize, image_size
from tlcconvert.capture.export_guards import Shape
from tlcconvert.errors import CaptureError
from tlcconvert.sizes.size_requirements import SizeRequirements

_MOST_PIXELS_TO_RUN = 2**18
_LARGE = (64, 96, 160, 256, 512, 1024, 2048, 4096)


class GuardsAfterCapture:
    """The conditions a program's environment gains from now on.

    Args:
        program: as captured: its image has the sizes the network accepts.
        requirements: those sizes; an image of another size is padded to one.
    """

    def __init__(self, program: ExportedProgram, requirements: SizeRequirements) -> None:
        self._environment = fake_mode(program).shape_env
        self._known = {guard.expr for guard in self._environment.guards}
        self._replaced = set(self._environment.replacements)
        self._images: list[tuple[ImageSize, Callable[[int], int]]] = [(image_size(program), requirements.up)]
        self._requirements = requirements

    def wrapped(self, program: ExportedProgram) -> None:
        """Tells that the image of ``program`` may have any size; inside it stays what it was."""
        image = image_size(program)
        if image != self._images[0][0]:
            self._images.append((image, lambda extent: extent))

    def sizes_to_try(self) -> tuple[tuple[Shape, ...], tuple[str, ...]]:
        """Images (batch, height, width) at which a condition is false, and the conditions no image tries.

        A condition that no size up to 4097 pixels contradicts is in neither; one on other symbols than the image's
        sizes is among those that are not tried.

        Raises:
            CaptureError: a size of the image became a number.
        """
        self._refuse_numbers()
        tried: list[Shape] = []
        assumed = []
        candidates = list(_candidates(self._requirements))
        for condition in dict.fromkeys(guard.expr for guard in self._environment.guards):
            if condition in self._known or self._first_false(condition, tried) is not None:
                continue
            if not self._is_on_sizes(condition):
                assumed.append(str(condition))
                continue
            false_at = self._all_false(condition, candidates)
            runnable = [shape for shape in false_at if shape[0] * shape[1] * shape[2] <= _MOST_PIXELS_TO_RUN]
            if runnable:
                tried.append(min(runnable, key=lambda shape: shape[1] * shape[2]))
            elif false_at:
                assumed.append(str(condition))
        return tuple(tried), tuple(assumed)

    def _refuse_numbers(self) -> None:
        for symbol, value in self._environment.replacements.items():
            if self._is_on_sizes(symbol) and symbol not in self._replaced and sympy.sympify(value).is_number:
                raise CaptureError(
                    f"Writing the network's operators out fixes a size of the image to {value}, "
                    "so the file would be right at that size only."
                )

    def _is_on_sizes(self, condition: Any) -> bool:
        known = {symbol for image, _ in self._images for symbol in _symbols(image)}
        return bool(condition.free_symbols <= known)

    def _all_false(self, condition: Any, shapes: Iterable[Shape]) -> list[Shape]:
        return [shape for shape in shapes if self._is_false(condition, shape)]

    def _first_false(self, condition: Any, shapes: Iterable[Shape]) -> Shape | None:
        return next((shape for shape in shapes if self._is_false(condition, shape)), None)

    def _is_false(self, condition: Any, shape: Shape) -> bool:
        batch, height, width = shape
        values: dict[Any, int] = {}
        for image, extent_of in self._images:
            values |= dict.fromkeys(image.batch, batch)
            for axis, pixels in ((image.height, height), (image.width, width)):
                values |= dict.fromkeys(axis.free_symbols, extent_of(pixels) // image.multiple(axis))
        return condition.subs(values) == sympy.false


def _symbols(image: ImageSize) -> set[Any]:
    return set(image.batch) | image.height.free_symbols | image.width.free_symbols


def _candidates(requirements: SizeRequirements) -> Iterator[Shape]:
    """Accepted shapes from small to large, of every parity and proportion."""
    step, least = requirements.multiple, requirements.minimum
    small = [least + step * number for number in range(6)]
    large = sorted({requirements.up(size + odd) for size in _LARGE for odd in (0, 1)} - set(small))
    most = requirements.maximum or max(large, default=0)
    yield from ((1, height, width) for height in small for width in small)
    yield from ((batch, small[2], small[3]) for batch in (2, 4, 5))
    for size in large:
        if size <= most:
            yield from ((1, size, small[1]), (1, small[1], size), (1, size, size))
