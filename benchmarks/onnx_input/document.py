"""The table of docs/onnx-input.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.markdown_table import table
from benchmarks.onnx_input.conversion import Row

DOCUMENT = Path(__file__).parents[2] / "docs" / "onnx-input.md"
_BEGIN, _END = "<!-- python -m benchmarks.onnx_input -->", "<!-- end -->"
_HEAD = (
    "network, export",
    "local statistics",
    "of the network",
    "nodes",
    "of the network",
    "difference",
    "seconds",
)


def written(page: str, rows: Sequence[Row]) -> str:
    """``page`` with the table of ``rows`` between its marks."""
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n\n{table(_HEAD, [_cells(row) for row in rows])}\n\n{_END}{after}"


def _cells(row: Row) -> list[str]:
    name = f"{row.network}, {row.export}"
    if row.outcome != "converted":
        return [f"{name}: {row.outcome}: {row.reason.replace('|', '/')}", *[""] * (len(_HEAD) - 1)]
    return [
        name,
        str(row.sites),
        str(row.direct_sites),
        str(row.nodes),
        str(row.direct_nodes),
        f"{row.difference:.1e}" if row.difference else "0",
        f"{row.seconds:.0f}",
    ]
