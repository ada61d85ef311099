"""What ``import tlcconvert`` gives, in whatever order modules are imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import tlcconvert

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "imports",
    [
        "import tlcconvert.convert, tlcconvert.verify, tlcconvert",
        "import tlcconvert; tlcconvert.convert; import tlcconvert.convert, tlcconvert.verify",
        "from tlcconvert.network.network import Network; import tlcconvert",
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
