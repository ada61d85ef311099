"""What is converted of an export has the sites and the values of the network, and the page says so."""

from __future__ import annotations

import pytest

from benchmarks.onnx_input.conversion import Row, row_of
from benchmarks.onnx_input.document import DOCUMENT, written
from benchmarks.onnx_input.exports import EXPORTS


@pytest.mark.full
@pytest.mark.parametrize("network", ["NAFNet", "HINet"])
@pytest.mark.parametrize("export", ["legacy 11", "dynamo 18", "onnxsim"])
def test_an_export_is_converted_as_its_network(network: str, export: str) -> None:
    row = row_of(network, export)
    assert (row.outcome, row.sites, row.nodes) == ("converted", row.direct_sites, row.direct_nodes)
    assert row.difference <= 1e-5


@pytest.mark.full
def test_an_export_of_one_size_is_refused_with_its_node() -> None:
    row = row_of("RCAN", "fixed size")
    assert row.outcome == "refused"
    assert "growth ends at slice in /" in row.reason


def test_the_page_keeps_what_is_around_the_table() -> None:
    page = DOCUMENT.read_text()
    row = Row("RCAN", next(iter(EXPORTS)), "converted", sites=2, direct_sites=2, nodes=9, direct_nodes=9)
    changed = written(page, [row])
    assert "| RCAN, legacy 11 | 2 | 2 | 9 | 9 | 0 | 0 |" in changed
    assert changed.startswith(page[:1000])
    assert written(changed, [row]) == changed
