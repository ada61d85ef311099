"""Converts a subject and compares its file with it at more sizes than a conversion does by itself."""

from __future__ import annotations

import time
import traceback
from pathlib import Path

from torch import nn

from benchmarks.coverage.row import Row, Status
from benchmarks.coverage.subjects import Subject
from tests.oracles.comparison import distance_from_oracle
from tests.oracles.per_window import CannotRun
from tlcconvert import Conversion, convert
from tlcconvert.architectures.classsr import ClassSR
from tlcconvert.errors import CaptureError, ParityError
from tlcconvert.load import Network
from tlcconvert.network.eager_reference import EagerReference, evaluation_copy
from tlcconvert.network.network_inputs import NetworkInputs
from tlcconvert.network.output_distance import TOLERANCE
from tlcconvert.network.outputs import OneOutput
from tlcconvert.sizes.output_extents import stated
from tlcconvert.sizes.size_wrapper import SizeWrapper
from tlcconvert.verification.compare import compare_callables
from tlcconvert.verification.parity import Parity
from tlcconvert.verification.session import callable_of, inference_session

TRAIN_SIZE = 48
"""Pixels; the windows are 72."""
SIZES = ((1, 1), (7, 5), (31, 47), (48, 48), (64, 97), (95, 60))
"""Height and width: tiny, odd, the train size, and beyond the windows."""
BATCHES = (1, 2)
LARGE = (1, 1080, 1920)
ORACLE_SIZE = (272, 400)
"""Height and width at which files with local statistics are compared with the eager localiser."""
_LONGEST_REASON = 400


def row_of(subject: Subject) -> Row:
    """Converts ``subject``: what cannot be captured is refused, what anything else stops has failed."""
    row = Row(subject.name, Status.FAILED)
    start = time.process_time()
    try:
        network = subject.network()
        row.parameters = sum(parameter.numel() for parameter in network.module.parameters())
        start = time.process_time()
        conversion = converted(network)
        row.seconds = round(time.process_time() - start, 1)
        _note(row, conversion, _compared(network, conversion, subject.is_seed))
        if row.sites:
            _against_oracle(row, network, conversion)
    except CaptureError as error:
        row.status, row.reason = Status.REFUSED, str(error)
        row.seconds = round(time.process_time() - start, 1)
    except Exception as error:
        row.status, row.reason = Status.FAILED, f"{_where(error)}: {_first_cause(error)}"
        row.seconds = round(time.process_time() - start, 1)
    return row


def converted(network: Network) -> Conversion:
    return convert(network, TRAIN_SIZE)


def _compared(network: Network, conversion: Conversion, is_seed: bool) -> Parity:
    """The file against the converted network at every size, and against the original wherever it must be the same.

    Raises:
        ParityError: they differ somewhere.
    """
    session = inference_session(conversion.model.SerializeToString())
    channels = int(conversion.metadata["input_channels"])
    inputs = NetworkInputs(channels, network.extra_inputs)
    sizes = [(batch, *size) for size in SIZES for batch in BATCHES] + [LARGE] * is_seed
    # A ClassSR returns its class map beside the image; the file leaves it out unless it was asked for.
    converted = OneOutput(conversion.module, 0) if isinstance(network.module, ClassSR) else conversion.module
    parity = compare_callables(callable_of(session), converted, inputs, sizes, TOLERANCE, "onnx / converted")
    # The module of a ClassSR takes patches; its own pipeline compares the whole image.
    comparable = [] if isinstance(network.module, ClassSR) else sizes
    same = [size for size in comparable if not conversion.sites or _within_windows(conversion, size)]
    original = compare_callables(
        callable_of(session), _original(network, conversion), inputs, same, TOLERANCE, "onnx / original"
    )
    parity.raise_for_mismatch()
    if same:
        original.raise_for_mismatch()
    return Parity(parity.comparisons + original.comparisons, parity.notes + original.notes)


def _against_oracle(row: Row, network: Network, conversion: Conversion) -> None:
    """Beyond the windows the original network says nothing; the eager localiser runs it with local statistics.

    Raises:
        ParityError: the file is something else.
    """
    try:
        row.from_oracle = distance_from_oracle(
            _module(network),
            conversion.model.SerializeToString(),
            ORACLE_SIZE,
            train_size=TRAIN_SIZE,
            output_index=network.output_index or 0,
        )
    except CannotRun as reason:
        row.oracle_note = str(reason)
        return
    if not row.from_oracle <= TOLERANCE:
        size = "x".join(map(str, ORACLE_SIZE))
        raise ParityError(f"{row.from_oracle:.1e} from the eager localiser at {size}")


def _within_windows(conversion: Conversion, size: tuple[int, int, int]) -> bool:
    """Whether the padded image is no larger than the training crop, and so every statistic covers its map."""
    multiple, minimum = _requirements(conversion)
    return all(max(minimum, -(-extent // multiple) * multiple) <= TRAIN_SIZE for extent in size[1:])


def _original(network: Network, conversion: Conversion) -> nn.Module:
    multiple, minimum = _requirements(conversion)
    reference = EagerReference(evaluation_copy(_module(network)))
    extents = stated(conversion.metadata["output_extents"])
    return SizeWrapper(OneOutput(reference, network.output_index or 0), multiple, minimum, extents)


def _module(network: Network) -> nn.Module:
    assert isinstance(network.module, nn.Module)
    return network.module


def _requirements(conversion: Conversion) -> tuple[int, int]:
    metadata = conversion.metadata
    return int(metadata.get("size_multiple", 1)), int(metadata.get("size_minimum", 1))


def _own_requirements(conversion: Conversion) -> tuple[int, int]:
    """The multiple and minimum of the network; a ClassSR accepts every size, as its file does."""
    metadata = conversion.metadata
    return int(metadata.get("network_multiple", 1)), int(metadata.get("network_minimum", 1))


def _note(row: Row, conversion: Conversion, parity: Parity) -> None:
    row.sites = len(conversion.sites)
    row.left_global = [f"{left.kind} at {left.where}: {left.reason}" for left in conversion.left_global]
    row.folds = len(conversion.folded.rewrites)
    row.multiple, row.minimum = _requirements(conversion)
    row.own_multiple, row.own_minimum = _own_requirements(conversion)
    row.compared = list(dict.fromkeys(comparison.size for comparison in parity.comparisons))
    row.not_compared = list(parity.notes)
    row.status = Status.VERIFIED if row.sites or row.left_global else Status.NOTHING_GLOBAL


def _first_cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {' '.join(str(error).split())[:_LONGEST_REASON]}"


def _where(error: Exception) -> str:
    """The innermost line of this project that the error passed through."""
    root = Path(__file__).parents[2]
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(root)
    ]
    return f"{Path(frames[-1].filename).relative_to(root)}:{frames[-1].lineno}" if frames else "?"
