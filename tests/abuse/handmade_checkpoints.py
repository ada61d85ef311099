"""Checkpoints whose pickle is written by hand, opcode by opcode, in both formats of ``torch.save``."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path

_MAGIC = 0x1950A86A20F9469CFC6C
_SYSTEM = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}


def zip_checkpoint(path: Path, program: bytes, storages: Mapping[str, bytes] | None = None) -> Path:
    """An archive with ``program`` as its data.pkl."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", program)
        archive.writestr("archive/byteorder", "little")
        for key, content in (storages or {}).items():
            archive.writestr(f"archive/data/{key}", content)
        archive.writestr("archive/version", "3\n")
    return path


def plain_checkpoint(path: Path, program: bytes, rest: bytes = b"") -> Path:
    """The older format, with ``program`` as its fourth pickle."""
    start = b"".join(pickle.dumps(value, protocol=2) for value in (_MAGIC, 1001, _SYSTEM))
    path.write_bytes(start + program + (rest or pickle.dumps([], protocol=2)))
    return path


def unicode(text: str) -> bytes:
    return b"X" + len(text.encode()).to_bytes(4, "little") + text.encode()


def integer(value: int) -> bytes:
    content = value.to_bytes((value.bit_length() + 8) // 8, "little", signed=True)
    return b"\x8a" + bytes([len(content)]) + content


def numbers(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(map(integer, values)) + b"t"


def storage(numel: int, key: str = "0", kind: str = "FloatStorage", *, plain: bool = False) -> bytes:
    """A persistent object: ``numel`` elements in member ``key``; the ``plain`` format has one field more."""
    names = unicode("storage") + f"ctorch\n{kind}\n".encode() + unicode(key) + unicode("cpu") + integer(numel)
    return b"(" + names + (b"NtQ" if plain else b"tQ")


def tensor(
    size: tuple[int, ...], stride: tuple[int, ...], *, numel: int, offset: int = 0, plain: bool = False
) -> bytes:
    """A tensor of ``size`` and ``stride`` in a float32 storage that is declared to have ``numel`` elements."""
    hooks = b"ccollections\nOrderedDict\n)R"
    arguments = (
        storage(numel, plain=plain) + integer(offset) + numbers(size) + numbers(stride) + b"\x89" + hooks
    )
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + arguments + b"tR"


def state_dict(entries: Mapping[str, bytes]) -> bytes:
    """A program that builds a dict of ``entries``."""
    items = b"".join(unicode(name) + value for name, value in entries.items())
    return b"\x80\x02}(" + items + b"u."
