"""One row of the comparison: the time and memory of a subject's files."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from benchmarks.interleaved import interleaved_seconds, median_ratio
from benchmarks.latency_files import (
    EXACT,
    FAST,
    GLOBAL,
    PREFIX_SUM,
    file_without,
    our_file,
    peer_files,
)
from benchmarks.latency_memory import FreshProcess, fresh_process
from benchmarks.latency_profile import product_share
from benchmarks.latency_subjects import Subject
from benchmarks.prefix_sum import make_local

EAGER_GLOBAL, EAGER_LOCAL = "eager global", "eager local"
_SAME = 0.01
"""Largest difference, of the output's scale, between a file with prefix sums in float32 and the exact one."""


@dataclass(frozen=True)
class Row:
    """What was measured for one subject.

    Attributes:
        seconds: of each round, by kind of file, and of PyTorch without a file.
        peers: the fastest peer of each kind that peers make.
        processes: memory and first runs, by kind of file.
        products: share of the exact file's time in convolutions and matrix products.
        measured: the day.
    """

    subject: Subject
    seconds: Mapping[str, list[float]]
    peers: Mapping[str, str]
    processes: Mapping[str, FreshProcess]
    products: float
    measured: str

    def milliseconds(self, kind: str) -> float:
        return 1000 * statistics.median(self.seconds[kind])

    def ratio(self, kind: str, reference: str) -> float | None:
        """Time of ``kind`` over that of ``reference``; None where one has no file."""
        if kind not in self.seconds or reference not in self.seconds:
            return None
        return median_ratio(self.seconds[kind], self.seconds[reference])


def measure(subject: Subject, folder: Path, repeats: int, threads: int = 1) -> Row:
    """Makes the files of a subject and times them in turn, the peers' after a heat among themselves.

    Args:
        folder: where files are kept from one run to the next.
        repeats: rounds; in each, every file runs once.
        threads: of onnxruntime; one thread is timed by the processor's clock, more by the wall's.

    Raises:
        ConversionError: our own file cannot be made or is wrong.
        ValueError: the prefix sums compute something else.
    """
    files, peers = {}, {}
    for kind in (GLOBAL, PREFIX_SUM):
        rivals = peer_files(subject, kind, folder)
        fastest = _fastest(rivals, subject, threads)
        if fastest is not None:
            peers[kind] = fastest
            files[kind] = rivals[fastest]
    files |= {
        kind: our_file(subject, kind, folder) for kind in ((EXACT, FAST) if subject.has_means else (EXACT,))
    }
    if PREFIX_SUM in files:
        _check_same(subject, files[PREFIX_SUM], files[EXACT])
    processes = {kind: fresh_process(file, subject.channels, subject.size) for kind, file in files.items()}
    runs = _runs_of(files, subject, threads) | _eager_runs(subject, threads)
    seconds = _timed(runs, repeats, threads)
    products = product_share(files[EXACT], subject.channels, subject.size)
    return Row(subject, seconds, peers, processes, products, datetime.date.today().isoformat())


def ablation(subject: Subject, passes: Sequence[str], folder: Path, repeats: int) -> dict[str, float]:
    """Time of the exact file made without each pass, over that of the whole one."""
    files = {name: file_without(subject, name, folder) for name in passes}
    whole = our_file(subject, EXACT, folder)
    seconds = _timed(_runs_of(files | {EXACT: whole}, subject, 1), repeats, 1)
    return {name: median_ratio(seconds[name], seconds[EXACT]) for name in files}


def per_pixel(
    subject: Subject, sizes: Sequence[tuple[int, int]], folder: Path, repeats: int
) -> dict[str, dict[str, float]]:
    """Median nanoseconds per pixel at each height and width, of the exact file and of a global one."""
    files = {EXACT: our_file(subject, EXACT, folder), GLOBAL: peer_files(subject, GLOBAL, folder)["onnxsim"]}
    costs: dict[str, dict[str, float]] = {}
    for height, width in sizes:
        sized = dataclasses.replace(subject, size=(height, width))
        costs[f"{height}x{width}"] = {
            kind: statistics.median(_timed({kind: _run_of(file, sized, 1)}, repeats, 1)[kind])
            / (height * width)
            * 1e9
            for kind, file in files.items()
        }
    return costs


def _fastest(files: Mapping[str, Path], subject: Subject, threads: int) -> str | None:
    """By the second of two runs each, one file in memory at a time; None if not one of them runs."""
    seconds = {}
    for name, file in files.items():
        try:
            seconds[name] = _timed({name: _run_of(file, subject, threads)}, 1, threads)[name][0]
        except Exception as error:
            print(f"{name} does not run: {error}", file=sys.stderr)
    return min(seconds, key=lambda name: seconds[name], default=None)


def _timed(runs: Mapping[str, Callable[[], object]], repeats: int, threads: int) -> dict[str, list[float]]:
    clock = time.process_time if threads == 1 else time.perf_counter
    return interleaved_seconds(runs, repeats, clock=clock)


def _eager_runs(subject: Subject, threads: int) -> dict[str, Callable[[], object]]:
    """The network in PyTorch, as it is and with prefix sums."""
    torch.set_num_threads(threads)
    networks = {EAGER_GLOBAL: subject.network()}
    if subject.has_means:
        networks[EAGER_LOCAL] = subject.network()
        make_local(networks[EAGER_LOCAL], subject.channels, subject.train_size)
    image = torch.rand(1, subject.channels, *subject.size)
    return {kind: functools.partial(_eager_run, network, image) for kind, network in networks.items()}


def _eager_run(network: torch.nn.Module, image: torch.Tensor) -> object:
    with torch.no_grad():
        return network(image)


def _runs_of(files: Mapping[str, Path], subject: Subject, threads: int) -> dict[str, Callable[[], object]]:
    return {name: _run_of(file, subject, threads) for name, file in files.items()}


def _run_of(file: Path, subject: Subject, threads: int) -> Callable[[], list[np.ndarray]]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    shape = (1, subject.channels, *subject.size)
    image = np.random.default_rng(0).random(shape, dtype=np.float32)
    return lambda: session.run(None, {session.get_inputs()[0].name: image})


def _check_same(subject: Subject, prefix_sum: Path, exact: Path) -> None:
    (theirs, *_), (ours, *_) = (_run_of(file, subject, 1)() for file in (prefix_sum, exact))
    difference = np.abs(theirs - ours).max() / np.abs(ours).max()
    if difference > _SAME:
        raise ValueError(f"{subject.name}: prefix sums are {difference:.1e} away from the exact file")
