"""What a pickle of ``torch.save`` would build, found out without building anything.

A pickle is a program for a small stack machine: it imports objects by name, calls them, and stores tensors in
*persistent objects* outside of itself. The machine here has the same stack and memo, but what is on them are
descriptions: nothing is imported, called or allocated. It stops at a program that real checkpoints never contain and
that would cost the reader more than its bytes are worth: values nested hundreds deep, a tuple that contains itself
over and over, keys made to collide, objects in the memo at far positions, calls with numbers for lengths.

Opcodes: ``pickletools`` of the standard library, protocols 0 to 5.
"""

from __future__ import annotations

import functools
import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch

from tlcconvert.torch_internals.unpickled_names import (
    IMPORT_MAPPING,
    NAME_MAPPING,
    allowed_by_the_person,
    allowed_by_torch,
)

MOST_NESTED = 500
MOST_HASHED = 1 << 20
MOST_UNUSUAL_KEYS = 5_000
_MEMO_GAP = 1_000
_LARGEST_INTEGER_KEY = 1 << 60
_SPARE_BYTES = 128 << 20
_BYTES_OF_A_VALUE = {
    "EMPTY_SET": 232,
    **dict.fromkeys(
        [
            "EMPTY_DICT",
            "EMPTY_LIST",
            "EMPTY_TUPLE",
            "TUPLE",
            "TUPLE1",
            "TUPLE2",
            "TUPLE3",
            "LIST",
            "DICT",
            "FROZENSET",
        ],
        160,
    ),
    "MARK": 72,
    "BINFLOAT": 32,
}
_BYTES_OF_ANY_VALUE = 64
_BYTES_OF_A_CALL = 1_000  # a tensor, with what torch keeps beside it
_BYTES_OF_AN_ENTRY = 100
_TEXT_ENCODINGS = ("latin1", "latin-1", "utf-8", "ascii")

_READ_BY_TORCH = frozenset(
    [
        "GLOBAL",
        "NEWOBJ",
        "REDUCE",
        "BUILD",
        "APPEND",
        "APPENDS",
        "SETITEM",
        "SETITEMS",
        "MARK",
        "TUPLE",
        "TUPLE1",
        "TUPLE2",
        "TUPLE3",
        "NONE",
        "NEWFALSE",
        "NEWTRUE",
        "EMPTY_TUPLE",
        "EMPTY_LIST",
        "EMPTY_DICT",
        "EMPTY_SET",
        "BININT",
        "BININT1",
        "BININT2",
        "BINFLOAT",
        "BINUNICODE",
        "SHORT_BINSTRING",
        "BINPERSID",
        "BINGET",
        "LONG_BINGET",
        "BINPUT",
        "LONG_BINPUT",
        "LONG1",
        "PROTO",
        "STOP",
    ]
)


class HostilePickle(Exception):
    """The pickle is damaged, or would cost its reader more than any checkpoint does; the text says what it does."""


