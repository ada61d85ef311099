"""A missing runtime skips a test by name, or fails it where runtimes are required."""

from __future__ import annotations

import pytest

from benchmarks.runtimes.runtimes import Environment, Program, Runtime
from tests.runtimes.presence import require


def runtime(missing: str) -> Runtime:
    return Runtime("Some runtime", Program(Environment(lambda: ["true"], lambda: missing), "run.py"))


def test_a_runtime_that_is_there_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TLCCONVERT_RUNTIMES", "required")
    require(runtime(""))


def test_a_missing_one_skips_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TLCCONVERT_RUNTIMES", raising=False)
    with pytest.raises(pytest.skip.Exception, match="Some runtime: there is none"):
        require(runtime("there is none"))


def test_a_missing_one_fails_where_runtimes_are_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TLCCONVERT_RUNTIMES", "required")
    with pytest.raises(pytest.fail.Exception, match="Some runtime: there is none"):
        require(runtime("there is none"))
