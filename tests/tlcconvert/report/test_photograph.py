"""Photographs of every kind are read right, or refused in one sentence."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tlcconvert.errors import InputError
from tlcconvert.report import photograph as module
from tlcconvert.report.photograph import middle, read_photograph

COLOURS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)


def saved(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


def test_colours_are_read_as_they_are(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", Image.fromarray(COLOURS))
    read = read_photograph(path)
    assert (read.name, read.size) == (str(path), (5, 7))
    assert read.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert read.pixels.dtype == np.float32
    np.testing.assert_array_equal(read.pixels, COLOURS.astype(np.float32) / 255)


@pytest.mark.parametrize("mode", ["L", "RGBA", "LA", "P", "1", "CMYK", "YCbCr"])
def test_other_kinds_of_colours_become_red_green_and_blue(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(COLOURS).convert(mode)
    read = read_photograph(saved(tmp_path / "a.tif", image))
    np.testing.assert_allclose(read.pixels, np.asarray(image.convert("RGB")) / 255, atol=1e-6)


def test_grey_of_16_bits_keeps_them(tmp_path: Path) -> None:
    grey = np.array([[0, 1, 257, 65535]], np.uint16)
    read = read_photograph(saved(tmp_path / "a.png", Image.fromarray(grey)))
    np.testing.assert_allclose(read.pixels[0, :, 1], grey[0] / 65535, atol=1e-7)


def test_an_image_is_the_way_up_the_camera_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = saved(tmp_path / "a.png", Image.fromarray(COLOURS), exif=exif)
    assert read_photograph(path).size == (7, 5)


def test_one_pixel_is_an_image(tmp_path: Path) -> None:
    assert read_photograph(saved(tmp_path / "a.png", Image.new("RGB", (1, 1)))).size == (1, 1)


def test_of_a_large_image_the_middle_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_PIXELS", 15)
    read = read_photograph(saved(tmp_path / "a.png", Image.fromarray(COLOURS)))
    assert read.size == (5, 7)
    np.testing.assert_array_equal(read.pixels, COLOURS[1:4, 1:5].astype(np.float32) / 255)


@pytest.mark.parametrize("size", [(1, 1), (1, 20_000), (3001, 4003), (20_000, 20_000)])
def test_the_middle_is_inside_and_no_larger_than_asked_for(size: tuple[int, int]) -> None:
    top, left, height, width = middle(size, 10_000)
    assert 1 <= height <= size[0] and 1 <= width <= size[1] and height * width <= 10_000
    assert abs(2 * top + height - size[0]) <= 1 and abs(2 * left + width - size[1]) <= 1


def animated(path: Path) -> None:
    frames = [Image.fromarray(np.roll(COLOURS, shift, 0)) for shift in range(3)]
    frames[0].save(path, format="gif", save_all=True, append_images=frames[1:])


def cut(path: Path) -> None:
    saved(path, Image.fromarray(np.tile(COLOURS, (9, 9, 1))), format="png")
    path.write_bytes(path.read_bytes()[:200])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.write_bytes(b""), "cannot be read as an image"),
        (lambda path: path.write_bytes(b"no image \x1b[31m"), "cannot be read as an image"),
        (cut, "cannot be read as an image"),
        (animated, "3 frames"),
        (lambda path: saved(path, Image.new("F", (3, 3)), format="tiff"), "floating-point"),
        (lambda path: path.mkdir(), "Is a directory"),
    ],
    ids=["empty", "text", "cut", "animated", "floating point", "a folder"],
)
def test_what_is_no_still_image_is_refused_by_name(tmp_path: Path, make: object, words: str) -> None:
    path = tmp_path / "odd[bold]\x1b.png"
    make(path)  # type: ignore[operator]
    with pytest.raises(InputError, match=words) as refusal:
        read_photograph(path)
    message = str(refusal.value)
    assert message.isprintable() and "odd[bold]" in message and message.endswith(".")
    assert str(tmp_path) in message


def test_an_image_of_more_pixels_than_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 30)
    with pytest.raises(InputError, match="cannot be read as an image"):
        read_photograph(saved(tmp_path / "a.png", Image.fromarray(COLOURS)))


def test_without_pillow_one_sentence_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(InputError, match=r"pip install 'tlcconvert\[images\]'"):
        read_photograph(tmp_path / "a.png")
