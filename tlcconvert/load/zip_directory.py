"""The directory of a zip archive, read so that no two readers can differ about what the archive holds.

zipfile, torch and a person's unpacker find the directory and the members of an archive each in their own way: from
the last of several end records, by name with or without case, from the directory or from the header before a
member. An archive is accepted only where all of these agree:

    [header, data] ... [header, data] [directory] ([zip64 end record, its locator]) [end record]

with one end record at the very end, members that do not overlap, names that differ, and headers that repeat what
the directory says. Layout: PKWARE's APPNOTE 6.3.10, sections 4.3.7 to 4.3.16.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from tlcconvert.errors import InputError
from tlcconvert.shown_name import shown

START = b"PK\x03\x04"

_HEADER = struct.Struct("<4s5H3I2H")
_END = struct.Struct("<4s4H2IH")
_END_64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR_64 = struct.Struct("<4sIQI")
_LENGTHS_FOLLOW = (
    0x8  # of the member's flags: its header leaves checksum and lengths to a record after the data
)
_ENCRYPTED = 0x1
_SPARE = 128 << 20
_EXPANSION = 3
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Member:
    """One file in an archive.

    Attributes:
        start: where its bytes begin in the archive.
        packed, size: its bytes there and unpacked.
    """

    info: zipfile.ZipInfo
    start: int

    @property
    def name(self) -> str:
        return self.info.filename

    @property
    def packed(self) -> int:
        return self.info.compress_size

    @property
    def size(self) -> int:
        return self.info.file_size

    @property
    def is_stored(self) -> bool:
        return self.info.compress_type == zipfile.ZIP_STORED


@dataclass(frozen=True)
class ZipDirectory:
    """The members of the archive at ``path`` by name; all of them have the checksum the archive gives."""

    path: Path
    members: dict[str, Member]

    @property
    def root(self) -> str:
        """The folder torch looks for everything in: that of the first member."""
        return next(iter(self.members), "").partition("/")[0]

    def read(self, name: str) -> bytes:
        with zipfile.ZipFile(self.path) as archive:
            return archive.read(self.members[name].info)


def starts_like_a_zip(stream: BinaryIO) -> bool:
    """Whether torch takes ``stream`` for a zip archive, which it tells by the first four bytes."""
    stream.seek(0)
    return stream.read(4) == START


def zip_directory(path: Path, stream: BinaryIO) -> ZipDirectory:
    """The directory of the archive at ``path``, which is open as ``stream``.

    Raises:
        InputError: the archive is damaged, readers could differ about it, or it unpacks to more than three times
            its size and 128 MB.
    """
    try:
        _check_end(stream)
        with zipfile.ZipFile(stream) as archive:
            members = _members(archive, stream)
            _check_contents(archive, members)
    except _Damage as damage:
        raise InputError(f"{shown(path)} is damaged: {damage}.") from None
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError) as error:
        raise InputError(f"{shown(path)} is truncated or damaged.") from error
    except (NotImplementedError, RuntimeError, OverflowError, MemoryError) as error:
        raise InputError(f"{shown(path)} is a zip archive of a kind that torch does not read.") from error
    return ZipDirectory(path, {member.name: member for member in members})


class _Damage(Exception):
    pass


def _check_end(stream: BinaryIO) -> None:
    """Raises unless the end record is the last thing in the file and the directory ends where it begins."""
    length = stream.seek(0, 2)
    end_at = length - _END.size
    if end_at < 0:
        raise _Damage("it is cut off")
    signature, disk, directory_disk, here, entries, size, start, comment = _read(stream, end_at, _END)
    if signature != b"PK\x05\x06" or comment != 0:
        raise _Damage("its directory is not at its end: it is cut off, or something was appended to it")
    if (disk, directory_disk) != (0, 0) or here != entries:
        raise _Damage("it is one of several parts")
    directory_end = end_at
    locator_at = end_at - _LOCATOR_64.size
    if locator_at >= 0 and _read(stream, locator_at, _LOCATOR_64)[0] == b"PK\x06\x07":
        _, disk, directory_end, disks = _read(stream, locator_at, _LOCATOR_64)
        if disk != 0 or disks > 1 or directory_end + _END_64.size != locator_at:
            raise _Damage("its directory has two ends that disagree")
        signature, _, _, _, disk, other, here, entries_64, size_64, start_64 = _read(
            stream, directory_end, _END_64
        )
        if signature != b"PK\x06\x06" or (disk, other) != (0, 0) or here != entries_64:
            raise _Damage("its directory has two ends that disagree")
        for short, long, most in (
            (entries, entries_64, 0xFFFF),
            (size, size_64, 0xFFFFFFFF),
            (start, start_64, 0xFFFFFFFF),
        ):
            if short not in (long, most):
                raise _Damage("its directory has two ends that disagree")
        entries, size, start = entries_64, size_64, start_64
    if start + size != directory_end:
        raise _Damage("its directory is not where its end record says")
    _check_entries(stream, start, directory_end, entries)


_ENTRY = struct.Struct("<4s6H3I5H2I")


def _check_entries(stream: BinaryIO, start: int, end: int, entries: int) -> None:
    """Raises unless the directory is exactly ``entries`` entries, one after the other."""
    if entries * _ENTRY.size > end - start:
        raise _Damage("its directory is shorter than its number of members")
    position = start
    for _ in range(entries):
        fields = _read(stream, position, _ENTRY)
        if fields[0] != b"PK\x01\x02":
            raise _Damage("its directory holds something else than members")
        position += _ENTRY.size + sum(fields[10:13])
    if position != end:
        raise _Damage("its directory holds more than its members")


def _read(stream: BinaryIO, position: int, layout: struct.Struct) -> tuple[Any, ...]:
    stream.seek(position)
    content = stream.read(layout.size)
    if len(content) < layout.size:
        raise _Damage("it is cut off")
    return layout.unpack(content)


def _members(archive: zipfile.ZipFile, stream: BinaryIO) -> list[Member]:
    infos = archive.infolist()
    if len({info.filename.casefold() for info in infos}) != len(infos):
        raise _Damage("it holds a member twice")
    members = [_member(info, stream) for info in infos]
    position = 0
    for member in sorted(members, key=lambda each: each.info.header_offset):
        if member.info.header_offset < position:
            raise _Damage("its members overlap")
        position = member.start + member.packed
    if position > archive.start_dir:
        raise _Damage("a member reaches into its directory")
    return members


def _member(info: zipfile.ZipInfo, stream: BinaryIO) -> Member:
    """The member of directory entry ``info``, whose header must say the same."""
    signature, _, flags, method, _, _, crc, packed, size, name_length, extra_length = _read(
        stream, info.header_offset, _HEADER
    )
    raw_name = stream.read(name_length)
    extra = stream.read(extra_length)
    if signature != START or info.orig_filename != info.filename or info.filename.endswith("\0"):
        raise _Damage("a member is not where its directory says")
    if raw_name.decode("utf-8" if flags & 0x800 else "cp437") != info.orig_filename:
        raise _Damage(f"the directory and the header of member {shown(info.filename)} disagree")
    if (flags | info.flag_bits) & _ENCRYPTED:
        raise _Damage(f"member {shown(info.filename)} is encrypted")
    start = info.header_offset + _HEADER.size + name_length + extra_length
    sizes = _sizes_64(extra, packed, size)
    later = bool(flags & _LENGTHS_FOLLOW) and crc == 0 and set(sizes) == {0}
    if method != info.compress_type or not (
        later or (crc, *sizes) == (info.CRC, info.compress_size, info.file_size)
    ):
        raise _Damage(f"the directory and the header of member {shown(info.filename)} disagree")
    if info.compress_type == zipfile.ZIP_STORED and info.compress_size != info.file_size:
        raise _Damage(f"the lengths of member {shown(info.filename)} disagree")
    return Member(info, start)


def _sizes_64(extra: bytes, packed: int, size: int) -> tuple[int, int]:
    """Packed and unpacked length of a header, from its zip64 field where they are too long for the plain one."""
    most = 0xFFFFFFFF
    position = 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, position)
        field = extra[position + 4 : position + 4 + length]
        position += 4 + length
        if kind != 1:
            continue
        if size == most and len(field) >= 8:
            size, field = struct.unpack_from("<Q", field)[0], field[8:]
        if packed == most and len(field) >= 8:
            packed = struct.unpack_from("<Q", field)[0]
        break
    return packed, size


def _check_contents(archive: zipfile.ZipFile, members: list[Member]) -> None:
    """Raises unless every member unpacks to its declared length and checksum, within the bound on all of them."""
    packed = sum(member.packed for member in members)
    if sum(member.size for member in members) > _EXPANSION * packed + _SPARE:
        raise _Damage("it unpacks to many times its size")
    for member in members:
        with archive.open(member.info) as content:
            length = 0
            while block := content.read(_BLOCK):
                length += len(block)
        if length != member.size:
            raise _Damage(f"member {shown(member.name)} is shorter than its directory says")
