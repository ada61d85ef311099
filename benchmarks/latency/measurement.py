"""One row of the comparison: the time and memory of a subject's files."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from benchmarks.folding.document import processor
from benchmarks.interleaved import fastest, interleaved_seconds, median_ratio, seconds_one_at_a_time
from benchmarks.latency.cells import size
from benchmarks.latency.files import (
    EXACT_KINDS,
    GLOBAL,
    ON_A_CPU,
    PORTABLE,
    PREFIX_SUM,
    file_without,
    our_file,
    our_kinds,
    peer_file,
    peer_files,
)
from benchmarks.latency.floors import Floors, measure_floors
from benchmarks.latency.memory import FreshProcess, fresh_process
from benchmarks.latency.operators import add_file, convolution_file
from benchmarks.latency.profile import products
from benchmarks.latency.subjects import PER_PIXEL_CHANNELS, Subject
from benchmarks.prefix_sum import make_local

Maker = Callable[[], Callable[[], object]]
"""Loads a file or builds a network, and returns what runs it; whoever drops that releases its memory."""

EAGER_GLOBAL, EAGER_LOCAL = "eager global", "eager local"
CONVOLUTION, ADD = "convolution and addition", "addition"
_SAME = 0.01
"""Largest difference, of the output's scale, between a file with prefix sums in float32 and the exact one."""


@dataclass(frozen=True)
class Row:
    """What was measured for one subject.

    Attributes:
        seconds: of each round, by kind of file, and of PyTorch without a file.
        peers: the fastest peer of each kind that peers make.
        processes: memory and first runs, by kind of file.
        products: share of convolutions and matrix products in the time of the file for a processor.
        measured: the day.
        processor: its model.
        floors: what no file of the subject gets below.
    """

    subject: Subject
    seconds: Mapping[str, list[float]]
    peers: Mapping[str, str]
    processes: Mapping[str, FreshProcess]
    products: float
    measured: str
    processor: str
    floors: Floors | None = None

    def milliseconds(self, kind: str) -> float:
        return 1000 * statistics.median(self.seconds[kind])

    def ratio(self, kind: str, reference: str) -> float | None:
        return ratio(self.seconds, kind, reference)


@dataclass(frozen=True)
class Threaded:
    """Seconds on the wall's clock of each round, by kind of file, with several threads of onnxruntime."""

    threads: int
    seconds: Mapping[str, list[float]]


def ratio(seconds: Mapping[str, list[float]], kind: str, reference: str) -> float | None:
    """Time of ``kind`` over that of ``reference``; None where one has no file."""
    if kind not in seconds or reference not in seconds:
        return None
    return median_ratio(seconds[kind], seconds[reference])


def measure(subject: Subject, folder: Path, repeats: int) -> Row:
    """Makes the files of a subject and times them in turn, the peers' after a heat among themselves.

    Args:
        folder: where files are kept from one run to the next.
        repeats: rounds; in each, every file runs once.

    Raises:
        ConversionError: our own file cannot be made or is wrong.
        ValueError: the prefix sums compute something else.
    """
    files, peers = {}, {}
    for kind in (GLOBAL, PREFIX_SUM):
        rivals = peer_files(subject, kind, folder)
        winner = fastest(_makers(rivals, subject, 1), time.process_time)
        if winner is not None:
            peers[kind] = winner
            files[kind] = rivals[winner]
    files |= {kind: our_file(subject, kind, folder) for kind in our_kinds(subject)}
    if PREFIX_SUM in files:
        _check_same(subject, files[PREFIX_SUM], files[PORTABLE])
    processes = {kind: fresh_process(file, subject.channels, subject.size) for kind, file in files.items()}
    seconds = _timed(subject, _makers(files, subject, 1) | _eager_makers(subject), repeats, time.process_time)
    needed = products(files[ON_A_CPU], subject.channels, subject.size)
    floors = measure_floors(subject, processes[ON_A_CPU].output or 0, needed.largest)
    today = datetime.date.today().isoformat()
    return Row(subject, seconds, peers, processes, needed.share, today, processor(), floors)