class Stream(Protocol):
    """What ``pickletools`` reads from: a file in memory, or one mapped into it."""

    def read(self, size: int, /) -> bytes: ...
    def readline(self) -> bytes: ...
    def tell(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Storage:
    """A persistent object: ``bytes`` of one dtype outside of the pickle, from ``offset`` bytes on in storage ``key``.

    ``root_bytes`` is the length of the storage it is a part of, its own length if it is whole.
    """

    key: str
    kind: str
    bytes: int
    root_bytes: int
    element_bytes: int


@dataclass
class PickleStructure:
    """What one pickle holds.

    Attributes:
        content: its value: text, numbers and ``None`` as they are, everything else described.
        unsafe: names it imports that ``torch.load(weights_only=True)`` forbids.
        unread: opcodes ``torch.load(weights_only=True)`` does not know.
        storages: persistent objects by key.
        dense_bytes: of all tensors together, each written out in full.
    """

    content: Any = None
    unsafe: set[str] = field(default_factory=set)
    unread: set[str] = field(default_factory=set)
    storages: dict[str, Storage] = field(default_factory=dict)
    dense_bytes: int = 0


def pickle_structure(stream: Stream, file_bytes: int, *, trusted: bool) -> PickleStructure:
    """The structure of the next pickle in ``stream``.

    Args:
        file_bytes: length of the file it is in, which bounds what it may build: three times that and 128 MB.
        trusted: its calls are the person's own; only the cost of the machine itself is bounded.

    Raises:
        HostilePickle: the pickle is cut off, no pickle, or over a bound.
    """
    machine = _Machine(file_bytes, trusted)
    try:
        for opcode, argument, _ in pickletools.genops(stream):  # type: ignore[arg-type]
            machine.step(opcode.name, argument)
    except HostilePickle:
        raise
    except Exception as error:
        if machine.structure.unsafe:
            return machine.structure
        raise HostilePickle("its pickle is cut off or damaged") from error
    return machine.structure


@dataclass(frozen=True, slots=True)
class Global:
    """An object imported by its name."""

    name: str


@dataclass(frozen=True, slots=True)
class Items:
    """A tuple; ``hashed`` is how many values its hash visits."""

    values: tuple[Any, ...]
    depth: int
    hashed: int


@dataclass(slots=True)
class Container:
    """A list, a dict or a set of ``length`` entries; ``values`` are those of lists."""

    kind: str
    values: list[Any] = field(default_factory=list)
    depth: int = 1
    length: int = 0


@dataclass(frozen=True, slots=True)
class Described:
    """A tensor, or any other object that came out of a call."""

    kind: str
    depth: int = 1


_MARK = object()


class _Machine:
    def __init__(self, file_bytes: int, trusted: bool) -> None:
        self.structure = PickleStructure()
        self.trusted = trusted
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.file_bytes = file_bytes
        self.built = 0
        self.hashed = 0
        self.unusual_keys = 0
        self.by_the_person = allowed_by_the_person()
        self.allowed = allowed_by_torch() | self.by_the_person

    def charge(self, memory: int) -> None:
        self.built += memory
        if self.built > 3 * self.file_bytes + _SPARE_BYTES:
            raise HostilePickle("its pickle builds many times its size in values")

    def step(self, name: str, argument: Any) -> None:
        self.charge(_BYTES_OF_A_VALUE.get(name, _BYTES_OF_ANY_VALUE))
        if isinstance(argument, str):
            self.charge(len(argument) * (1 if argument.isascii() else 4))
        if name not in _READ_BY_TORCH:
            self.structure.unread.add(name)
        action = _ACTIONS.get(name)
        if action is None:
            raise HostilePickle(f"its pickle contains the instruction {name}, which no checkpoint does")
        action(self, argument)

    def pop_to_mark(self) -> list[Any]:
        start = self.marks.pop()
        values = self.stack[start + 1 :]
        del self.stack[start:]
        return values

    def push_tuple(self, values: list[Any]) -> None:
        depth = 1 + max(map(_depth, values), default=0)
        hashed = 1 + sum(value.hashed if isinstance(value, Items) else 1 for value in values)
        if depth > MOST_NESTED:
            raise HostilePickle(f"its pickle nests values more than {MOST_NESTED} deep")
        if hashed > MOST_HASHED:
            raise HostilePickle("its pickle repeats a tuple inside itself over and over")
        self.stack.append(Items(tuple(values), depth, hashed))

    def put_into(self, target: Any, values: list[Any]) -> None:
        if not isinstance(target, Container):
            return
        target.length += len(values)
        target.depth = max(target.depth, 1 + max(map(_depth, values), default=0))
        if target.depth > MOST_NESTED:
            raise HostilePickle(f"its pickle nests values more than {MOST_NESTED} deep")

    def hash_keys(self, keys: list[Any]) -> None:
        """Counts what hashing and comparing ``keys`` costs whoever builds the dict or the set."""
        for key in keys:
            if isinstance(key, (str, bytes)) or (type(key) is int and abs(key) < _LARGEST_INTEGER_KEY):
                continue
            self.unusual_keys += 1
            self.hashed += key.hashed if isinstance(key, Items) else 1
        if self.unusual_keys > MOST_UNUSUAL_KEYS or self.hashed > MOST_HASHED:
            raise HostilePickle("its pickle has keys that take forever to tell apart")

    def memorize(self, index: int) -> None:
        if index > len(self.memo) + _MEMO_GAP:
            raise HostilePickle("its pickle asks for a memo far larger than what is in it")
        self.memo[index] = self.stack[-1]

    def import_name(self, module: str, name: str) -> None:
        module, name = _modern(module, name)
        full = f"{module}.{name}"
        if full not in self.allowed:
            self.structure.unsafe.add(full)
        self.stack.append(Global(full))

    def call(self, function: Any, arguments: Any) -> None:
        name = function.name if isinstance(function, Global) else ""
        check = _CALLS.get(name)
        values = arguments.values if isinstance(arguments, Items) else ()
        self.charge(_BYTES_OF_A_CALL + sum(map(_copied_bytes, values)))
        if self.structure.unsafe or (check is None and (self.trusted or name in self.by_the_person)):
            self.stack.append(Described(name, 1 + _depth(arguments)))
            return
        if check is None:
            raise HostilePickle(f"its pickle makes a {name or 'call'}, which is not read from checkpoints")
        try:
            self.stack.append(check(self, *values))
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            if self.trusted:
                self.stack.append(Described(name, 1 + _depth(arguments)))
                return
            raise HostilePickle(f"its pickle calls {name} with what it does not take") from error

    def build(self, state: Any) -> None:
        target = self.stack[-1]
        if self.trusted or self.structure.unsafe:
            return
        is_metadata = _is_a(target, "collections.OrderedDict") and _is_a(
            state, "dict", "collections.OrderedDict"
        )
        if not is_metadata and not (isinstance(target, Described) and target.kind in self.by_the_person):
            raise HostilePickle("its pickle sets the state of something that has none in a checkpoint")

    def persist(self, identity: Any) -> None:
        if not isinstance(identity, Items) or identity.values[:1] != ("storage",):
            if not (self.trusted or self.structure.unsafe):
                raise HostilePickle("its pickle refers to something that is no storage")
            self.stack.append(Described("persistent"))
            return
        self.charge(_BYTES_OF_A_CALL)
        try:
            storage = _storage(*identity.values[1:])
        except TypeError:
            raise HostilePickle("its pickle refers to something that is no storage") from None
        earlier = self.structure.storages.setdefault(storage.key, storage)
        if (earlier.kind, earlier.root_bytes) != (storage.kind, storage.root_bytes):
            raise HostilePickle("its pickle declares a storage twice, and differently")
        self.stack.append(storage)

    def tensor(self, storage: Any, offset: Any, size: Any, stride: Any, element_bytes: int) -> Described:
        """Checks that every element of a tensor lies in its storage; the numbers count elements."""
        if not isinstance(storage, Storage):
            raise TypeError
        sizes, strides = _whole_numbers(size), _whole_numbers(stride)
        if len(sizes) != len(strides) or type(offset) is not int or offset < 0:
            raise ValueError
        numel = functools.reduce(int.__mul__, sizes, 1)
        last = offset + sum((extent - 1) * step for extent, step in zip(sizes, strides, strict=True))
        if numel and (last + 1) * element_bytes > storage.bytes:
            raise HostilePickle("a tensor in it reaches beyond its storage")
        if not numel and max(sizes) > max(self.file_bytes, 1):
            raise HostilePickle("a tensor in it has no elements and an absurd extent")
        self.structure.dense_bytes += numel * element_bytes
        if not self.trusted and self.structure.dense_bytes > 2 * self.file_bytes + _SPARE_BYTES // 4:
            raise HostilePickle("its tensors have many times more elements than the file holds")
        return Described("torch.Tensor")


def _depth(value: Any) -> int:
    return getattr(value, "depth", 0)


def _modern(module: str, name: str) -> tuple[str, str]:
    """The name Python 3 has for what a pickle of Python 2 imports."""
    if (module, name) in NAME_MAPPING:
        return NAME_MAPPING[(module, name)]
    return IMPORT_MAPPING.get(module, module), name


def _is_a(value: Any, *kinds: str) -> bool:
    return isinstance(value, Container) and value.kind in kinds


def _copied_bytes(value: Any) -> int:
    """What a call that makes its own copy of ``value`` takes."""
    if isinstance(value, (str, bytes)):
        return 4 * len(value)
    if isinstance(value, Container):
        return _BYTES_OF_AN_ENTRY * value.length
    return 8 * len(value.values) if isinstance(value, Items) else 0


def _whole_numbers(value: Any) -> tuple[int, ...]:
    numbers = value.values if isinstance(value, Items) else ()
    if not isinstance(value, Items) or any(type(each) is not int or each < 0 for each in numbers):
        raise ValueError
    return numbers


def _element_bytes(kind: Any) -> int:
    """Bytes of an element, of a storage class such as ``torch.FloatStorage`` or of a dtype."""
    if not isinstance(kind, Global):
        raise TypeError
    if kind.name == "torch.storage.UntypedStorage":
        return 1
    found = getattr(torch, kind.name.removeprefix("torch."))
    dtype = found if isinstance(found, torch.dtype) else found.dtype
    return torch.empty(0, dtype=dtype).element_size()


def _storage(kind: Any, key: Any, location: Any, numel: Any, view: Any = None) -> Storage:
    """The storage of persistent id ``("storage", kind, key, location, numel[, view])``."""
    try:
        element_bytes = _element_bytes(kind)
    except (TypeError, AttributeError, RuntimeError):
        raise HostilePickle("its pickle has a storage of a kind that is not known") from None
    if not isinstance(key, str) or type(numel) is not int or numel < 0:
        raise HostilePickle("its pickle has a storage without a name or a length")
    length = numel
    if view is not None:
        _, offset, length = view.values if isinstance(view, Items) else (None, -1, -1)
        if (
            type(offset) is not int
            or type(length) is not int
            or min(offset, length) < 0
            or offset + length > numel
        ):
            raise HostilePickle("a part of a storage in it reaches beyond the storage")
    return Storage(key, kind.name, length * element_bytes, numel * element_bytes, element_bytes)


def _rebuilt_tensor(
    machine: _Machine, storage: Any, offset: Any, size: Any, stride: Any, *_: Any
) -> Described:
    return machine.tensor(storage, offset, size, stride, storage.element_bytes)


def _rebuilt_tensor_of_dtype(
    machine: _Machine,
    storage: Any,
    offset: Any,
    size: Any,
    stride: Any,
    grad: Any,
    hooks: Any,
    dtype: Any,
    *_: Any,
) -> Described:
    return machine.tensor(storage, offset, size, stride, _element_bytes(dtype))


def _rebuilt_parameter(machine: _Machine, data: Any, *_: Any) -> Described:
    if not isinstance(data, Described) or data.kind != "torch.Tensor":
        raise TypeError
    return data


def _rebuilt_with_attributes(
    machine: _Machine, function: Any, kind: Any, arguments: Any, state: Any
) -> Described:
    if not isinstance(kind, Global) or kind.name not in ("torch.Tensor", "torch.nn.parameter.Parameter"):
        raise TypeError
    if not _is_a(state, "dict"):
        raise TypeError
    machine.call(function, arguments)
    return _rebuilt_parameter(machine, machine.stack.pop())


def _ordered_dict(machine: _Machine, pairs: Any = None) -> Container:
    if pairs is None:
        return Container("collections.OrderedDict")
    # Python 2 wrote a list of [key, value].
    if not _is_a(pairs, "list"):
        raise TypeError
    for pair in pairs.values:
        if len(pair.values) != 2:
            raise ValueError
        machine.hash_keys(pair.values[:1])
    return Container("collections.OrderedDict", depth=pairs.depth)


def _counter(machine: _Machine, counts: Any = None) -> Container:
    if counts is not None and not _is_a(counts, "dict"):
        raise TypeError
    return Container("collections.Counter")


def _set(machine: _Machine, members: Any) -> Container:
    if not _is_a(members, "list"):
        raise TypeError
    machine.hash_keys(members.values)
    return Container("set", depth=members.depth)


def _byte_array(machine: _Machine, text: Any = b"", encoding: Any = "latin-1") -> Described:
    if not isinstance(text, (str, bytes)) or encoding not in _TEXT_ENCODINGS:
        raise TypeError
    return Described("bytearray")


def _encoded(machine: _Machine, text: Any, encoding: Any) -> bytes:
    if not isinstance(text, str) or encoding not in _TEXT_ENCODINGS:
        raise TypeError
    return text.encode(encoding, "surrogatepass" if encoding == "utf-8" else "strict")


def _complex(machine: _Machine, real: Any, imaginary: Any) -> Described:
    if not isinstance(real, float) or not isinstance(imaginary, float):
        raise TypeError
    return Described("complex")


def _size(machine: _Machine, extents: Any) -> Items:
    _whole_numbers(extents)
    return extents


def _of_text(kind: str) -> Callable[..., Described]:
    def made(machine: _Machine, *arguments: Any) -> Described:
        if not arguments or not isinstance(arguments[0], str):
            raise TypeError
        return Described(kind)

    return made


_CALLS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": _ordered_dict,
    "collections.Counter": _counter,
    "builtins.set": _set,
    "builtins.bytearray": _byte_array,
    "builtins.complex": _complex,
    "_codecs.encode": _encoded,
    "torch.Size": _size,
    "torch.device": _of_text("torch.device"),
    "torch.serialization._get_layout": _of_text("torch.layout"),
    "torch._utils._rebuild_tensor": _rebuilt_tensor,
    "torch._utils._rebuild_tensor_v2": _rebuilt_tensor,
    "torch._utils._rebuild_tensor_v3": _rebuilt_tensor_of_dtype,
    "torch._utils._rebuild_parameter": _rebuilt_parameter,
    "torch._utils._rebuild_parameter_with_state": _rebuilt_parameter,
    "torch._tensor._rebuild_from_type_v2": _rebuilt_with_attributes,
}


