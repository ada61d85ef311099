"""Image files are read at their full depth and turned as they are seen; what is no image says why."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from tests.tlcconvert.images.png_writer import write_beginning, write_png16
from tlcconvert.errors import InputError
from tlcconvert.images.image_file import read_image, require_image_libraries, size_of
from tlcconvert.images.unusable_image import UnusableImage

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (5, 7, 4), dtype=np.uint8)
WORDS = RNG.integers(0, 65536, (5, 7, 4), dtype=np.uint16)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_png_of_16_bits_keeps_every_bit(tmp_path: Path, channels: int) -> None:
    write_png16(tmp_path / "image.png", WORDS[..., :channels])
    values = read_image(tmp_path / "image.png")
    assert values.dtype == np.uint16
    assert np.array_equal(values, WORDS[..., :channels])


def test_gray_and_alpha_of_16_bits_become_colours_and_alpha(tmp_path: Path) -> None:
    write_png16(tmp_path / "image.png", WORDS[..., :2])
    values = read_image(tmp_path / "image.png")
    assert np.array_equal(values, WORDS[..., [0, 0, 0, 1]])


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_a_tiff_of_16_bits_keeps_every_bit(tmp_path: Path, compression: str | None, planar: str) -> None:
    colors = WORDS[..., :3]
    stored = colors if planar == "contig" else colors.transpose(2, 0, 1)
    tifffile.imwrite(
        tmp_path / "image.tif", stored, photometric="rgb", compression=compression, planarconfig=planar
    )
    assert np.array_equal(read_image(tmp_path / "image.tif"), colors)


def test_a_gray_tiff_of_16_bits_may_begin_with_white(tmp_path: Path) -> None:
    gray = WORDS[..., 0]
    tifffile.imwrite(tmp_path / "black.tif", gray, photometric="minisblack")
    tifffile.imwrite(tmp_path / "white.tif", 65535 - gray, photometric="miniswhite")
    assert np.array_equal(read_image(tmp_path / "black.tif")[..., 0], gray)
    assert np.array_equal(read_image(tmp_path / "white.tif")[..., 0], gray)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "webp"])
def test_colours_of_8_bits_are_read_as_they_are(tmp_path: Path, suffix: str) -> None:
    Image.fromarray(BYTES[..., :3]).save(tmp_path / f"image.{suffix}", lossless=True)
    values = read_image(tmp_path / f"image.{suffix}")
    assert values.dtype == np.uint8
    assert np.array_equal(values, BYTES[..., :3])


def test_a_palette_becomes_its_colours_and_one_bit_black_and_white(tmp_path: Path) -> None:
    palette = Image.fromarray(BYTES[..., :3]).quantize(16)
    palette.save(tmp_path / "palette.png")
    assert np.array_equal(read_image(tmp_path / "palette.png"), np.asarray(palette.convert("RGB")))
    palette.save(tmp_path / "clear.png", transparency=0)
    assert read_image(tmp_path / "clear.png").shape == (5, 7, 4)
    Image.fromarray(BYTES[..., 0] > 127).save(tmp_path / "bits.png")
    assert np.array_equal(read_image(tmp_path / "bits.png")[..., 0], 255 * (BYTES[..., 0] > 127))


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_is_turned_as_its_camera_says(tmp_path: Path, orientation: int, suffix: str) -> None:
    path = tmp_path / f"image.{suffix}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(BYTES[..., :3]).save(path, exif=exif, lossless=True)
    with Image.open(path) as stored:
        expected = np.asarray(ImageOps.exif_transpose(stored))
    assert np.array_equal(read_image(path), expected)
    assert size_of(path) == expected.shape[:2]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_of_16_bits_is_turned_as_one_of_8_bits(tmp_path: Path, orientation: int) -> None:
    tag = [(274, "H", 1, orientation, False)]
    for name, values in (("deep", WORDS[..., :3]), ("shallow", (WORDS[..., :3] >> 8).astype(np.uint8))):
        tifffile.imwrite(tmp_path / f"{name}.tif", values, photometric="rgb", extratags=tag)
    deep, shallow = (read_image(tmp_path / f"{name}.tif") for name in ("deep", "shallow"))
    assert np.array_equal(deep >> 8, shallow)
    assert size_of(tmp_path / "deep.tif") == deep.shape[:2]


def unusable(folder: Path, kind: str) -> Path:
    path = folder / f"image.{'gif' if kind == 'animated' else 'tif' if 'TIFF' in kind else 'png'}"
    frames = [Image.fromarray(BYTES[..., :3]), Image.fromarray(BYTES[..., 1:])]
    if kind == "empty":
        path.touch()
    elif kind == "no image":
        path.write_bytes(b"no image at all" * 20)
    elif kind == "truncated":
        Image.fromarray(RNG.integers(0, 256, (90, 90, 3), dtype=np.uint8)).save(path)
        path.write_bytes(path.read_bytes()[:2000])
    elif kind == "truncated of 16 bits":
        write_png16(path, RNG.integers(0, 65536, (90, 90, 3), dtype=np.uint16))
        path.write_bytes(path.read_bytes()[:2000])
    elif kind == "animated" or kind == "TIFF of two pages":
        frames[0].save(path, save_all=True, append_images=frames[1:])
    elif kind == "CMYK TIFF":
        Image.new("CMYK", (5, 7)).save(path)
    elif kind == "TIFF of floats":
        tifffile.imwrite(path, BYTES[..., 0].astype(np.float32))
    elif kind == "TIFF of floating colours":
        tifffile.imwrite(path, BYTES[..., :3].astype(np.float32), photometric="rgb")
    elif kind == "150 megapixels":
        write_beginning(path, 10_000, 15_000)
    elif kind == "400 megapixels":
        write_beginning(path, 20_000, 20_000)
    elif kind == "folder":
        path.mkdir()
    return path


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", "does not exist"),
        ("folder", "is no file"),
        ("empty", "is empty"),
        ("no image", "is no image that can be read"),
        ("truncated", "is damaged"),
        ("truncated of 16 bits", "is damaged"),
        ("animated", "has 2 frames"),
        ("TIFF of two pages", "has 2 frames or pages"),
        ("CMYK TIFF", "CMYK"),
        ("TIFF of floats", "of a kind that is not read"),
        ("TIFF of floating colours", "read"),
        ("150 megapixels", "more than 134 megapixels"),
        ("400 megapixels", "more than 134 megapixels"),
    ],
)
def test_what_is_no_usable_image_is_named_with_the_reason(tmp_path: Path, kind: str, words: str) -> None:
    path = unusable(tmp_path, kind)
    with pytest.raises(UnusableImage) as refusal:
        read_image(path)
    message = str(refusal.value)
    assert message.startswith(str(path))
    assert words in message
    assert message.endswith(".")
    assert "\n" not in message


def test_without_the_libraries_one_sentence_says_how_to_install_them(monkeypatch: pytest.MonkeyPatch) -> None:
    require_image_libraries()
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(InputError, match=r"pip install 'tlcconvert\[images\]'"):
        require_image_libraries()
