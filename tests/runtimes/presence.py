"""Whether a runtime is there, and what it means to a test if it is not."""

from __future__ import annotations

import os

import pytest

from benchmarks.runtimes.runtimes import Runtime


def require(runtime: Runtime) -> None:
    """Skips the test if ``runtime`` is missing; where TLCCONVERT_RUNTIMES is ``required`` the test fails."""
    reason = runtime.missing()
    if not reason:
        return
    if os.environ.get("TLCCONVERT_RUNTIMES") == "required":
        pytest.fail(f"{runtime.name}: {reason}")
    pytest.skip(f"{runtime.name}: {reason}")
