"""The page on the report says of every key what it is, and every report has the keys of the schema."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NotRequired, Union, get_origin, get_type_hints, is_typeddict

import pytest
import torch
from torch import nn

import tlcconvert
from tests.tlcconvert.classsr.classsr_networks import small_network
from tests.tlcconvert.output.schema_fit import fits
from tlcconvert.classsr import convert_classsr
from tlcconvert.output import report_schema
from tlcconvert.output.report_schema import Report

PAGE = (Path(__file__).parents[3] / "docs" / "report.md").read_text()
SCHEMAS = {
    name: kind for name, kind in vars(report_schema).items() if is_typeddict(kind) and name != "TypedDict"
}
BASES = {"LocalStatistic": report_schema.Rewritten, "Diagnosed": report_schema.DiagnosisSummary}
WORDS: dict[str, Any] = {
    "text": str,
    "texts": str,
    "whole number": int,
    "whole numbers": int,
    "number": float,
    "numbers": float,
    "true or false": bool,
    "null": None,
    **SCHEMAS,
}


class Attended(nn.Module):
    """A channel attention, a batch norm that folds, and a Fourier transform that stays global."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.last = nn.Conv2d(4, 3, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.first(image))
        x = x * x.mean((2, 3), keepdim=True)
        return self.last(x + 0.01 * torch.fft.ifft2(torch.fft.fft2(x)).real)


@pytest.fixture(scope="module")
def reports() -> dict[str, Report]:
    torch.manual_seed(0)
    sizes = [(16, 24)]
    return {
        "local": tlcconvert.convert(Attended().eval(), 12, verify_sizes=sizes).report(),
        "global": tlcconvert.convert(
            Attended().eval(), localize_statistics=False, verify_sizes=sizes
        ).report(),
        "ClassSR": convert_classsr(small_network()).report(),
    }


def documented(name: str) -> dict[str, tuple[str, bool]]:
    """The keys of a section: what the page calls their type, and whether they may be missing."""
    section = re.search(rf"^### {name}\n(.*?)(?=^### |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert section, f"{name} is not on the page"
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| [^|]+ \|$", section[1], re.MULTILINE)
    return {key: (kind.partition(", ")[0], ", " in kind) for key, kind in rows}


def meant(kind: str) -> Any:
    """The type that the page's words stand for."""
    if kind in WORDS:
        return WORDS[kind]
    if kind.startswith("list of "):
        return list[meant(kind.removeprefix("list of "))]
    if kind.endswith(" by name"):
        return dict[str, meant(kind.removesuffix(" by name"))]
    first, _, second = kind.partition(" or ")
    return Union[meant(first), meant(second)]  # noqa: UP007


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_page_has_the_keys_of_the_schema_and_their_types(name: str) -> None:
    hints = get_type_hints(SCHEMAS[name])
    inherited = set(get_type_hints(BASES[name])) if name in BASES else set()
    rows = documented(name)
    assert rows.keys() == hints.keys() - inherited
    for key, (kind, _) in rows.items():
        assert meant(kind) == hints[key], key


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_page_says_which_keys_may_be_missing(name: str) -> None:
    hints = get_type_hints(SCHEMAS[name], include_extras=True)
    optional = {key for key, hint in hints.items() if get_origin(hint) is NotRequired}
    assert {key for key, (_, is_optional) in documented(name).items() if is_optional} == optional


@pytest.mark.parametrize("name", ["local", "global", "ClassSR"])
def test_a_report_follows_the_schema(reports: dict[str, Report], name: str) -> None:
    assert fits(json.loads(json.dumps(reports[name], allow_nan=False)), Report)


def test_a_report_of_another_shape_would_be_found(reports: dict[str, Report]) -> None:
    for wrong in ({"schema": 1}, {"cost": []}, {"parity_notes": [3]}, {"other": ""}):
        assert not fits({**reports["local"], **wrong}, Report)
    assert not fits({key: value for key, value in reports["local"].items() if key != "steps"}, Report)


def test_a_report_has_what_the_conversion_has(reports: dict[str, Report]) -> None:
    local, left = reports["local"], reports["global"]
    assert [site["window_in_image"] for site in local["localized"]] == [[18, 18]]
    assert any("batch norm" in fold["kind"] for fold in local["folded"])
    assert any("fft" in row["reason"].lower() or "fft" in row["kind"].lower() for row in local["left_global"])
    assert left["localized"] == [] and len(left["left_global"]) > len(local["left_global"])
    assert reports["ClassSR"]["cost"] is None


def test_the_histogram_of_a_comparison_counts_every_value_of_the_output(reports: dict[str, Report]) -> None:
    for row in reports["local"]["parity"]:
        histogram = row["histogram"]
        assert histogram is not None
        images, height, width = row["size"]
        assert histogram["equal"] + histogram["not_finite"] + sum(histogram["counts"]) == (
            3 * images * height * width
        )
        top = 10.0 ** ((histogram["first"] + len(histogram["counts"])) / 2)
        assert top / 10**0.5 <= row["error"] * 1.0001 and row["error"] <= top * 1.0001
