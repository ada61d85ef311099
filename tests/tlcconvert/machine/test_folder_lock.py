"""One writer at a time in a folder."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tlcconvert import InputError
from tlcconvert.machine import folder_lock
from tlcconvert.machine.folder_lock import locked


def test_the_second_waits_for_the_first_and_nothing_is_left(tmp_path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with locked(tmp_path):
            order.append("second")

    thread = threading.Thread(target=second)
    with locked(tmp_path):
        thread.start()
        thread.join(0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert not list(tmp_path.iterdir())


def test_who_waits_too_long_is_told_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_lock, "_LONGEST_WAIT", 0.05)
    with (
        locked(tmp_path),
        pytest.raises(InputError, match="Another process has been writing"),
        locked(tmp_path),
    ):
        pass
    with locked(tmp_path):
        pass


def test_folders_do_not_wait_for_each_other(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with locked(tmp_path), locked(tmp_path / "other"):
        pass
