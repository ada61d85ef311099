"""Weights beyond what one ONNX file can hold, kept in a file of their own beside the model.

A protobuf message ends at 2 GiB. Past that the weights go from PyTorch straight to a data file in a temporary
folder, which the model refers to; they are never held a second time. Saving copies that file beside the model.
The weights the passes computed are moved to the same folder, as a network of this size does not fit into memory
any number of times.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import onnx
import onnx_ir as ir
from torch import Tensor
from torch.export import ExportedProgram

from tlcconvert.errors import InputError
from tlcconvert.lower.mapped_weights import MappedWeights
from tlcconvert.machine.temporary_folder import TemporaryFolder
from tlcconvert.shown_name import shown

_LIMIT = 2**31 - 2**26
_DATA = "weights.data"
_MODEL = "model.onnx"


class ExternalWeights:
    """A temporary folder with the weights of one model; it goes when the last reference to it does."""

    def __init__(self) -> None:
        with _room_in(Path(tempfile.gettempdir())):
            self._folder = TemporaryFolder()
        self._computed = MappedWeights(self.folder)

    @property
    def folder(self) -> Path:
        return self._folder.path

    @property
    def data(self) -> Path:
        return self.folder / _DATA

    def take(self, program: ExportedProgram, original: Iterable[Tensor]) -> None:
        """Moves the weights of ``program`` out of memory; those it shares with ``original`` stay where they are.

        Raises:
            InputError: the folder has no room for them.
        """
        with _room_in(self.folder):
            self._computed.move(program, original)
        self._computed.release()

    def release(self) -> None:
        """Gives the memory back that running the program took."""
        self._computed.release()

    def store(self, model: ir.Model) -> onnx.ModelProto:
        """``model`` with its weights written to the folder and referred to.

        Raises:
            InputError: the folder has no room for them.
        """
        with _room_in(self.folder):
            ir.save(model, self.folder / _MODEL, external_data=_DATA)
        return onnx.load(self.folder / _MODEL, load_external_data=False)

    def check(self, model: onnx.ModelProto) -> None:
        """onnx's full check of a model that refers to the folder; raises what onnx raises."""
        onnx.save_model(model, self.folder / _MODEL)
        onnx.checker.check_model(str(self.folder / _MODEL), full_check=True)


@contextlib.contextmanager
def _room_in(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"Cannot keep the weights in {shown(folder)}: {error.strerror}. Set TMPDIR to a directory with room for "
            "three times the weights."
        ) from error


def external_weights(program: ExportedProgram) -> ExternalWeights | None:
    """A place for the weights of ``program`` if one file cannot hold them and the graph, else None."""
    tensors = (*program.state_dict.values(), *program.constants.values())
    size = sum(tensor.nbytes for tensor in tensors if hasattr(tensor, "nbytes"))
    return ExternalWeights() if size > _LIMIT else None


def referring_to(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """A copy of ``model`` whose external weights are in the file ``name`` beside it."""
    renamed = onnx.ModelProto()
    renamed.CopyFrom(model)
    for tensor in renamed.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = name
    return renamed