def _push(machine: _Machine, argument: Any) -> None:
    machine.stack.append(argument)


def _nothing(machine: _Machine, argument: Any) -> None:
    pass


def _constant(value: Any) -> Callable[[_Machine, Any], None]:
    return lambda machine, _: machine.stack.append(value)


def _container(kind: str) -> Callable[[_Machine, Any], None]:
    return lambda machine, _: machine.stack.append(Container(kind))


def _mark(machine: _Machine, _: Any) -> None:
    if len(machine.marks) >= MOST_NESTED:
        raise HostilePickle(f"its pickle nests values more than {MOST_NESTED} deep")
    machine.marks.append(len(machine.stack))
    machine.stack.append(_MARK)


def _pop(machine: _Machine, _: Any) -> None:
    if machine.stack.pop() is _MARK:
        machine.marks.pop()


def _pop_mark(machine: _Machine, _: Any) -> None:
    machine.pop_to_mark()


def _duplicate(machine: _Machine, _: Any) -> None:
    machine.stack.append(machine.stack[-1])


def _tuple_of(count: int) -> Callable[[_Machine, Any], None]:
    def step(machine: _Machine, _: Any) -> None:
        values = machine.stack[-count:]
        if len(values) < count:
            raise HostilePickle("its pickle is cut off or damaged")
        del machine.stack[-count:]
        machine.push_tuple(values)

    return step


