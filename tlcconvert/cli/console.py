"""What a person at a terminal sees of a conversion: its stages while they run, and tables at the end."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from passes.localize import LocalSite
from passes.result import Rewrite, Skipped
from tlcconvert.cli.request import Request
from tlcconvert.conversion import Conversion
from tlcconvert.shown_name import shown, shown_text
from tlcconvert.sizes.output_extents import stated
from tlcconvert.stages import Progress
from tlcconvert.verification.parity import Comparison

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
_GAP = 2
_SHORTEST_PLACE = 12


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
        _print_sites(console, conversion.sites)
    elif "patch_size" in conversion.metadata:
        console.print(_routing(conversion.metadata), highlight=False)
    elif not conversion.left_global:
        console.print("Nothing to localize: the network has no global statistic that could be made local.")
    if conversion.folded.rewrites:
        console.print(_folds(conversion.folded.rewrites), highlight=False)
    _print_left(console, conversion.left_global)
    for line in _outputs(conversion.metadata):
        console.print(line, highlight=False)
    _print_parity(console, conversion.parity.comparisons)
    for note in conversion.parity.notes:
        console.print(f"Note: {shown_text(note)}.", highlight=False)
    seconds = sum(conversion.seconds.values())
    if written is None:
        console.print(f"Dry run: nothing was written ({seconds:.0f} s).")
    else:
        console.print(f"Wrote {shown(written)} ({size:,} bytes) in {seconds:.0f} s.")


def print_next(console: Console, request: Request, conversion: Conversion) -> None:
    """The last line: what to do next."""
    if request.page is not None:
        line = f"Next: open {shown(request.page)} in a browser."
    elif request.written is None:
        line = "Next: put -o FILE in the place of --dry-run to write the file."
    elif conversion.left_global:
        line = "Next: add --report FILE for a page with each place that stayed global, and why."
    elif conversion.sites:
        line = "Next: add --report FILE --image PHOTOGRAPH to see what changes on a photograph."
    else:
        line = "Next: add --report FILE for a page on what was done, its cost and its proof."
    console.print(line, highlight=False)


def _print_sites(console: Console, sites: Sequence[LocalSite]) -> None:
    """A line per statistic; where the terminal is narrow, the middle of its place is left out."""
    rows = [("statistic", "where", "map", "window")]
    for site in sites[:_LONGEST_TABLE]:
        feature, window = (f"{height}x{width}" for height, width in (site.map.feature_size, site.map.window))
        # Names of modules and operators are a stranger's text.
        rows.append((shown_text(site.kind), shown_text(site.where), feature, window))
    kind, place, *figures = (max(map(len, column)) for column in zip(*rows, strict=True))
    place = max(_SHORTEST_PLACE, min(place, console.width - sum((kind, *figures)) - 4 * _GAP))
    console.print(f"{_counted(len(sites), 'statistic')} made local:", style="bold", highlight=False)
    for number, (name, where, feature, window) in enumerate(rows):
        left = name.ljust(kind), _cut(where, place).ljust(place)
        right = feature.rjust(figures[0]), window.rjust(figures[1])
        line = " " * _GAP + (" " * _GAP).join((*left, *right))
        console.print(line, style="" if number else "dim", highlight=False, soft_wrap=True)
    _print_more(console, len(sites))


def _cut(text: str, most: int) -> str:
    """``text`` without its middle where it is too long: its end is the line in the source."""
    if len(text) <= most:
        return text
    tail = most * 2 // 3
    return f"{text[: most - tail - 1]}…{text[-tail:]}"


def _print_more(console: Console, count: int) -> None:
    """What a list leaves out."""
    if count > _LONGEST_TABLE:
        console.print(f"  and {count - _LONGEST_TABLE} more: --report or --json lists all", style="dim")


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"


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


def _folds(rewrites: Sequence[Rewrite]) -> str:
    """How many of each kind, the rarest, which tell most, first."""
    kinds = Counter(shown_text(rewrite.kind) for rewrite in rewrites)
    counts = [_counted(count, kind) for kind, count in sorted(kinds.items(), key=lambda each: each[1])]
    return f"Folded exactly: {', '.join(counts)}."


def _print_left(console: Console, left: Sequence[Skipped]) -> None:
    """What stays global, and why: a user has to be able to read all of it."""
    if not left:
        return
    console.print(f"{_counted(len(left), 'operation')} left global:", style="bold yellow", highlight=False)
    for skipped in left[:_LONGEST_TABLE]:
        name = Text.assemble(shown_text(skipped.kind), ("  at ", "dim"), shown_text(skipped.where))
        console.print(Padding(name, (0, 0, 0, 2)))
        console.print(Padding(Text(shown_text(skipped.reason), "dim"), (0, 0, 0, 4)))
    _print_more(console, len(left))


def _print_parity(console: Console, rows: Sequence[Comparison]) -> None:
    """Which two were compared at how many sizes, and the one of them that came nearest to its bound."""
    console.print("Verified:", style="bold")
    for what in dict.fromkeys(row.what for row in rows):
        own = [row for row in rows if row.what == what]
        worst = max(own, key=lambda row: row.relative_error / (row.bound or 1))
        sizes = _counted(len({(row.batch, row.height, row.width) for row in own}), "size")
        line = f"{shown_text(what)}: {sizes}, {worst.relative_error:.1e} of scale at {worst.size}"
        note = f" ({shown_text(worst.note)})" if worst.note else ""
        console.print(Padding(Text(f"{line}; {worst.bound:.0e} passes{note}"), (0, 0, 0, 2)))
