"""No private name of a library is read outside of the rooms that are made for it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("passes/torch_internals", "tlcconvert/torch_internals")
PRIVATE = re.compile(r"(torch|onnxscript|onnx_ir|spandrel)(\.\w+)*\.(_(?!_)\w*|experimental)\b")
FILES = sorted(
    path.relative_to(ROOT)
    for folder in ("passes", "tlcconvert", "benchmarks", "samples")
    for path in (ROOT / folder).rglob("*.py")
    if not str(path.relative_to(ROOT)).startswith(ROOMS)
)


def names_in(source: str) -> Iterator[str]:
    """The dotted names that ``source`` imports or reads, as far as they are written down."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute):
            yield ast.unparse(node)


def private(source: str) -> set[str]:
    return {name for name in names_in(source) if PRIVATE.match(name) and not name.startswith("torch.ops.")}


@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_file_reads_no_private_name(path: Path) -> None:
    assert private((ROOT / path).read_text()) == set()


@pytest.mark.parametrize(
    "source",
    [
        "from torch._ops import OpOverload",
        "from torch.utils import _pytree as pytree",
        "import torch._dynamo.config",
        "def f(x):\n    return isinstance(x, torch._ops.OpOverload)",
        "from torch.fx.experimental.proxy_tensor import make_fx",
        "from onnxscript._internal import evaluator",
    ],
)
def test_such_names_are_found(source: str) -> None:
    assert private(source)


@pytest.mark.parametrize("source", ["torch.ops.aten._softmax.default", "torch.__version__", '"torch._utils"'])
def test_operators_and_words_are_none(source: str) -> None:
    assert not private(source)