def _tuple_to_mark(machine: _Machine, _: Any) -> None:
    machine.push_tuple(machine.pop_to_mark())


def _list_to_mark(machine: _Machine, _: Any) -> None:
    _filled(machine, Container("list"), machine.pop_to_mark())


def _filled(machine: _Machine, made: Container, values: list[Any]) -> None:
    machine.put_into(made, values)
    if made.kind == "list":
        made.values = values
    machine.stack.append(made)


def _dict_to_mark(machine: _Machine, _: Any) -> None:
    values = machine.pop_to_mark()
    machine.hash_keys(values[::2])
    _filled(machine, Container("dict"), values)


def _frozen_set(machine: _Machine, _: Any) -> None:
    values = machine.pop_to_mark()
    machine.hash_keys(values)
    _filled(machine, Container("set"), values)


def _append(machine: _Machine, _: Any) -> None:
    _extend(machine, [machine.stack.pop()])


def _appends(machine: _Machine, _: Any) -> None:
    _extend(machine, machine.pop_to_mark())


def _extend(machine: _Machine, values: list[Any]) -> None:
    target = machine.stack[-1]
    machine.put_into(target, values)
    if isinstance(target, Container) and target.kind == "list":
        target.values.extend(values)


def _set_item(machine: _Machine, _: Any) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    machine.hash_keys([key])
    machine.put_into(machine.stack[-1], [key, value])


