"""Draws what a budget buys: charts of PSNR and time against the budget, and the class map over a photograph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

BLUE, ORANGE, GREEN = (30, 90, 200), (220, 120, 20), (30, 140, 70)
CLASS_NAMES = ("easy", "medium", "hard")
CLASS_COLORS = ((40, 190, 90), (250, 190, 30), (225, 40, 60))
CHART_SIZE = (560, 380)
LEFT, RIGHT, TOP, BOTTOM = 64, 18, 44, 52  # margins of a chart around its axes
TICKS = 5
FONT = ImageFont.load_default(15)


@dataclass(frozen=True)
class Line:
    """Values over budgets, and the one value of the classifier's own choice at the cost it came to."""

    budgets: Sequence[float]
    values: Sequence[float]
    own_cost: float
    own_value: float


def chart(lines: Mapping[str, Line], title: str) -> Image.Image:
    """``lines`` by name; own choices are rings in the colour of their line."""
    image = Image.new("RGB", CHART_SIZE, "white")
    draw = ImageDraw.Draw(image)
    values = [value for line in lines.values() for value in (*line.values, line.own_value)]
    low, high = min(values), max(values)
    width, height = CHART_SIZE[0] - LEFT - RIGHT, CHART_SIZE[1] - TOP - BOTTOM

    def place(budget: float, value: float) -> tuple[float, float]:
        return LEFT + budget * width, TOP + height * (high - value) / (high - low)

    draw.text((LEFT, 12), title, fill="black", font=FONT)
    for tick in range(TICKS):
        share = tick / (TICKS - 1)
        value = low + share * (high - low)
        across, (_, y) = LEFT + share * width, place(0, value)
        draw.line((LEFT, y, LEFT + width, y), fill=(225, 225, 225))
        draw.text((LEFT - 8, y), f"{value:.2f}", fill="black", font=FONT, anchor="rm")
        draw.text((across, TOP + height + 8), f"{share:g}", fill="black", font=FONT, anchor="ma")
    draw.text((LEFT + width / 2, CHART_SIZE[1] - 8), "budget", fill="black", font=FONT, anchor="md")
    for number, (color, (name, line)) in enumerate(zip((BLUE, ORANGE, GREEN), lines.items(), strict=False)):
        draw.line(list(map(place, line.budgets, line.values)), fill=color, width=3)
        x, y = place(line.own_cost, line.own_value)
        draw.ellipse((x - 6, y - 6, x + 6, y + 6), outline=color, width=3)
        row = TOP + height - 20 * (len(lines) - number) - 8
        draw.text((LEFT + width - 8, row), f"{name} (ring: own choice)", fill=color, font=FONT, anchor="ra")
    return image


def with_class_map(image: torch.Tensor, class_map: np.ndarray, step: int) -> Image.Image:
    """``image`` [1, 3, H, W] with a tint over each patch, which start every ``step`` pixels of it."""
    pixels = image[0].clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).numpy()
    photograph = Image.fromarray(pixels)
    tint = photograph.copy()
    draw = ImageDraw.Draw(tint)
    for row, column in np.ndindex(class_map.shape):
        left, top = column * step, row * step
        draw.rectangle(
            (left + 1, top + 1, left + step - 2, top + step - 2), fill=CLASS_COLORS[class_map[row, column]]
        )
    return Image.blend(photograph, tint, 0.35)


def picture(charts: Sequence[Image.Image], mapped: Image.Image, caption: str) -> Image.Image:
    """The charts side by side, below them the legend of the classes and the photograph, as wide as both."""
    width, height = sum(image.width for image in charts), charts[0].height
    scaled = mapped.resize((width, mapped.height * width // mapped.width), Image.Resampling.LANCZOS)
    canvas = Image.new("RGB", (width, height + 36 + scaled.height), "white")
    draw = ImageDraw.Draw(canvas)
    for number, image in enumerate(charts):
        canvas.paste(image, (number * image.width, 0))
    draw.text((LEFT, height + 8), caption, fill="black", font=FONT)
    left = LEFT + draw.textlength(caption, font=FONT) + 24
    for name, color in zip(CLASS_NAMES, CLASS_COLORS, strict=True):
        draw.rectangle((left, height + 8, left + 16, height + 24), fill=color)
        draw.text((left + 24, height + 8), name, fill="black", font=FONT)
        left += 100
    canvas.paste(scaled, (0, height + 36))
    return canvas
