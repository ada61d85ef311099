"""Pickles that crash, hang, eat memory or run code are refused before anything of them is built."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.abuse.handmade_checkpoints import (
    integer,
    numbers,
    plain_checkpoint,
    state_dict,
    storage,
    tensor,
    unicode,
    zip_checkpoint,
)
from tests.abuse.strangers_files import LoadingProcess

PREFIX = b"\x80\x02"
ONE = struct.pack("<f", 1.0)


def _call(name: str, *arguments: bytes) -> bytes:
    module, _, function = name.rpartition(".")
    return PREFIX + f"c{module}\n{function}\n".encode() + b"(" + b"".join(arguments) + b"tR."


def _doubled(count: int) -> bytes:
    """A tuple of two times a tuple of two times ..., each kept in the memo."""
    return b")q\x00" + b"".join(
        b"h" + bytes([i]) + b"h" + bytes([i]) + b"\x86q" + bytes([i + 1]) for i in range(count)
    )


def _nested(count: int) -> bytes:
    return b")" + b"\x85" * count


COSTLY = {
    "a tuple nested 200,000 deep as a key": PREFIX + b"}" + _nested(200_000) + b"Ns.",
    "a tuple nested 200,000 deep": PREFIX + _nested(200_000) + b".",
    "lists nested 200,000 deep": PREFIX + b"]" * 200_000 + b"a" * 199_999 + b".",
    "a doubled tuple as a key": PREFIX + b"}" + _doubled(60) + b"Ns.",
    "a doubled tuple in a set": _call("builtins.set", b"]" + _doubled(60) + b"a"),
    "a doubled tuple in an ordered dict of pairs": _call(
        "collections.OrderedDict", b"](]" + _doubled(60) + b"aNae"
    ),
    "a doubled tuple in the state of an ordered dict": PREFIX
    + b"ccollections\nOrderedDict\n)R]]"
    + _doubled(60)
    + b"aNaab.",
    "keys made to collide": PREFIX
    + b"}("
    + b"".join(integer(i * ((1 << 61) - 1)) + b"N" for i in range(1, 60_000))
    + b"u.",
    "a memo of two billion places": PREFIX + b"Nr\xff\xff\xff\x7f.",
    "a text of four gigabytes": PREFIX + b"X\xff\xff\xff\xff" + b"a.",
    "a text of exabytes": b"\x80\x04\x8d" + struct.pack("<Q", 1 << 60) + b"a.",
    "bytes of exabytes": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 62) + b"a.",
    "an array of terabytes": b"\x80\x05\x96" + struct.pack("<Q", 1 << 42) + b"a.",
    "a frame of exabytes": b"\x80\x04\x95" + struct.pack("<Q", 1 << 62) + b"N.",
    "an integer of two gigabytes": PREFIX + b"\x8b\xff\xff\xff\x7f" + b"1.",
    "an integer of 100,000 digits": PREFIX + b"I" + b"9" * 100_000 + b"\n.",
    "200,000 open marks": PREFIX + b"(" * 200_000 + b".",
    "ten million sets": PREFIX + b"(" + b"\x8f" * 10_000_000 + b"t.",
    "a byte array of a terabyte": _call("builtins.bytearray", integer(1 << 40)),
    "a hundred copies of a long byte array": PREFIX
    + b"("
    + unicode("a" * 10_000_000)
    + b"q\x00"
    + b"cbuiltins\nbytearray\n(h\x00"
    + unicode("latin-1")
    + b"tR"
    + b"cbuiltins\nbytearray\nq\x01(h\x00"
    + unicode("latin-1")
    + b"tq\x02R"
    + b"h\x01h\x02R" * 400
    + b"t.",
    "text encoded by a slow codec": _call("_codecs.encode", unicode("é" * 200_000), unicode("punycode")),
    "a tensor made by its class": _call("torch.Tensor", integer(1 << 33)),
    "a storage made by its class": _call("torch.storage.UntypedStorage", integer(1 << 40)),
    "a parameter made by its class": _call(
        "torch.nn.parameter.Parameter", _call("torch.Tensor", integer(1 << 33))[2:-1]
    ),
    "a sparse tensor": _call("torch._utils._rebuild_sparse_tensor", b"N", b")"),
    "a nested tensor": _call("torch._utils._rebuild_nested_tensor", b"N", b"N", b"N", b"N"),
    "a tensor without storage": _call(
        "torch._utils._rebuild_meta_tensor_no_storage",
        b"ctorch\nfloat32\n",
        numbers((1 << 40,)),
        numbers((1,)),
        b"\x89",
    ),
    "a name that is no storage": PREFIX + b"(" + unicode("module") + b"NNNtQ.",
    "a get of nothing": PREFIX + b"h\x05.",
    "an empty stack": PREFIX + b"R.",
    "no end": PREFIX + b"}" * 100,
    "an unknown instruction": PREFIX + b"\xff.",
    "an extension": PREFIX + b"\x82\x01.",
    "a buffer from elsewhere": b"\x80\x05\x97.",
    "names of control characters": PREFIX + b"}(" + unicode("\x1b[2J\n") + b"NI1\nNu.",
    "a name of megabytes": PREFIX + b"}(" + unicode("x" * 5_000_000) + b"Nu.",
    "half a surrogate": PREFIX + b"}X\x03\x00\x00\x00\xed\xa0\x80Ns.",
    "a list in itself": PREFIX + b"]q\x00h\x00a.",
    "a dict in itself": PREFIX + b"}q\x00" + unicode("a") + b"h\x00s.",
    "the state dict is in itself": PREFIX + b"}q\x00" + unicode("state_dict") + b"h\x00s.",
}


@pytest.mark.parametrize("make", [zip_checkpoint, plain_checkpoint])
@pytest.mark.parametrize("kind", COSTLY)
def test_a_costly_pickle_is_refused(
    tmp_path: Path, loading: LoadingProcess, kind: str, make: Callable[[Path, bytes], Path]
) -> None:
    path = make(tmp_path / "costly.pth", COSTLY[kind])
    loading.load(path).assert_refused(path.stat().st_size)


# With permission a pickle may do what it likes; what no pickle needs is still not built.
COSTLY_EVEN_IF_TRUSTED = [
    "a tuple nested 200,000 deep as a key",
    "a doubled tuple as a key",
    "a memo of two billion places",
    "a text of exabytes",
    "bytes of exabytes",
    "an array of terabytes",
    "an integer of two gigabytes",
    "an integer of 100,000 digits",
    "200,000 open marks",
    "ten million sets",
    "no end",
    "an empty stack",
    "the state dict is in itself",
]


@pytest.mark.parametrize("make", [zip_checkpoint, plain_checkpoint])
@pytest.mark.parametrize("kind", COSTLY_EVEN_IF_TRUSTED)
def test_a_costly_pickle_is_refused_even_if_it_may_run_code(
    tmp_path: Path, loading: LoadingProcess, kind: str, make: Callable[[Path, bytes], Path]
) -> None:
    path = make(tmp_path / "costly.pth", COSTLY[kind])
    loading.load(path, allow_pickle=True).assert_refused(path.stat().st_size)


def _touching(witness: Path) -> dict[str, bytes]:
    """Pickles that create ``witness`` if they are run, by every instruction that can call."""
    name, path = b"cposix\nmkdir\n", unicode(str(witness))
    text = str(witness).encode()
    return {
        "reduce": PREFIX + name + b"(" + path + b"tR.",
        "instance": b"(" + path + b"iposix\nmkdir\n.",
        "object": b"(" + name + path + b"o.",
        "new object": PREFIX + name + path + b"\x85\x81.",
        "new object with names": b"\x80\x04" + name + path + b"\x85}\x92.",
        "protocol 0": b"cposix\nmkdir\n(S'" + text + b"'\ntR.",
        "name from the stack": b"\x80\x04" + unicode("posix") + unicode("mkdir") + b"\x93" + path + b"\x85R.",
        "eval": _call("builtins.eval", unicode(f"__import__('os').mkdir({str(witness)!r})")),
        "eval of Python 2": _call("__builtin__.eval", unicode(f"__import__('os').mkdir({str(witness)!r})")),
        "an attribute of an allowed module": PREFIX + b"ctorch\nos.mkdir\n" + path + b"\x85R.",
        "by way of a partial": PREFIX + b"cfunctools\npartial\n" + name + b"\x85R" + path + b"\x85R.",
        "in a key": PREFIX + b"}" + name + path + b"\x85RNs.",
        "after the end": PREFIX + b"N." + name + path + b"\x85R.",
        "as a persistent object": PREFIX + name + path + b"\x85RQ.",
        "as a state": PREFIX + b"ccollections\nOrderedDict\n)R" + name + path + b"\x85Rb.",
        "torch's loader": _call("torch.load", path),
        "another interpreter": _call("os.system", unicode(f"mkdir {witness}")),
        "an escaped name": PREFIX + b"cposix\nmk\\x64ir\n" + path + b"\x85R.",
        "rebuilt by another function": _call(
            "torch._tensor._rebuild_from_type_v2", name, b"ctorch\nTensor\n", path + b"\x85", b"}"
        ),
    }


@pytest.mark.parametrize("make", [zip_checkpoint, plain_checkpoint])
@pytest.mark.parametrize("kind", _touching(Path("witness")))
def test_no_pickle_runs_code(
    tmp_path: Path, loading: LoadingProcess, kind: str, make: Callable[[Path, bytes], Path]
) -> None:
    witness = tmp_path / "ran"
    path = make(tmp_path / "hostile.pth", _touching(witness)[kind])
    loading.load(path).assert_refused(path.stat().st_size)
    (tmp_path / "bare.pth").write_bytes(_touching(witness)[kind])
    loading.load(tmp_path / "bare.pth").assert_refused(path.stat().st_size)
    assert not witness.exists()


GEOMETRY: dict[str, tuple[bytes, dict[str, bytes]]] = {
    "a storage that is not there": (tensor((1,), (1,), numel=1), {}),
    "a storage shorter than declared": (tensor((4,), (1,), numel=4), {"0": ONE}),
    "a storage longer than declared": (tensor((1,), (1,), numel=1), {"0": ONE * 2}),
    "a storage of petabytes": (tensor((1,), (1,), numel=1 << 50), {"0": ONE}),
    "a storage of a negative length": (tensor((1,), (1,), numel=-1), {"0": ONE}),
    "a tensor longer than its storage": (tensor((2,), (1,), numel=1), {"0": ONE}),
    "a tensor that begins after its storage": (tensor((1,), (1,), numel=1, offset=1), {"0": ONE}),
    "a tensor that begins before its storage": (tensor((1,), (1,), numel=1, offset=-1), {"0": ONE}),
    "a negative stride": (tensor((2,), (-1,), numel=2, offset=1), {"0": ONE * 2}),
    "a negative size": (tensor((-1,), (1,), numel=1), {"0": ONE}),
    "a stride out of the storage": (tensor((2,), (1 << 40,), numel=2), {"0": ONE * 2}),
    "one number for a billion": (tensor((1 << 30,), (0,), numel=1), {"0": ONE}),
    "one number for a quintillion": (tensor((1 << 30, 1 << 30), (0, 0), numel=1), {"0": ONE}),
    "sizes past 64 bits": (tensor((1 << 40, 1 << 40), (0, 0), numel=1), {"0": ONE}),
    "no numbers and an absurd extent": (tensor((0, 1 << 40), (1, 1), numel=1), {"0": ONE}),
    "sizes without strides": (tensor((1, 1), (1,), numel=1), {"0": ONE}),
    "ten thousand times all numbers": (
        b"(" + b"".join(tensor((1 << 20,), (1,), numel=1 << 20) for _ in range(300)) + b"t",
        {"0": ONE * (1 << 20)},
    ),
    "one storage under two types": (
        b"(" + tensor((1,), (1,), numel=1) + storage(1, kind="IntStorage") + b"t",
        {"0": ONE},
    ),
    "a storage of an unknown type": (storage(1, kind="QuintupleStorage"), {"0": ONE}),
    "a storage of a function": (storage(1, kind="manual_seed"), {"0": ONE}),
}


@pytest.mark.parametrize("kind", GEOMETRY)
def test_a_tensor_outside_of_its_storage_is_refused(
    tmp_path: Path, loading: LoadingProcess, kind: str
) -> None:
    program, storages = GEOMETRY[kind]
    path = zip_checkpoint(tmp_path / "geometry.pth", state_dict({"weight": program}), storages)
    loading.load(path).assert_refused(path.stat().st_size)


def test_what_the_files_above_are_made_with_is_read_if_it_is_right(
    tmp_path: Path, loading: LoadingProcess
) -> None:
    good = tensor((2, 1), (1, 1), numel=3, offset=1)
    path = zip_checkpoint(tmp_path / "good.pth", state_dict({"weight": good}), {"0": ONE * 3})
    assert "architecture" in loading.load(path).said
    keys: Any = ["0"]
    good = tensor((2, 1), (1, 1), numel=3, offset=1, plain=True)
    rest = pickle.dumps(keys, protocol=2) + (3).to_bytes(8, "little") + ONE * 3
    path = plain_checkpoint(tmp_path / "plain.pth", state_dict({"weight": good}), rest)
    assert "architecture" in loading.load(path).said
    path = plain_checkpoint(tmp_path / "plain.pth", state_dict({"weight": good}), rest + b"\0")
    assert "appended" in loading.load(path).said
    path = plain_checkpoint(tmp_path / "plain.pth", state_dict({"weight": good}), rest[:-1])
    assert "cut off" in loading.load(path).said
