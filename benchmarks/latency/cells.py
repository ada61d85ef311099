"""How a ratio and the size of an image are written in tables."""

from __future__ import annotations


def cell(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}"


def size(pixels: tuple[int, int]) -> str:
    return f"{pixels[0]}x{pixels[1]}"
