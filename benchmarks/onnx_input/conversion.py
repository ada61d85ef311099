"""One export, converted and compared; run as a process of its own.

python -m benchmarks.onnx_input.conversion NAFNet "legacy 13"
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.coverage.subjects import SUBJECTS
from benchmarks.onnx_input.exports import EXPORTS
from tlcconvert import Conversion, convert
from tlcconvert.errors import ConversionError, first_line
from tlcconvert.load import load_network
from tlcconvert.network.eager_reference import tensors_of
from tlcconvert.network.outputs import OneOutput
from tlcconvert.process_state.silence import silence

_TRAIN_SIZE = 64
_EXAMPLE, _COMPARED = (64, 80), (160, 208)
_QUICK = ((64, 80),)


@dataclass(frozen=True)
class Row:
    """What came of one export.

    Attributes:
        outcome: ``"converted"``, ``"refused"`` or ``"not exported"``.
        reason: why it was not converted.
        sites, direct_sites: statistics that are local, of the file and of the network.
        nodes, direct_nodes: of the converted files.
        difference: of what the two converted networks compute, relative to the largest value.
        seconds: of the conversion of the file.
    """

    network: str
    export: str
    outcome: str
    reason: str = ""
    sites: int = 0
    direct_sites: int = 0
    nodes: int = 0
    direct_nodes: int = 0
    difference: float = 0.0
    seconds: float = 0.0


class _OfOneImage(nn.Module):
    """A network whose one input has a name, as exporters want it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        return self.network(image)


def row_of(name: str, export: str) -> Row:
    """Exports the network called ``name``, converts file and network, and compares the two."""
    known = next(subject for subject in SUBJECTS if subject.name == name).network()
    assert isinstance(known.module, nn.Module)
    network = _OfOneImage(OneOutput(known.module, known.output_index or 0)).eval()
    image = torch.rand(1, known.input_channels or 3, *_EXAMPLE, generator=torch.Generator().manual_seed(0))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "source.onnx")
        try:
            with silence():
                EXPORTS[export](network, image, path)
        except Exception as error:
            return Row(name, export, "not exported", first_line(error)[:200])
        start = time.process_time()
        try:
            own = convert(load_network(path), _TRAIN_SIZE)
        except ConversionError as error:
            return Row(name, export, "refused", str(error)[:300], seconds=time.process_time() - start)
        seconds = time.process_time() - start
    direct = convert(network, _TRAIN_SIZE, verify_sizes=_QUICK)
    compared = torch.rand(2, image.shape[1], *_COMPARED, generator=torch.Generator().manual_seed(1))
    return Row(
        name,
        export,
        "converted",
        sites=len(own.sites),
        direct_sites=len(direct.sites),
        nodes=len(own.model.graph.node),
        direct_nodes=len(direct.model.graph.node),
        difference=_difference(own, direct, compared),
        seconds=seconds,
    )


def _difference(own: Conversion, direct: Conversion, image: Tensor) -> float:
    (a,), (b,) = tensors_of(own.module(image)), tensors_of(direct.module(image))
    return float((a - b).abs().max() / b.abs().max())


if __name__ == "__main__":
    print(json.dumps(asdict(row_of(sys.argv[1], sys.argv[2]))))
