"""Shows what local statistics are for: one denoiser, three ways to run it on whole photographs.

    python samples/compare.py

The noise of each held-out photograph grows from left to right. The denoiser was trained on 64x64 crops of
even noise, and its channel attention averages over everything it is given:

    original      the whole photograph at once, averaged over all noise levels
    converted     the whole photograph at once, each average taken over a window about the pixel
    tiles         the original on 64x64 tiles, put together again

Prints PSNR and writes comparison.png.
"""

from __future__ import annotations

from pathlib import Path

import torch
from photographs import held_out_photographs, psnr
from PIL import Image, ImageDraw
from rich.console import Console
from rich.table import Table
from spandrel import ModelLoader

import tlcconvert

CHECKPOINT = Path(__file__).with_name("denoiser.pth")
PICTURE = Path(__file__).with_name("comparison.png")
PICTURED = "motorcycle"
TRAIN_SIZE = 64
STRONGEST_NOISE = 0.2  # standard deviation at the right edge, on values in 0..1; none at the left edge
DIFFERENCE_GAIN = 5
BAND_HEIGHT = 160  # pixels of the photograph shown in the picture
CAPTION_HEIGHT = 16


@torch.no_grad()
def main() -> None:
    original = ModelLoader("cpu").load_from_file(CHECKPOINT).model.eval()
    with Console().status("Converting"):
        converted = tlcconvert.convert(original, train_size=TRAIN_SIZE).module

    table = Table("photograph", "noisy", "original", "tiles", "converted", "gain", title="PSNR in dB")
    for name, clean in held_out_photographs().items():
        noisy = with_growing_noise(clean)
        outputs = {
            "noisy": noisy,
            "original": original(noisy[None])[0],
            "tiles": in_tiles(original, noisy),
            "converted": converted(noisy[None])[0],
        }
        quality = {method: psnr(image, clean) for method, image in outputs.items()}
        gain = quality["converted"] - quality["original"]
        table.add_row(name, *(f"{decibels:.2f}" for decibels in quality.values()), f"{gain:+.2f}")
        if name == PICTURED:
            picture({"clean": clean, **outputs}).save(PICTURE)
    Console().print(table)
    print(f"Wrote {PICTURE}")


def with_growing_noise(clean: torch.Tensor) -> torch.Tensor:
    """Adds Gaussian noise whose strength grows linearly with the column; [3, H, W] in and out."""
    generator = torch.Generator().manual_seed(0)
    level = torch.linspace(0, STRONGEST_NOISE, clean.shape[2])
    return clean + level * torch.randn(clean.shape, generator=generator)


def in_tiles(network: torch.nn.Module, image: torch.Tensor) -> torch.Tensor:
    """``network`` on each 64x64 tile of ``image`` [3, H, W]; the last row and column of tiles overlap."""
    output = torch.empty_like(image)
    for top in tile_starts(image.shape[1]):
        for left in tile_starts(image.shape[2]):
            tile = (..., slice(top, top + TRAIN_SIZE), slice(left, left + TRAIN_SIZE))
            output[tile] = network(image[tile][None])[0]
    return output


def tile_starts(length: int) -> list[int]:
    """Where tiles of TRAIN_SIZE start so that they cover ``length`` pixels and none leaves the image."""
    return [min(start, length - TRAIN_SIZE) for start in range(0, length, TRAIN_SIZE)]


def picture(images: dict[str, torch.Tensor]) -> Image.Image:
    """The middle band of each image and of the difference map, two side by side, each with its name."""
    difference = (images["converted"] - images["original"]).abs() * DIFFERENCE_GAIN
    panels = {**images, f"{DIFFERENCE_GAIN} x |converted - original|": difference}
    width = difference.shape[2]
    rows = (len(panels) + 1) // 2
    canvas = Image.new("RGB", (2 * width, rows * (BAND_HEIGHT + CAPTION_HEIGHT)), "white")
    for index, (name, image) in enumerate(panels.items()):
        left, top = index % 2 * width, index // 2 * (BAND_HEIGHT + CAPTION_HEIGHT)
        ImageDraw.Draw(canvas).text((left + 4, top + 2), name, fill="black")
        canvas.paste(middle_band(image), (left, top + CAPTION_HEIGHT))
    return canvas


def middle_band(image: torch.Tensor) -> Image.Image:
    top = (image.shape[1] - BAND_HEIGHT) // 2
    band = image[:, top : top + BAND_HEIGHT].clamp(0, 1).mul(255).round().byte()
    return Image.fromarray(band.permute(1, 2, 0).numpy())


if __name__ == "__main__":
    main()
