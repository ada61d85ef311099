"""Damage done to a file at random, the same for the same number: to its bytes, and to what its format is made of."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Callable
from typing import Any

Change = Callable[[bytes, random.Random], bytes]


def mutated(content: bytes, number: int, changes: list[Change]) -> tuple[str, bytes]:
    """Mutation ``number`` of ``content`` and what it is called; it may come out as ``content`` itself."""
    chance = random.Random(number)
    change = changes[number % len(changes)]
    return change.__name__.strip("_"), change(content, chance)


def _place(content: bytes, chance: random.Random) -> int:
    """Anywhere, but mostly at the start and the end, where a format keeps its structure."""
    edge = min(4_096, len(content))
    start = chance.choice((0, 0, len(content) - edge, 0))
    return start + chance.randrange(chance.choice((edge, len(content) - start)))


def flip_a_bit(content: bytes, chance: random.Random) -> bytes:
    place = _place(content, chance)
    return content[:place] + bytes([content[place] ^ 1 << chance.randrange(8)]) + content[place + 1 :]


def write_noise(content: bytes, chance: random.Random) -> bytes:
    place, length = _place(content, chance), chance.choice((1, 4, 8, 64))
    return content[:place] + chance.randbytes(length) + content[place + length :]


def write_a_number(content: bytes, chance: random.Random) -> bytes:
    """Over a length or an offset, if it meets one."""
    width = chance.choice((2, 4, 8))
    most = (1 << 8 * width) - 1
    value = chance.choice((0, 1, most, most >> 1, most >> 3, len(content) & most, 0x10000 & most))
    place = _place(content, chance)
    return content[:place] + value.to_bytes(width, "little") + content[place + width :]


def cut_off(content: bytes, chance: random.Random) -> bytes:
    return content[: _place(content, chance)]


def remove_a_part(content: bytes, chance: random.Random) -> bytes:
    place = _place(content, chance)
    return content[:place] + content[place + chance.choice((1, 8, 512)) :]


def repeat_a_part(content: bytes, chance: random.Random) -> bytes:
    place = _place(content, chance)
    return content[:place] + content[max(place - chance.choice((1, 8, 512)), 0) :]


def append_something(content: bytes, chance: random.Random) -> bytes:
    return content + chance.choice((b"\0", chance.randbytes(40), content[-22:], content))


def exchange_two_parts(content: bytes, chance: random.Random) -> bytes:
    first, second = sorted((_place(content, chance), _place(content, chance)))
    length = min(chance.choice((8, 64, 1_024)), second - first, len(content) - second)
    middle = content[first + length : second]
    return (
        b"".join(
            (content[:first], content[second : second + length], middle, content[first : first + length])
        )
        + content[second + length :]
    )


BYTES: list[Change] = [
    flip_a_bit,
    write_noise,
    write_a_number,
    cut_off,
    remove_a_part,
    repeat_a_part,
    append_something,
    exchange_two_parts,
]


def _archive(members: list[tuple[str, bytes, int]]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content, method in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            archive.writestr(info, content)
    return target.getvalue()


def _members(content: bytes) -> list[tuple[str, bytes, int]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [(name, archive.read(name), zipfile.ZIP_STORED) for name in archive.namelist()]


def member_removed(content: bytes, chance: random.Random) -> bytes:
    members = _members(content)
    members.pop(chance.randrange(len(members)))
    return _archive(members)


def member_twice(content: bytes, chance: random.Random) -> bytes:
    members = _members(content)
    name, member, method = chance.choice(members)
    members.insert(chance.randrange(len(members)), (name, member[::-1], method))
    return _archive(members)


def member_compressed(content: bytes, chance: random.Random) -> bytes:
    members = _members(content)
    place = chance.randrange(len(members))
    members[place] = (*members[place][:2], zipfile.ZIP_DEFLATED)
    return _archive(members)


def members_exchanged(content: bytes, chance: random.Random) -> bytes:
    members = _members(content)
    first, second = chance.randrange(len(members)), chance.randrange(len(members))
    one, other = members[first], members[second]
    members[first], members[second] = (one[0], other[1], one[2]), (other[0], one[1], other[2])
    return _archive(members)


def member_damaged(content: bytes, chance: random.Random) -> bytes:
    """With its checksum right: the damage is in what the archive was made of."""
    members = _members(content)
    metadata = [place for place, member in enumerate(members) if "/data/" not in member[0]]
    place = chance.choice((chance.choice(metadata), chance.randrange(len(members))))
    name, member, method = members[place]
    members[place] = (name, mutated(member, chance.randrange(1 << 30), BYTES)[1] if member else b"x", method)
    return _archive(members)


def member_renamed(content: bytes, chance: random.Random) -> bytes:
    members = _members(content)
    place = chance.randrange(len(members))
    name, member, method = members[place]
    members[place] = (
        chance.choice((name.upper(), f"{name}x", name.partition("/")[2] or "x", "../x")),
        member,
        method,
    )
    return _archive(members)


ARCHIVE: list[Change] = [
    member_removed,
    member_twice,
    member_compressed,
    members_exchanged,
    member_damaged,
    member_renamed,
]


def header_changed(content: bytes, chance: random.Random) -> bytes:
    """A field of one tensor in the header of safetensors."""
    length = int.from_bytes(content[:8], "little")
    header: dict[str, Any] = json.loads(content[8 : 8 + length])
    name = chance.choice([name for name in header if name != "__metadata__"])
    entry = header[name]
    kind = chance.randrange(6)
    if kind == 0:
        entry["dtype"] = chance.choice(("F16", "I32", "BF16", "F64", "U8", "BOOL", "F99", None, 3))
    elif kind == 1:
        entry["shape"] = chance.choice(
            ([], [0], [1 << 40], [-1], entry["shape"][::-1], [*entry["shape"], 1], "x", [1.5])
        )
    elif kind == 2:
        entry["data_offsets"][chance.randrange(2)] += chance.choice((-4, 4, 1, 1 << 40, -(1 << 40)))
    elif kind == 3:
        header[name + chance.choice(("x", "\x1b[1m", "."))] = header.pop(name)
    elif kind == 4:
        entry["data_offsets"] = header[chance.choice(list(header))].get("data_offsets", [0, 4])
    else:
        del entry[chance.choice(list(entry))]
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content[8 + length :]


def header_name_twice(content: bytes, chance: random.Random) -> bytes:
    length = int.from_bytes(content[:8], "little")
    header: dict[str, Any] = json.loads(content[8 : 8 + length])
    name = chance.choice([name for name in header if name != "__metadata__"])
    other = chance.choice([each for each in header if header[each] != header[name]])
    text = (
        content[8 : 8 + length].rstrip()[:-1] + f",{json.dumps(name)}:{json.dumps(header[other])}}}".encode()
    )
    return len(text).to_bytes(8, "little") + text + content[8 + length :]


SAFETENSORS: list[Change] = [header_changed, header_name_twice]
