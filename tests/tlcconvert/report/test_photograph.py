"""A photograph keeps its middle, its depth and the hash of its file, or is refused in one sentence."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tlcconvert.errors import InputError
from tlcconvert.report import photograph as module
from tlcconvert.report.photograph import Photograph, middle, read_photograph

COLOURS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)


def saved(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


def test_values_are_those_of_the_file(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", Image.fromarray(COLOURS))
    read = read_photograph(path)
    assert (read.name, read.size) == (str(path), (5, 7))
    assert read.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    np.testing.assert_array_equal(read.values, COLOURS)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_every_kind_of_values_has_colours(channels: int, kind: type) -> None:
    most = np.iinfo(kind).max
    values = np.random.default_rng(1).integers(0, most, (4, 5, channels), kind, endpoint=True)
    colours = Photograph("a", "", (4, 5), values).colours
    assert colours.shape == (4, 5, 3) and colours.dtype == np.float32
    for number in range(3):
        expected = values[..., 0 if channels == 1 else number].astype(np.float64) / most
        np.testing.assert_allclose(colours[..., number], expected, atol=1e-6)


def test_an_image_is_the_way_up_the_camera_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = saved(tmp_path / "a.png", Image.fromarray(COLOURS), exif=exif)
    assert read_photograph(path).size == (7, 5)


def test_of_a_large_image_the_middle_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_PIXELS", 15)
    read = read_photograph(saved(tmp_path / "a.png", Image.fromarray(COLOURS)))
    assert read.size == (5, 7)
    np.testing.assert_array_equal(read.values, COLOURS[1:4, 1:5])


@pytest.mark.parametrize("size", [(1, 1), (1, 20_000), (20_000, 1), (3001, 4003), (20_000, 20_000)])
def test_the_middle_is_inside_and_no_larger_than_asked_for(size: tuple[int, int]) -> None:
    top, left, height, width = middle(size, 10_000)
    assert 1 <= height <= size[0] and 1 <= width <= size[1] and height * width <= 10_000
    assert abs(2 * top + height - size[0]) <= 1 and abs(2 * left + width - size[1]) <= 1


@pytest.mark.parametrize("content", [b"", b"no image \x1b[31m"], ids=["empty", "text"])
def test_what_is_no_image_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd[bold]\x1b.png"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"odd\[bold\]") as refusal:
        read_photograph(path)
    assert str(refusal.value).isprintable() and str(refusal.value).endswith(".")


def test_without_pillow_one_sentence_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.delitem(sys.modules, "PIL.Image", raising=False)
    with pytest.raises(InputError, match=r"pip install 'tlcconvert\[images\]'"):
        read_photograph(tmp_path / "a.png")
