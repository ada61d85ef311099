"""Archives that two readers could read differently, or that grow, are refused; rewritten ones are read right."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from spandrel.architectures.NAFNet import NAFNet

from tests.abuse.strangers_files import LoadingProcess

END = struct.Struct("<4s4H2IH")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("checkpoint") / "network.pth"
    torch.save(NAFNet(width=8, enc_blk_nums=[1], middle_blk_num=1, dec_blk_nums=[1]).state_dict(), path)
    return path


def rewritten(
    content: bytes, change: Callable[[zipfile.ZipFile, str, bytes], None], *, end: str = ""
) -> bytes:
    """The archive with every member written by ``change(archive, name, content)``; member ``end`` comes last."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(target, "w") as new:
        for name in sorted(old.namelist(), key=lambda name: name.endswith(end) if end else False):
            change(new, name, old.read(name))
    return target.getvalue()


def _copy(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(name, content)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("which", ["", "data/3", "data.pkl"])
def test_a_checkpoint_that_a_zip_tool_has_rewritten_is_the_same_network(
    tmp_path: Path, loading: LoadingProcess, checkpoint: Path, method: int, which: str
) -> None:
    def change(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
        archive.writestr(name, content, method if name.endswith(which) else zipfile.ZIP_STORED)

    (tmp_path / "rewritten.pth").write_bytes(rewritten(checkpoint.read_bytes(), change))
    expected, outcome = loading.load(checkpoint), loading.load(tmp_path / "rewritten.pth")
    assert outcome.outcome == expected.outcome == "loaded", outcome
    assert outcome.weights == expected.weights


def _patched(content: bytes, position: int, value: bytes) -> bytes:
    return content[:position] + value + content[position + len(value) :]


def _directory(content: bytes) -> int:
    return int(END.unpack(content[-END.size :])[6])


def _second_directory(content: bytes) -> bytes:
    """Two archives in one file: the first's directory at the end, the second's before it."""
    other = rewritten(content, lambda archive, name, member: archive.writestr(name, member[::-1]))
    return other + content


def _member_twice(content: bytes) -> bytes:
    def change(archive: zipfile.ZipFile, name: str, member: bytes) -> None:
        archive.writestr(name, member)
        if name.endswith("data/0"):
            with pytest.warns(UserWarning, match="Duplicate name"):
                archive.writestr(name, bytes(len(member)))

    return rewritten(content, change)


def _member_twice_in_another_case(content: bytes) -> bytes:
    def change(archive: zipfile.ZipFile, name: str, member: bytes) -> None:
        if name.endswith("data.pkl"):
            archive.writestr(name.replace("data.pkl", "DATA.PKL"), b"\x80\x02N.")
        archive.writestr(name, member)

    return rewritten(content, change)


def _overlapping(content: bytes) -> bytes:
    """The directory's second entry points to the first member."""
    content = rewritten(content, _copy)
    entry = _directory(content)
    lengths = struct.unpack_from("<3H", content, entry + 28)
    second = entry + 46 + sum(lengths)
    return _patched(content, second + 42, content[entry + 42 : entry + 46])


def _field(place: int, value: bytes) -> Callable[[bytes], bytes]:
    """Another value ``place`` bytes after the beginning of the directory's first entry."""

    def change(content: bytes) -> bytes:
        content = rewritten(content, _copy)
        return _patched(content, _directory(content) + place, value)

    return change


def _header(place: int, value: bytes) -> Callable[[bytes], bytes]:
    return lambda content: _patched(rewritten(content, _copy), place, value)


def _end(place: int, value: bytes) -> Callable[[bytes], bytes]:
    return lambda content: _patched(content, len(content) - END.size + place, value)


AMBIGUOUS: dict[str, Callable[[bytes], bytes]] = {
    "two archives in one": _second_directory,
    "a member twice": _member_twice,
    "a member twice, in another case": _member_twice_in_another_case,
    "members that overlap": _overlapping,
    "something appended": lambda content: content + b"\0",
    "another end record appended": lambda content: content + content[-END.size :],
    "an end record in a comment": lambda content: (
        _patched(content, len(content) - 2, b"\x16\0") + content[-END.size :]
    ),
    "something put before it": lambda content: b"PK\x03\x04" + bytes(60) + content,
    "a comment": lambda content: _patched(content, len(content) - 2, b"\x01\0") + b"x",
    "a first member of another name in its header": _header(30, b"brchive"),
    "a first member of another method in its header": _header(8, b"\x08\0"),
    "a first member of another length in its header": _header(18, b"\x01\0\0\0"),
    "a first member of another checksum in its header": _header(14, b"\x01\0\0\0"),
    "another method in the directory": _field(10, b"\x08\0"),
    "an unknown method in the directory": _field(10, b"\x63\0"),
    "encrypted by the directory": _field(8, b"\x01\0"),
    "another checksum in the directory": _field(16, b"\x01\0\0\0"),
    "another packed length in the directory": _field(20, b"\x01\0\0\0"),
    "another length in the directory": _field(24, b"\xff\xff\xff\x7f"),
    "a zip64 length without its field": _field(24, b"\xff\xff\xff\xff"),
    "another place in the directory": _field(42, b"\x01\0\0\0"),
    "a name that goes on beyond the directory": _field(28, b"\xff\xff"),
    "more members than there are": _end(10, b"\xff\0"),
    "fewer members than there are": _end(10, b"\x01\0"),
    "a longer directory": _end(12, b"\xff\xff\0\0"),
    "a directory elsewhere": _end(16, b"\0\0\0\0"),
    "a part of several": _end(4, b"\x01\0"),
    "a zip64 record that says otherwise": lambda content: _patched(
        content, len(content) - 22 - 20 - 56 + 40, bytes(8)
    ),
    "a zip64 locator to elsewhere": lambda content: _patched(content, len(content) - 22 - 20 + 8, bytes(8)),
    "an end record alone": lambda content: content[-END.size :],
    "an empty archive": lambda content: END.pack(b"PK\x05\x06", 0, 0, 0, 0, 0, 0, 0),
}


@pytest.mark.parametrize("kind", AMBIGUOUS)
def test_an_archive_that_could_be_read_in_two_ways_is_refused(
    tmp_path: Path, loading: LoadingProcess, checkpoint: Path, kind: str
) -> None:
    path = tmp_path / "ambiguous.pth"
    content = checkpoint.read_bytes()
    path.write_bytes(AMBIGUOUS[kind](content))
    assert path.read_bytes() != content
    loading.load(path).assert_refused(len(content))


def _one(name: str, content: bytes) -> Callable[[zipfile.ZipFile], None]:
    return lambda archive: archive.writestr(name, content, zipfile.ZIP_DEFLATED, compresslevel=1)


BOMBS: dict[str, Callable[[zipfile.ZipFile], None]] = {
    "a large pickle": _one("archive/data.pkl", bytes(200 << 20)),
    "a large storage": _one("archive/data/0", bytes(200 << 20)),
    "a large program": _one("archive/models/model.json", bytes(200 << 20)),
}


@pytest.mark.parametrize("kind", BOMBS)
@pytest.mark.parametrize("allow_pickle", [False, True])
def test_an_archive_that_grows_is_refused(
    tmp_path: Path, loading: LoadingProcess, kind: str, allow_pickle: bool
) -> None:
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/version", "3")
        BOMBS[kind](archive)
    outcome = loading.load(path, allow_pickle=allow_pickle)
    outcome.assert_refused(path.stat().st_size)
    assert "many times its size" in outcome.said


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_compression_that_torch_does_not_read_is_refused(
    tmp_path: Path, loading: LoadingProcess, checkpoint: Path, method: int
) -> None:
    content = rewritten(
        checkpoint.read_bytes(), lambda archive, name, member: archive.writestr(name, member, method)
    )
    (tmp_path / "packed.pth").write_bytes(content)
    loading.load(tmp_path / "packed.pth").assert_refused(len(content))


def test_many_members_are_read_or_refused_in_time(tmp_path: Path, loading: LoadingProcess) -> None:
    path = tmp_path / "many.pth"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(5_000):
            archive.writestr(f"archive/data/{number}", b"")
    loading.load(path).assert_refused(path.stat().st_size)


@pytest.mark.parametrize("allow_pickle", [False, True])
def test_a_checkpoint_in_another_byte_order_is_the_same_network(
    tmp_path: Path, loading: LoadingProcess, checkpoint: Path, allow_pickle: bool
) -> None:
    def change(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
        if name.endswith("byteorder"):
            content = b"big"
        elif "/data/" in name:
            content = torch.frombuffer(bytearray(content), dtype=torch.int32).numpy().byteswap().tobytes()
        archive.writestr(name, content)

    (tmp_path / "big.pth").write_bytes(rewritten(checkpoint.read_bytes(), change))
    expected = loading.load(checkpoint)
    assert loading.load(tmp_path / "big.pth", allow_pickle=allow_pickle).weights == expected.weights