def _set_items(machine: _Machine, _: Any) -> None:
    values = machine.pop_to_mark()
    machine.hash_keys(values[::2])
    machine.put_into(machine.stack[-1], values)


def _add_items(machine: _Machine, _: Any) -> None:
    values = machine.pop_to_mark()
    machine.hash_keys(values)
    machine.put_into(machine.stack[-1], values)


def _get(machine: _Machine, index: Any) -> None:
    machine.stack.append(machine.memo[int(index)])


def _put(machine: _Machine, index: Any) -> None:
    machine.memorize(int(index))


def _memoize(machine: _Machine, _: Any) -> None:
    machine.memorize(len(machine.memo))


def _global(machine: _Machine, argument: str) -> None:
    module, _, name = argument.partition(" ")
    machine.import_name(module, name)


def _stack_global(machine: _Machine, _: Any) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    machine.import_name(str(module), str(name))


def _instance(machine: _Machine, argument: str) -> None:
    values = machine.pop_to_mark()
    _global(machine, argument)
    machine.push_tuple(values)
    _reduce(machine, None)


def _object(machine: _Machine, _: Any) -> None:
    function, *values = machine.pop_to_mark()
    machine.stack.append(function)
    machine.push_tuple(values)
    _reduce(machine, None)


def _reduce(machine: _Machine, _: Any) -> None:
    arguments, function = machine.stack.pop(), machine.stack.pop()
    machine.call(function, arguments)


