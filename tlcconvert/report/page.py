"""The report as one HTML page: no network, no code from elsewhere, every name in it shown as text.

The page's content security policy allows the style and the script below by their hashes, images that are in the page,
and nothing else; so nothing that a name in a stranger's file says can run, even if it came through unescaped.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from tlcconvert.errors import InputError
from tlcconvert.output.report_schema import Compared, ImageSeen, Report, Rewritten
from tlcconvert.report import error_chart
from tlcconvert.report.preview import data_uri, heat
from tlcconvert.report.restored import Restored
from tlcconvert.report.statistic_shift import StatisticShift
from tlcconvert.report.window_drawing import window_drawing
from tlcconvert.shown_name import shown_text

MOST_BYTES = 10_000_000
_SIDES = (1600, 1200, 900, 640, 480, 320)
"""Of pictures, in pixels: the first at which the page is no larger than it may be."""

_MAPS = 6
_LONGEST_TABLE = 400
_LONGEST_TEXT = 1000
_VISIBLE = 1 / 255
_TIMES, _NONE = "\N{MULTIPLICATION SIGN}", "\N{EN DASH}"


@dataclass(frozen=True)
class _ShownMap:
    """A statistic's shift as a picture."""

    shift: StatisticShift
    picture: Markup


@dataclass(frozen=True)
class _Shown:
    """What the page has of one photograph; no pictures where it could not be run."""

    seen: ImageSeen
    photograph: Markup | None = None
    original: Markup | None = None
    converted: Markup | None = None
    difference: Markup | None = None
    whitest: float = 0.0
    maps: Sequence[_ShownMap] = ()
    map_whitest: float = 0.0


def page(report: Report, photographs: Sequence[Restored] = ()) -> str:
    """``report`` and what was made of each photograph as HTML of at most 10 MB.

    Raises:
        InputError: the photographs are too many for that, at any size of their pictures.
    """
    for side in _SIDES if photographs else _SIDES[-1:]:
        text = _rendered(report, [_shown(each, side) for each in photographs])
        if len(text.encode()) <= MOST_BYTES:
            return text
    raise InputError(
        f"The report takes more than {MOST_BYTES // 1_000_000} MB with pictures of {_SIDES[-1]} pixels: "
        "show it fewer images."
    )


def _shown(restored: Restored, side: int) -> _Shown:
    if restored.original is None or restored.converted is None or restored.photograph is None:
        return _Shown(restored.seen)
    assert restored.difference is not None
    whitest = max(float(restored.difference.max()), _VISIBLE)
    telling = sorted(restored.shifts, key=lambda shift: -shift.shift)[:_MAPS]
    map_whitest = max((float(shift.map.max()) for shift in telling), default=0.0)
    photograph, original, converted, difference = (
        Markup(data_uri(picture, side))
        for picture in (
            restored.photograph,
            restored.original,
            restored.converted,
            heat(restored.difference, whitest),
        )
    )
    return _Shown(
        restored.seen,
        photograph,
        original,
        converted,
        difference,
        whitest=whitest,
        maps=[_ShownMap(shift, Markup(data_uri(heat(shift.map, map_whitest), side))) for shift in telling],
        map_whitest=map_whitest,
    )


def _rendered(report: Report, photographs: Sequence[_Shown]) -> str:
    style, script = _text("page.css"), _text("page.js")
    axis = error_chart.axis_of(report["parity"])
    train_size = json.loads(report["metadata"].get("train_size", "null"))
    seen = next((shown for shown in photographs if shown.photograph is not None), None)
    drawing = None
    if report["localized"] and train_size:
        drawing = (
            window_drawing(report["localized"], train_size)
            if seen is None
            else window_drawing(report["localized"], train_size, seen.seen["region"])
        )
    return (
        _environment()
        .get_template("page.html.jinja")
        .render(
            report=report,
            facts=report["metadata"],
            most_rows=_LONGEST_TABLE,
            folds=Counter(fold["kind"] for fold in report["folded"]).most_common(),
            shown_folds=_without_constants(report["folded"]),
            photographs=photographs,
            train_size=train_size,
            drawing=drawing,
            drawn_on=seen,
            axis=axis,
            charts=[error_chart.chart_of(row, axis) for row in report["parity"]],
            chart_size=(error_chart.WIDTH, error_chart.HEIGHT),
            worst=_worst(report["parity"]),
            style=Markup(style),
            script=Markup(script),
            style_hash=_hash(style),
            script_hash=_hash(script),
        )
    )


def _worst(rows: Sequence[Compared]) -> Compared | None:
    """The comparison that came nearest to its bound."""
    return max(rows, key=lambda row: row["relative_error"] / (row["bound"] or 1), default=None)


def _without_constants(folds: Sequence[Rewritten]) -> list[Rewritten]:
    """Constants, which every network has by the dozen, are a number on the page."""
    return [fold for fold in folds if fold["kind"] != "constant"]


def _environment() -> Environment:
    environment = Environment(
        loader=DictLoader({"page.html.jinja": _text("page.html.jinja")}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_plain,
    )
    environment.filters.update(count=_count, size=_size, binary=_binary, times=_times)
    return environment


def _plain(value: Any) -> Any:
    """Text that came from a stranger: one line, printable, of a length that can be read."""
    return shown_text(value, _LONGEST_TEXT) if type(value) is str else value


def _text(name: str) -> str:
    return files("tlcconvert.report").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> Markup:
    return Markup(base64.b64encode(hashlib.sha256(text.encode()).digest()).decode())


def _count(number: int) -> str:
    """1234567890 as "1.23 G"."""
    for unit, letter in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= unit:
            return f"{number / unit:.3g} {letter}"
    return str(number)


def _binary(number: int) -> str:
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if number >= unit:
            return f"{number / unit:.3g} {name}"
    return f"{number} bytes"


def _size(extents: Sequence[int]) -> str:
    return _TIMES.join(map(str, extents))


def _times(after: float, before: float) -> str:
    return f"{after / before:.3f}" if before else _NONE
