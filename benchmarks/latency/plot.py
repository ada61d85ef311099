"""docs/benchmarks.svg: bars of each kind of file's time over that of the global network's."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from benchmarks.latency.files import FAST_ON_A_CPU, GLOBAL, ON_A_CPU, PORTABLE, PREFIX_SUM
from benchmarks.latency.measurement import Row

_COLORS = {PREFIX_SUM: "#b0b0b0", PORTABLE: "#2f6db5", ON_A_CPU: "#7fb2e5", FAST_ON_A_CPU: "#b9d6f2"}
_BAR, _GAP, _LEFT, _UNIT, _LONGEST = 14, 16, 130, 260, 2.5


def plot(rows: Sequence[Row]) -> str:
    """An SVG image; a bar longer than 2.5 is cut and says its length."""
    height = _GAP + len(rows) * (len(_COLORS) * _BAR + _GAP) + 2 * _BAR
    width = _LEFT + int(_LONGEST * _UNIT) + 60
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    y = _GAP
    for row in rows:
        parts.append(f'<text x="8" y="{y + 2 * _BAR}">{escape(row.subject.name)}</text>')
        for kind in _COLORS:
            parts += _bar(row, kind, y)
            y += _BAR
        y += _GAP
    one = _LEFT + _UNIT
    parts += [
        f'<line x1="{one}" y1="0" x2="{one}" y2="{y}" stroke="black" stroke-dasharray="4"/>',
        f'<text x="{one + 4}" y="{y + _BAR}">global network, best export</text>',
        *_legend(y + _BAR),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _bar(row: Row, kind: str, y: int) -> list[str]:
    ratio = row.ratio(kind, GLOBAL)
    if ratio is None:
        return []
    length = int(min(ratio, _LONGEST) * _UNIT)
    return [
        f'<rect x="{_LEFT}" y="{y}" width="{length}" height="{_BAR - 2}" fill="{_COLORS[kind]}"/>',
        f'<text x="{_LEFT + length + 4}" y="{y + _BAR - 3}">{ratio:.2f}</text>',
    ]


def _legend(y: int) -> list[str]:
    parts = []
    for index, (kind, color) in enumerate(_COLORS.items()):
        x = 8 + 130 * index
        parts.append(f'<rect x="{x}" y="{y - 10}" width="10" height="10" fill="{color}"/>')
        parts.append(f'<text x="{x + 14}" y="{y}">{kind}</text>')
    return parts
