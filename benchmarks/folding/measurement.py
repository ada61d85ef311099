"""One row of the comparison: a network's convolutions and latency in each file that can be made of it."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field

import onnx
import onnxruntime
import torch
from torch import nn
from torch.export import Dim

from benchmarks.folding.subjects import Subject
from benchmarks.interleaved import interleaved_seconds, median_ratio
from benchmarks.peer_exports import SIMPLIFIERS, stock_export
from tlcconvert import convert
from tlcconvert.network.eager_reference import EagerReference
from tlcconvert.network.network_inputs import NetworkInputs
from tlcconvert.network.output_distance import TOLERANCE
from tlcconvert.verification.compare import compare_callables
from tlcconvert.verification.session import callable_of

OURS = "tlcconvert"
_TINY = (2, 33, 40)  # batch, height, width


@dataclass
class Row:
    """What was measured for one subject.

    Attributes:
        eager_convolutions: convolutions one call of the network runs in PyTorch.
        convolutions: those in the file, by exporter.
        seconds: of each run in onnxruntime, by exporter.
        failures: the reason, by exporter, for those whose file could not be made or computes something else.
    """

    name: str
    eager_convolutions: int
    convolutions: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    failures: dict[str, Exception] = field(default_factory=dict)

    def milliseconds(self, exporter: str) -> float:
        return 1000 * statistics.median(self.seconds[exporter])

    def ratio(self, peer: str) -> float:
        """How many times longer the peer's file takes than ours."""
        return median_ratio(self.seconds[peer], self.seconds[OURS])


def measure(
    subject: Subject, size: tuple[int, int], repeats: int, advance: Callable[[], None] = lambda: None
) -> Row:
    """Makes every file, checks that each computes what the network does, and times those that do.

    Args:
        size: height and width of the timed image, in pixels.
        repeats: rounds of timing; in each, every file runs once, on one thread.
        advance: called after each round, one of which is not counted.

    Raises:
        ConversionError: our own file cannot be made or is wrong.
    """
    network, inputs = subject.network(), NetworkInputs(subject.input_channels)
    row = Row(subject.name, eager_convolutions(network, inputs))
    sessions: dict[str, onnxruntime.InferenceSession] = {}
    for exporter, make in exporters(network, subject.input_channels).items():
        try:
            model = make()
            session = single_thread_session(model)
            check(exporter, session, network, inputs, size)
        except Exception as error:
            if exporter == OURS:
                raise
            row.failures[exporter] = error
            continue
        row.convolutions[exporter] = sum(node.op_type == "Conv" for node in model.graph.node)
        sessions[exporter] = session
    row.seconds = interleaved_seconds(
        {exporter: run_of(session, inputs, size) for exporter, session in sessions.items()}, repeats, advance
    )
    return row


def eager_convolutions(network: nn.Module, inputs: NetworkInputs) -> int:
    sizes = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    program = torch.export.export(network, inputs.random(*_TINY), dynamic_shapes=(sizes,))
    nodes = program.run_decompositions({}).graph.nodes
    return sum(
        node.target in (torch.ops.aten.conv2d.default, torch.ops.aten.conv2d.padding) for node in nodes
    )


def exporters(network: nn.Module, channels: int) -> dict[str, Callable[[], onnx.ModelProto]]:
    """What makes each file. The peers start from one stock export, each from its own copy of it."""
    stock: list[onnx.ModelProto] = []

    def peer(simplify: Callable[[onnx.ModelProto], onnx.ModelProto]) -> Callable[[], onnx.ModelProto]:
        def make() -> onnx.ModelProto:
            if not stock:
                stock.append(stock_export(network, channels))
            copied = onnx.ModelProto()
            copied.CopyFrom(stock[0])
            return simplify(copied)

        return make

    def ours() -> onnx.ModelProto:
        return convert(network, input_channels=channels, localize_statistics=False).model

    return {name: peer(simplify) for name, simplify in SIMPLIFIERS.items()} | {OURS: ours}


def single_thread_session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """onnxruntime's CPU session with its default optimisations."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def check(
    exporter: str,
    session: onnxruntime.InferenceSession,
    network: nn.Module,
    inputs: NetworkInputs,
    size: tuple[int, int],
) -> None:
    """Raises ParityError unless the file computes what the network does, at the timed size and a tiny one."""
    sizes = [(1, *size), _TINY]
    parity = compare_callables(
        callable_of(session), EagerReference(network), inputs, sizes, TOLERANCE, f"{exporter} / eager"
    )
    parity.raise_for_mismatch()


def run_of(
    session: onnxruntime.InferenceSession, inputs: NetworkInputs, size: tuple[int, int]
) -> Callable[[], object]:
    (image,) = inputs.random(1, *size)
    feeds = {session.get_inputs()[0].name: image.numpy()}
    return lambda: session.run(None, feeds)
