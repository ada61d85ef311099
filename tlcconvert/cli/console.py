"""What a person at a terminal sees of a conversion: its stages while they run, and tables at the end."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from passes.result import Skipped
from tlcconvert.conversion import Conversion
from tlcconvert.shown_name import shown, shown_text
from tlcconvert.sizes.output_extents import stated
from tlcconvert.stages import Progress

STAGES = {
    "load": "Reading the model",
    "capture": "Capturing the network as a graph with symbolic sizes",
    "fold": "Folding what is constant or linear",
    "localize": "Making global statistics local",
    "export": "Writing standard ONNX operators",
    "verify": "Checking the model in onnxruntime",
    "program": "Writing and checking the exported program",
    "report": "Making the report",
}

_LONGEST_TABLE = 40


@contextmanager
def live_progress(console: Console, is_quiet: bool) -> Iterator[Progress]:
    """A callback for :func:`tlcconvert.convert` that shows the current stage and its detail."""
    if is_quiet:
        yield lambda _: None
        return
    spinner = "dots" if console.encoding.startswith("utf") else "line"
    with console.status("Starting", spinner=spinner) as status:
        stage = ""

        def show(text: str) -> None:
            nonlocal stage
            if text in STAGES:
                stage = STAGES[text]
                if not console.is_terminal:
                    console.print(stage)
                status.update(Text(stage))
            else:
                status.update(Text.assemble(stage, (f" ({shown_text(text)})", "dim")))

        yield show


def print_conversion(console: Console, conversion: Conversion, written: Path | None, size: int) -> None:
    """The report of one conversion: local statistics, folds, what stayed global, parity, the file."""
    if conversion.sites:
        console.print(_sites(conversion))
    elif "patch_size" in conversion.metadata:
        console.print(_routing(conversion.metadata), highlight=False)
    elif not conversion.left_global:
        console.print("Nothing to localize: the network has no global statistic that could be made local.")
    _print_folds(console, conversion)
    if conversion.left_global:
        console.print(_left(conversion.left_global))
    for line in _outputs(conversion.metadata):
        console.print(line, highlight=False)
    console.print(_parity(conversion))
    for note in conversion.parity.notes:
        console.print(f"Note: {shown_text(note)}.")
    seconds = sum(conversion.seconds.values())
    if written is None:
        console.print(f"Dry run: nothing was written ({seconds:.0f} s).")
    else:
        console.print(f"Wrote {shown(written)} ({size:,} bytes) in {seconds:.0f} s.")


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, title_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _add_row(table: Table, *cells: str) -> None:
    """Names of modules and operators are a stranger's text."""
    table.add_row(*map(shown_text, cells))


def _sites(conversion: Conversion) -> Table:
    count = len(conversion.sites)
    table = _table(
        f"{count} statistic{'s' * (count != 1)} made local", "statistic", "where", "feature", "window"
    )
    for site in conversion.sites[:_LONGEST_TABLE]:
        feature, window = (f"{height}x{width}" for height, width in (site.map.feature_size, site.map.window))
        _add_row(table, site.kind, site.where, feature, window)
    legend = "feature: size of the map at train size; window: what the statistic is taken over"
    table.caption = "\n".join(filter(None, [_more(count), legend]))
    return table


def _routing(metadata: Mapping[str, str]) -> str:
    """How a ClassSR covers an image, and what its budget counts if it has one."""
    patches = (
        f"Routing: patches of {metadata['patch_size']} pixels every {metadata['patch_step']}, "
        f"{metadata['classes']} classes, scale {metadata['scale']}."
    )
    if "cost_unit" not in metadata:
        return patches
    costs = ", ".join(f"{cost:,}" for cost in json.loads(metadata["cost_per_patch"]))
    return f"{patches}\nA budget counts {metadata['cost_unit']} per patch: {costs}."


def _outputs(metadata: Mapping[str, str]) -> Iterator[str]:
    """The size of every image the file returns that is not as large as the input."""
    for number, extents in enumerate(stated(metadata["output_extents"])):
        if extents is not None and extents.scale != 1:
            height, width = extents.height.formula("height"), extents.width.formula("width")
            yield f"Output {number}: {height} by {width} pixels."


def _print_folds(console: Console, conversion: Conversion) -> None:
    """A row per fold; constants, which every network has by the dozen, as one number."""
    folds = [rewrite for rewrite in conversion.folded.rewrites if rewrite.kind != "constant"]
    if folds:
        table = _table("Folded exactly", "what", "where", "before", "after", "note")
        for rewrite in folds[:_LONGEST_TABLE]:
            _add_row(table, rewrite.kind, rewrite.where, rewrite.before, rewrite.after, rewrite.note)
        table.caption = _more(len(folds))
        console.print(table)
    constants = len(conversion.folded.rewrites) - len(folds)
    if constants:
        console.print(f"{constants} constant expressions computed once.")


def _left(left: Sequence[Skipped]) -> Table:
    table = _table("Left global", "what", "where", "why")
    for skipped in left[:_LONGEST_TABLE]:
        _add_row(table, skipped.kind, skipped.where, skipped.reason)
    table.caption = _more(len(left))
    return table


def _more(count: int) -> str:
    """What a table leaves out."""
    return f"and {count - _LONGEST_TABLE} more: --json FILE lists all" if count > _LONGEST_TABLE else ""


def _parity(conversion: Conversion) -> Table:
    table = _table("Verified", "compared", "size", "proves", "error", "of scale", "")
    for row in conversion.parity.comparisons:
        figures = f"{row.error:.1e}", f"{row.relative_error:.1e}"
        _add_row(table, row.what, row.size, row.purpose, *figures, row.note or "ok")
    return table
