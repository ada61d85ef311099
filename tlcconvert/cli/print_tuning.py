"""What a person at a terminal sees of tuning: what is best, then a row per way of running the network."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from tlcconvert.shown_name import shown_text
from tlcconvert.tuning.tuning import ORIGINAL, TILES, Tuning, text_of

_NAMES = {ORIGINAL: "original, whole images", TILES: "original, overlapping tiles"}


def print_tuning(console: Console, tuning: Tuning) -> None:
    """The sentence, means over the pairs, and what was left out."""
    console.print(tuning.sentence, style="bold", highlight=False)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("way")
    for column in ("PSNR, dB", "gain", "SSIM", "better on"):
        table.add_column(column, justify="right", no_wrap=True)
    original = tuning.mean(ORIGINAL).psnr
    best = ORIGINAL if tuning.base_ratio is None else text_of(tuning.base_ratio)
    for way in tuning.ways:
        mean = tuning.mean(way)
        gain = "" if way == ORIGINAL else f"{mean.psnr - original:+.2f}"
        ssim = "" if mean.ssim is None else f"{mean.ssim:.4f}"
        wins = "" if way == ORIGINAL else f"{tuning.wins(way)} of {len(tuning.pairs)}"
        name = _NAMES.get(way, f"windows of {way} crops")
        table.add_row(name, f"{mean.psnr:.2f}", gain, ssim, wins, style="bold" if way == best else "")
    console.print(table)
    for sentence in tuning.left_out:
        console.print(f"Left out: {shown_text(sentence)}", highlight=False)
