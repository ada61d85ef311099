"""The ONNX files of one subject, made once and kept in a folder."""

from __future__ import annotations

import copy
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx

from benchmarks.latency.subjects import Subject
from benchmarks.peer_exports import SIMPLIFIERS, stock_export
from benchmarks.prefix_sum import make_local
from tlcconvert import Target, convert

GLOBAL, PREFIX_SUM = "global", "prefix sum"
PORTABLE, ON_A_CPU = Target.PORTABLE.value, Target.ONNXRUNTIME_CPU.value
FAST, FAST_ON_A_CPU = f"{PORTABLE}, fast", f"{ON_A_CPU}, fast"
EXACT_KINDS, FAST_KINDS = (PORTABLE, ON_A_CPU), (FAST, FAST_ON_A_CPU)
"""Files of tlcconvert, by target, without and with ``--fast``."""

_PATIENCE, _EXPORT_PATIENCE = 180, 600
"""Seconds a simplifier and PyTorch's export may take; with prefix sums at 70 sites the export takes longer."""


def peer_files(subject: Subject, kind: str, folder: Path) -> dict[str, Path]:
    """The stock export of the subject, global or with prefix sums, as each simplifier leaves it."""
    if kind == PREFIX_SUM and not subject.has_means:
        return {}
    try:
        with at_most(_EXPORT_PATIENCE):
            stock = _stock(subject, kind, folder)
    except TimeoutError as error:
        print(f"{subject.name}, {kind}: the export fails: {error}", file=sys.stderr)
        return {}
    files = {}
    for name, simplify in SIMPLIFIERS.items():
        file = peer_file(subject, kind, name, folder)
        try:
            with at_most(_PATIENCE):
                _kept(file, lambda simplify=simplify: simplify(copy.deepcopy(stock)))  # type: ignore[misc]
        except Exception as error:
            print(f"{subject.name}, {kind}: {name} fails: {error}", file=sys.stderr)
            continue
        files[name] = file
    return files


def peer_file(subject: Subject, kind: str, name: str, folder: Path) -> Path:
    """Where the export of a kind is kept as the simplifier of that name left it."""
    return folder / subject.name / f"{kind}, {name}.onnx"


def our_file(subject: Subject, kind: str, folder: Path) -> Path:
    """What tlcconvert makes of the subject, verified."""
    file = folder / subject.name / f"{kind}.onnx"
    target, _, fast = kind.partition(", ")
    return _kept(file, lambda: _converted(subject, bool(fast), Target(target)))


def our_kinds(subject: Subject) -> tuple[str, ...]:
    """Those a subject has files of."""
    return EXACT_KINDS + (FAST_KINDS if subject.has_means else ())


def file_without(subject: Subject, name: str, folder: Path) -> Path:
    """The portable file, made without one step that makes it faster."""
    file = folder / subject.name / f"without {name}.onnx"
    return _kept(file, lambda: _converted(subject, False, Target.PORTABLE, without=name))


def _kept(file: Path, make: Callable[[], onnx.ModelProto]) -> Path:
    if not file.exists():
        model = make()
        file.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model, file)
    return file


def _stock(subject: Subject, kind: str, folder: Path) -> onnx.ModelProto:
    def make() -> onnx.ModelProto:
        network = subject.network()
        if kind == PREFIX_SUM:
            make_local(network, subject.channels, subject.train_size)
        return stock_export(network, subject.channels, subject.size)

    return onnx.load(_kept(peer_file(subject, kind, "torch.onnx.export", folder), make))


def _converted(subject: Subject, fast: bool, target: Target, without: str = "") -> onnx.ModelProto:
    return convert(
        subject.network(),
        subject.train_size,
        input_channels=subject.channels,
        fast=fast,
        target=target,
        without=[without] if without else [],
    ).model


class _OutOfTime(BaseException):
    """Not an Exception: simplifiers catch those and go on."""


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Raises TimeoutError in its body after ``seconds`` on the clock; for the main thread."""

    def stop(*_: object) -> None:
        raise _OutOfTime

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    except _OutOfTime:
        raise TimeoutError(f"not done within {seconds} s") from None
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
