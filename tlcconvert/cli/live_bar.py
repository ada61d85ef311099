"""A bar of the work that is done, on standard error; every step of it ends a command that was told to stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from tlcconvert.machine import termination
from tlcconvert.shown_name import shown_text


def obeying_signals(show: Callable[[str], None]) -> Callable[[str], None]:
    """``show``, which first ends what was told to stop."""

    def progress(text: str) -> None:
        termination.raise_if_stopped()
        show(text)

    return progress


@contextmanager
def live_bar(errors: Console, doing: str, is_quiet: bool) -> Iterator[Callable[[str, float], None]]:
    """A callback that takes what is being done and the share that is; where there is no terminal, it prints lines."""
    if is_quiet or not errors.is_terminal:
        yield _lines(errors, doing, is_quiet)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=errors, transient=True) as bar:
        task = bar.add_task(doing, total=1.0)

        def show(text: str, share: float) -> None:
            termination.raise_if_stopped()
            bar.update(task, completed=share, description=shown_text(text))

        yield show


def _lines(errors: Console, doing: str, is_quiet: bool) -> Callable[[str, float], None]:
    last = ""

    def line(text: str, share: float) -> None:
        nonlocal last
        termination.raise_if_stopped()
        if text != last and not is_quiet:
            errors.print(f"{doing}: {shown_text(text)}", soft_wrap=True, highlight=False)
        last = text

    return line
