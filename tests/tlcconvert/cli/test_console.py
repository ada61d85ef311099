"""What a person sees at the end fits the terminal, whatever its width, and nothing that matters is cut."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import sympy
from rich.console import Console
from torch import nn

from passes.localize import LocalSite
from passes.result import PassResult, Rewrite, Skipped
from passes.window_domain.window import FeatureMap
from tlcconvert.cli.console import print_conversion, print_next
from tlcconvert.cli.request import Request
from tlcconvert.conversion import Conversion
from tlcconvert.pipeline import Entry
from tlcconvert.verification.parity import Comparison, Parity

WIDTHS = [60, 80, 120, 200]
PLACE = "encoders.0.blocks.17.channel_attention.pooling (restoration_network_of_someone.py:1234)"
REASON = "its pixels were turned into frequencies by aten.fft_fft2.default at body.3 (network.py:98), before"


def site(where: str = PLACE, kind: str = "global average pooling") -> LocalSite:
    size = sympy.Integer(64)
    map_ = FeatureMap(size, size, (64, 1024), (96, 1536))
    return LocalSite(kind, where, "aten.mean.dim", "window 96x1536", map=map_)


def folds(**counts: int) -> tuple[Rewrite, ...]:
    return tuple(
        Rewrite(kind.replace("_", " "), PLACE, "1 convolution, 2,048 MACs per pixel", "1 convolution")
        for kind, count in counts.items()
        for _ in range(count)
    )


def conversion(
    sites: Sequence[LocalSite] = (), folded: Sequence[Rewrite] = (), left: Sequence[Skipped] = ()
) -> Conversion:
    journal = (
        Entry("affine_regions", "fold", PassResult(tuple(folded)), 0.1, 9),
        Entry("localize", "localize", PassResult(tuple(sites), tuple(left)), 0.1, 9),
    )
    rows = [Comparison("onnx / converted", 1, size, size, 2e-7, 1.0, 1e-5, "", "small") for size in range(9)]
    rows.append(Comparison("converted / original", 2, 720, 1280, 9e-7, 1.0, 1e-5, "a note", "large"))
    return Conversion(
        model=onnx.ModelProto(),
        module=nn.Identity(),
        journal=journal,
        left_global=tuple(left),
        parity=Parity(tuple(rows), ("sizes were chosen",)),
        metadata={"output_extents": "[null]"},
        seconds={"capture": 2.0},
    )


FULL = conversion(
    sites=[site()] * 3,
    folded=folds(constant=12, affine_region=30, batch_norm=1),
    left=[Skipped("Fourier transform", PLACE, REASON)],
)


def printed(made: Conversion, width: int, request: Request | None = None) -> str:
    console = Console(file=io.StringIO(), width=width, markup=False, emoji=False)
    request = request or Request(model=Path("m.pth"), output=Path("out.onnx"))
    print_conversion(console, made, request.written, 12345)
    print_next(console, request, made)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_is_longer_than_the_terminal(width: int) -> None:
    assert max(map(len, printed(FULL, width).splitlines())) <= width


@pytest.mark.parametrize("width", WIDTHS)
def test_a_statistic_is_one_line_with_its_figures_and_the_line_in_the_source(width: int) -> None:
    lines = [line for line in printed(FULL, width).splitlines() if "average pooling" in line]
    assert len(lines) == 3
    assert all("64x1024" in line and "96x1536" in line and ":1234)" in line for line in lines)
    assert all(PLACE in line for line in lines) == (width == 200)


@pytest.mark.parametrize("width", WIDTHS)
def test_folds_are_one_sentence(width: int) -> None:
    text = " ".join(printed(FULL, width).split())
    assert "Folded exactly: 1 batch norm, 12 constants, 30 affine regions." in text
    assert "2,048 MACs" not in text


@pytest.mark.parametrize("width", WIDTHS)
def test_why_something_stays_global_can_be_read_to_the_end(width: int) -> None:
    text = printed(FULL, width)
    assert "".join(REASON.split()) in "".join(text.split())
    assert "".join(PLACE.split()) in "".join(text[text.index("left global") :].split())


@pytest.mark.parametrize("width", WIDTHS)
def test_each_comparison_is_summed_up_by_the_size_nearest_to_its_bound(width: int) -> None:
    text = " ".join(printed(FULL, width).split())
    assert "onnx / converted: 9 sizes, 2.0e-07 of scale at 1x0x0; 1e-05 passes" in text
    assert "converted / original: 1 size, 9.0e-07 of scale at 2x720x1280; 1e-05 passes (a note)" in text


def test_a_usual_conversion_fits_a_screen() -> None:
    usual = conversion(sites=[site()] * 8, folded=folds(constant=40, affine_region=90))
    assert len(printed(usual, 80).splitlines()) <= 24


def test_a_long_list_ends_and_says_where_the_rest_is() -> None:
    many = conversion(sites=[site()] * 100, left=[Skipped("FFT", PLACE, REASON)] * 100)
    text = printed(many, 200)
    assert text.count("global average pooling") == 40
    assert text.count("and 60 more: --report or --json lists all") == 2


def test_what_a_name_would_do_to_a_terminal_is_written_out() -> None:
    hostile = "a\x1b[31mb\nc\u202e"
    text = printed(conversion([site(hostile, hostile)], left=[Skipped(hostile, hostile, hostile)]), 80)
    assert "\x1b" not in text and "\u202e" not in text and "\\x1b[31m" in text


def test_nothing_to_localize_is_said_only_where_nothing_is_global() -> None:
    assert "Nothing to localize" in printed(conversion(), 80)
    assert "Nothing to localize" not in printed(conversion(left=[Skipped("FFT", PLACE, REASON)]), 80)


@pytest.mark.parametrize(
    ("made", "asked", "words"),
    [
        (FULL, {"page": Path("r.html")}, "open r.html in a browser"),
        (FULL, {"dry_run": True, "output": None}, "put -o FILE in the place of --dry-run"),
        (FULL, {}, "each place that stayed global"),
        (conversion(sites=[site()]), {}, "--image PHOTOGRAPH"),
        (conversion(), {}, "its cost and its proof"),
    ],
)
def test_the_last_line_says_what_to_do_next(made: Conversion, asked: dict[str, object], words: str) -> None:
    request = replace(Request(model=Path("m.pth"), output=Path("out.onnx")), **asked)  # type: ignore[arg-type]
    for width in WIDTHS[1:]:
        last = printed(made, width, request).splitlines()[-1]
        assert last.startswith("Next: ") and words in last