def _new_object_with_names(machine: _Machine, _: Any) -> None:
    machine.stack.pop()
    _reduce(machine, None)


def _build(machine: _Machine, _: Any) -> None:
    machine.build(machine.stack.pop())


def _persistent_of_text(machine: _Machine, argument: Any) -> None:
    machine.persist(argument)


def _persistent(machine: _Machine, _: Any) -> None:
    machine.persist(machine.stack.pop())


def _stop(machine: _Machine, _: Any) -> None:
    machine.structure.content = machine.stack.pop()


_ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "PROTO": _nothing,
    "FRAME": _nothing,
    "STOP": _stop,
    "MARK": _mark,
    "POP": _pop,
    "POP_MARK": _pop_mark,
    "DUP": _duplicate,
    "NONE": _constant(None),
    "NEWTRUE": _constant(True),
    "NEWFALSE": _constant(False),
    **dict.fromkeys(
        [
            "INT",
            "BININT",
            "BININT1",
            "BININT2",
            "LONG",
            "LONG1",
            "LONG4",
            "FLOAT",
            "BINFLOAT",
            "STRING",
            "BINSTRING",
            "SHORT_BINSTRING",
            "UNICODE",
            "BINUNICODE",
            "SHORT_BINUNICODE",
            "BINUNICODE8",
            "BINBYTES",
            "SHORT_BINBYTES",
            "BINBYTES8",
            "BYTEARRAY8",
        ],
        _push,
    ),
    "EMPTY_LIST": _container("list"),
    "EMPTY_DICT": _container("dict"),
    "EMPTY_SET": _container("set"),
    "EMPTY_TUPLE": lambda machine, _: machine.push_tuple([]),
    "LIST": _list_to_mark,
    "DICT": _dict_to_mark,
    "TUPLE": _tuple_to_mark,
    "FROZENSET": _frozen_set,
    "TUPLE1": _tuple_of(1),
    "TUPLE2": _tuple_of(2),
    "TUPLE3": _tuple_of(3),
    "APPEND": _append,
    "APPENDS": _appends,
    "SETITEM": _set_item,
    "SETITEMS": _set_items,
    "ADDITEMS": _add_items,
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _get),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _put),
    "MEMOIZE": _memoize,
    "GLOBAL": _global,
    "STACK_GLOBAL": _stack_global,
    "INST": _instance,
    "OBJ": _object,
    "REDUCE": _reduce,
    "NEWOBJ": _reduce,
    "NEWOBJ_EX": _new_object_with_names,
    "BUILD": _build,
    "PERSID": _persistent_of_text,
    "BINPERSID": _persistent,
}
