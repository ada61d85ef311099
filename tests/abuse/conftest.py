"""One process that loads files, for all tests of this folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.abuse.strangers_files import LoadingProcess


@pytest.fixture(scope="session")
def loading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoadingProcess]:
    if sys.platform != "linux":
        pytest.skip("memory is measured in /proc")
    with LoadingProcess(tmp_path_factory.mktemp("loading")) as process:
        yield process
