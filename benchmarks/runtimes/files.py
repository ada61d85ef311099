"""The kinds of files whose use is tried: the columns of docs/runtimes.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import onnx
from torch import nn

from benchmarks.latency.subjects import Subject
from benchmarks.peer_exports import stock_export
from tlcconvert import convert
from tlcconvert.verification.float64_copy import float64_copy

_VERIFIED = ((24, 32),)
"""One small image in the place of the sizes every conversion proves: the file is the same."""


@dataclass(frozen=True)
class File:
    """An ONNX file of a network, and what it has to compute, in float64."""

    model: onnx.ModelProto
    exact: nn.Module


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        name: its column; the options it is made with.
        make: the file of a network.
        is_static: whether it takes images of the subject's size alone.
        is_stock: whether it is the global network, of sizes the network takes by itself.
    """

    name: str
    make: Callable[[Subject], File]
    is_static: bool = False
    is_stock: bool = False


def _converted(is_static: bool) -> Callable[[Subject], File]:
    def make(subject: Subject) -> File:
        conversion = convert(
            subject.network(),
            subject.train_size,
            static_size=subject.size if is_static else None,
            verify_sizes=() if is_static else _VERIFIED,
        )
        return File(conversion.model, float64_copy(conversion.module))

    return make


def _stock(subject: Subject) -> File:
    network = subject.network()
    return File(stock_export(network, subject.channels), float64_copy(network))


KINDS = (
    Kind("default", _converted(False)),
    Kind("--static", _converted(True), is_static=True),
    Kind("stock export", _stock, is_stock=True),
)
"""Files for one runtime alone (``--target``) are not for the others."""
STOCK = KINDS[-1]
