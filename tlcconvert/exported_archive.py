"""Reads a ``.pt2`` program without letting the file run code.

``torch.export.load`` trusts its file: it evaluates the size expressions as Python, looks operators up by
dotted name and unpickles objects. So the archive is read first, and refused unless

    every operator    is a registered one (``torch.ops.*``) or arithmetic on sizes
    every expression  is made of calls on numbers, symbols and other such calls
    every tensor      is plain data, or a pickle that ``weights_only`` accepts
"""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.export import ExportedProgram

from tlcconvert.errors import InputError

_OPERATOR = re.compile(
    r"torch\.ops\.[a-z][a-z0-9_]*\.\w+(\.\w+)?"
    r"|torch\.(sym_\w+|_sym_\w+)|math\.(trunc|floor|ceil)"
    r"|_operator\.(add|sub|mul|floordiv|truediv|mod|neg|pow|eq|ne|lt|le|gt|ge|and_|or_|not_|getitem)"
)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_TEXT_MAKERS = ("Symbol", "Float")
_FUNCTIONS = ("floor", "ceiling")
_RUNS_CODE = ("data/aotinductor/", "data/constants/custom_obj", "data/constants/opaque_obj")


def is_program_archive(names: list[str]) -> bool:
    return any(name.endswith("/archive_format") or name == "archive_format" for name in names)


def load_program(path: Path, *, trusted: bool) -> ExportedProgram:
    """The program in the ``.pt2`` archive at ``path``.

    Args:
        trusted: skip the inspection; the file may then run code.

    Raises:
        InputError: the archive is damaged, or it holds something that could run code.
    """
    if not trusted:
        _refuse_code(path)
    guard = contextlib.nullcontext() if trusted else _tensors_only()
    try:
        with guard, path.open("rb") as stream:
            return torch.export.load(stream)
    except Exception as error:
        raise InputError(f"{path} cannot be read as an exported program: {_first_line(error)}") from error


def _refuse_code(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        for name in names:
            if any(marker in name.lower() for marker in _RUNS_CODE):
                raise InputError(
                    f"{path} contains compiled code or pickled objects ({name}). " + _HOW_TO_TRUST
                )
        if len(set(names)) != len(names):
            raise InputError(f"{path} is damaged: it holds the same entry twice.")
        for name in names:
            if "/models/" in f"/{name}":
                for suspicious in _suspicious(json.loads(archive.read(name))):
                    raise InputError(
                        f"{path} holds an expression that could run code: {suspicious}. " + _HOW_TO_TRUST
                    )


_HOW_TO_TRUST = "If you trust where it comes from, pass --allow-pickle (allow_pickle=True)."


def _suspicious(value: Any, key: str = "") -> Iterator[str]:
    """The operator names and size expressions in a program's JSON that are not of the harmless kinds."""
    if isinstance(value, dict):
        for inner_key, inner in value.items():
            yield from _suspicious(inner, inner_key)
    elif isinstance(value, list):
        for inner in value:
            yield from _suspicious(inner, key)
    elif isinstance(value, str) and (
        (key == "target" and "." in value and not _is_operator(value))
        or (key == "expr_str" and not is_plain_expression(value))
        or "__enum__" in value
    ):
        yield value[:200]


def _is_operator(name: str) -> bool:
    return _OPERATOR.fullmatch(name) is not None and "__" not in name


def is_plain_expression(text: str) -> bool:
    """Whether ``text`` consists of calls, arithmetic, numbers and symbols only: nothing to import."""
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return _is_plain(tree.body)


def _is_plain(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, (bool, int, float))
    if isinstance(node, ast.Name):
        return _NAME.fullmatch(node.id) is not None and "__" not in node.id
    if isinstance(node, ast.Call):
        return _is_plain_call(node)
    if isinstance(node, ast.BinOp):
        return _is_plain(node.left) and _is_plain(node.right)
    if isinstance(node, ast.UnaryOp):
        return _is_plain(node.operand)
    if isinstance(node, ast.Compare):
        return all(_is_plain(part) for part in (node.left, *node.comparators))
    return False


def _is_plain_call(node: ast.Call) -> bool:
    if not isinstance(node.func, ast.Name) or not (node.func.id[0].isupper() or node.func.id in _FUNCTIONS):
        return False
    arguments = list(node.args)
    first = arguments[0] if arguments else None
    if node.func.id in _TEXT_MAKERS and isinstance(first, ast.Constant) and isinstance(first.value, str):
        if re.fullmatch(r"[\w.+-]+", first.value) is None:
            return False
        arguments = arguments[1:]
    return all(_is_plain(part) for part in (*arguments, *(keyword.value for keyword in node.keywords)))


@contextlib.contextmanager
def _tensors_only() -> Iterator[None]:
    """Makes every ``torch.load`` inside refuse anything but tensors, whatever its caller asked for."""
    name = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
