"""The weights of a converted network in a file the system reads on demand, instead of in memory.

A conversion needs the network it started from, the converted one and the file in onnxruntime, each with its own
weights, but never all at once. What folding and other passes computed goes to a file that is mapped into memory:
the converted network reads it where it runs, and gives the memory back before onnxruntime takes its own.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor
from torch.export import ExportedProgram

_ALIGNMENT = 64
_LEAST = 2**16
"""Bytes of a tensor from which moving it out of memory is worth it."""


class MappedWeights:
    """Tensors that were moved from memory to files in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mappings: list[mmap.mmap] = []
        self._places: set[int] = set()

    def move(self, program: ExportedProgram, shared: Iterable[Tensor]) -> None:
        """Moves the large tensors of ``program`` to a file, but those that share memory with ``shared``.

        The program computes what it computed before, bit for bit.
        """
        kept = self._places | {tensor.untyped_storage().data_ptr() for tensor in shared}
        own = {
            name: tensor
            for name, tensor in program.state_dict.items()
            if tensor.nbytes >= _LEAST and tensor.untyped_storage().data_ptr() not in kept
        }
        if not own:
            return
        path = self._folder / f"program{len(self._mappings)}.data"
        offsets = _write(own, path)
        with path.open("rb") as file:
            mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        self._mappings.append(mapping)
        for name, tensor in own.items():
            count, offset = tensor.numel(), offsets[name]
            mapped = torch.frombuffer(mapping, dtype=tensor.dtype, count=count, offset=offset)
            self._places.add(mapped.untyped_storage().data_ptr())
            program.state_dict[name] = torch.nn.Parameter(mapped.reshape(tensor.shape), requires_grad=False)

    def release(self) -> None:
        """Gives the memory back that reading the weights took; they are read from their files again when needed."""
        # Not every system can; it then does so itself when memory is short.
        if hasattr(mmap, "MADV_DONTNEED"):
            for mapping in self._mappings:
                mapping.madvise(mmap.MADV_DONTNEED)


def _write(tensors: dict[str, Tensor], path: Path) -> dict[str, int]:
    """Writes ``tensors`` one after the other; returns where each begins, in bytes."""
    offsets = {}
    with path.open("wb") as file:
        for name, tensor in tensors.items():
            file.write(bytes(-file.tell() % _ALIGNMENT))
            offsets[name] = file.tell()
            file.write(tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return offsets
