"""What the caller of a conversion chose, judged before any work is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tlcconvert.errors import InputError
from tlcconvert.routing_options import RoutingOptions
from tlcconvert.target import Target

Size = tuple[int, int] | tuple[int, int, int]
"""(height, width) or (batch, height, width) of an image, in pixels."""

_LARGEST_TRAIN_SIZE = 16384
_OPSETS = range(18, 25)


@dataclass(frozen=True)
class Options:
    """What a caller of :func:`convert` chose; see there.

    Raises:
        InputError: a value is out of range, or two exclude each other.
    """

    train_size: tuple[int, int] | None
    base_ratio: float = 1.5
    output_index: int | None = None
    all_outputs: bool = False
    localize_statistics: bool = True
    fold_branches: bool = True
    size_wrapper: bool = True
    static_size: tuple[int, int] | None = None
    accept_multiple: int | None = None
    accept_minimum: int | None = None
    verify_sizes: tuple[Size, ...] = ()
    opset: int = 18
    target: Target = Target.ONNXRUNTIME
    strict: bool = False
    fast: bool = False
    exported_program: bool = False
    routing: RoutingOptions = field(default_factory=RoutingOptions)
    without: tuple[str, ...] = ()
    dump: Path | None = None

    def __post_init__(self) -> None:
        if self.train_size is None:
            if self.localize_statistics and self.routing.patch_size is None:
                raise InputError(
                    "The training crop size is needed to choose windows: pass --train-size (train_size=), "
                    "or --no-localize to leave statistics global."
                )
        elif not all(0 < size <= _LARGEST_TRAIN_SIZE for size in self.train_size):
            raise InputError(
                f"A train size is between 1 and {_LARGEST_TRAIN_SIZE} pixels, not {_by(self.train_size)}."
            )
        if not 0 < self.base_ratio <= 1000:
            raise InputError(f"The base ratio is a positive factor such as 1.5, not {self.base_ratio}.")
        for taken in (self.accept_multiple, self.accept_minimum):
            if taken is not None and taken < 1:
                raise InputError(f"What a file may take without padding is at least 1 pixel, not {taken}.")
        if self.opset not in _OPSETS:
            raise InputError(f"The opset is one of {_OPSETS[0]} to {_OPSETS[-1]}, not {self.opset}.")
        if self.all_outputs and self.output_index is not None:
            raise InputError("One output or all of them: choose --output-index or --all-outputs.")
        if self.static_size is not None and self.exported_program:
            raise InputError("A .pt2 program takes every size: leave out --static, or write an .onnx file.")
        if self.static_size is not None and self.verify_sizes:
            raise InputError(
                "A file of one size is verified at that size: leave out --verify-sizes or --static."
            )
        if self.target is Target.TENSORRT:
            self._refuse_for_tensorrt()
        for size in (*self.verify_sizes, *filter(None, [self.static_size])):
            if len(size) not in (2, 3) or min(size) < 1:
                raise InputError(f"A size is HxW or NxHxW of at least 1 pixel each, not {_by(size)}.")

    def _refuse_for_tensorrt(self) -> None:
        if self.static_size is None:
            raise InputError(
                "TensorRT computes running sums as a loop, and matrices instead have one size: add --static HxW."
            )
        if self.fast:
            raise InputError(
                "Statistics on a grid take running sums in float64: leave out --fast for TensorRT."
            )


def _by(size: Sequence[int]) -> str:
    return "x".join(map(str, size))
