"""What ``import tlcconvert`` gives, in whatever order modules are imported."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import tlcconvert

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "imports",
    [
        pytest.param("import tlcconvert.convert, tlcconvert.verify, tlcconvert", marks=pytest.mark.full),
        "import tlcconvert; tlcconvert.convert; import tlcconvert.convert, tlcconvert.verify",
        pytest.param(
            "from tlcconvert.network.network import Network; import tlcconvert", marks=pytest.mark.full
        ),
    ],
)
def test_functions_are_not_hidden_by_modules_of_their_name(imports: str) -> None:
    code = f"{imports}; assert tlcconvert.convert.__name__ == 'convert'; assert callable(tlcconvert.verify)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_every_public_name_is_there_and_no_other() -> None:
    assert all(getattr(tlcconvert, name).__module__.startswith("tlcconvert.") for name in tlcconvert.__all__)
    assert set(tlcconvert.__all__) <= set(dir(tlcconvert))
    with pytest.raises(AttributeError, match="no_such_name"):
        tlcconvert.no_such_name  # noqa: B018


def imports_shown() -> list[str]:
    """Every import of the project that README, docs and samples show a reader."""
    pages = [
        ROOT / "README.md",
        *sorted((ROOT / "docs").glob("*.md")),
        *sorted((ROOT / "samples").glob("*.py")),
    ]
    lines = (line.strip() for page in pages for line in page.read_text().splitlines())
    shown = {line for line in lines if re.fullmatch(r"(from|import) (tlcconvert|passes)\b[\w. ,]*", line)}
    return sorted(line for line in shown if "tiny_sr" not in line and "written_silu" not in line)


PUBLIC = [
    "from tlcconvert import CaptureError, Comparison, Conversion, ConversionError, ExtraInput, InputError, Parity",
    "from tlcconvert import Dtype, ParityError, Pixels, RoutingOptions, StrictError, Target, convert, verify",
    "from tlcconvert.architectures import register",
    "from tlcconvert.classsr import convert_classsr, multiply_adds",
    "from tlcconvert.load import Network, load_factory, load_network",
    "from tlcconvert.pipeline import FOLD, SIMPLIFY, Journal, Pipeline, Step, pipeline, run_steps",
]
"""What others may import, whatever becomes of the files behind it."""


@pytest.mark.parametrize("line", [*PUBLIC, *imports_shown()])
def test_what_others_import_is_there(line: str) -> None:
    exec(line, {})