def measure_threaded(row: Row, folder: Path, repeats: int, threads: int) -> Threaded:
    """Times the files of a row once more, the peers that are the fastest on one thread among them."""
    subject = row.subject
    files = {kind: peer_file(subject, kind, name, folder) for kind, name in row.peers.items()}
    files |= {kind: our_file(subject, kind, folder) for kind in our_kinds(subject)}
    seconds = _timed(subject, _makers(files, subject, threads), repeats, time.perf_counter)
    return Threaded(threads, seconds)


def ablation(subject: Subject, passes: Sequence[str], folder: Path, repeats: int) -> dict[str, float]:
    """Time of the portable file made without each pass, over that of the whole one."""
    files = {name: file_without(subject, name, folder) for name in passes}
    whole = our_file(subject, PORTABLE, folder)
    seconds = _timed(subject, _makers(files | {PORTABLE: whole}, subject, 1), repeats, time.process_time)
    return {name: median_ratio(seconds[name], seconds[PORTABLE]) for name in files}


def per_pixel(
    subject: Subject, sizes: Sequence[tuple[int, int]], folder: Path, repeats: int
) -> dict[str, dict[str, float]]:
    """Median nanoseconds per pixel at each height and width.

    Of the exact files, of a global one, and of the least a network does to as many channels as it has inside.
    """
    inside = dataclasses.replace(subject, channels=PER_PIXEL_CHANNELS)
    files = {
        **{kind: (subject, our_file(subject, kind, folder)) for kind in EXACT_KINDS},
        GLOBAL: (subject, peer_files(subject, GLOBAL, folder)["onnxsim"]),
        CONVOLUTION: (inside, convolution_file(folder / subject.name / "convolution.onnx", inside.channels)),
        ADD: (inside, add_file(folder / subject.name / "add.onnx")),
    }
    costs: dict[str, dict[str, float]] = {}
    for pixels in sizes:
        costs[size(pixels)] = {
            kind: _cost(file, dataclasses.replace(run_on, size=pixels), repeats)
            for kind, (run_on, file) in files.items()
        }
    return costs


def _cost(file: Path, subject: Subject, repeats: int) -> float:
    """Median nanoseconds per pixel, with no other file in memory."""
    (seconds,) = _timed(subject, _makers({file.name: file}, subject, 1), repeats, time.process_time).values()
    return statistics.median(seconds) / math.prod(subject.size) * 1e9


def _timed(
    subject: Subject, makers: Mapping[str, Maker], repeats: int, clock: Callable[[], float]
) -> dict[str, list[float]]:
    if subject.one_at_a_time:
        return seconds_one_at_a_time(makers, repeats, clock)
    return interleaved_seconds({kind: make() for kind, make in makers.items()}, repeats, clock=clock)


def _eager_makers(subject: Subject) -> dict[str, Maker]:
    """The network in PyTorch, as it is and with prefix sums, on one thread."""
    torch.set_num_threads(1)
    kinds = (EAGER_GLOBAL, EAGER_LOCAL) if subject.has_means else (EAGER_GLOBAL,)
    return {kind: functools.partial(_eager_run_of, subject, kind) for kind in kinds}


def _eager_run_of(subject: Subject, kind: str) -> Callable[[], torch.Tensor]:
    network = subject.network()
    if kind == EAGER_LOCAL:
        make_local(network, subject.channels, subject.train_size)
    image = torch.rand(1, subject.channels, *subject.size)
    return torch.no_grad()(lambda: network(image))


def _makers(files: Mapping[str, Path], subject: Subject, threads: int) -> dict[str, Maker]:
    return {kind: functools.partial(_run_of, file, subject, threads) for kind, file in files.items()}


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
