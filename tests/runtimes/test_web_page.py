"""The page in samples/web shows what a file makes of a picture."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

from benchmarks.runtimes.runtimes import PROGRAMS, RUNTIMES
from tests.runtimes.presence import require
from tlcconvert import convert
from tlcconvert.load import load_network

ROOT = Path(__file__).parents[2]
CHROMIUM = next(runtime for runtime in RUNTIMES if runtime.name == "onnxruntime-web, wasm, Chromium")
SHOWN = """(async () => {
  const state = document.getElementById("state");
  while (!/ ms$|does not work/.test(state.textContent)) await new Promise((done) => setTimeout(done, 50));
  const canvas = document.getElementById("restored");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return { said: state.textContent, height: canvas.height, width: canvas.width, pixels: Array.from(data) };
})()"""


@pytest.fixture(scope="module")
def denoiser(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("web") / "denoiser.onnx"
    network = load_network(str(ROOT / "samples" / "denoiser.pth"))
    convert(network, 64, verify_sizes=[(64, 64)]).save(file)
    return file


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    pixels = torch.randint(
        0, 256, (67, 115, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8
    )
    Image.fromarray(pixels.numpy()).save(tmp_path / "picture.png")
    return tmp_path / "picture.png"


def shown_by_the_page(model: Path, picture: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    require(CHROMIUM)
    monkeypatch.setattr(sys, "path", [str(PROGRAMS), *sys.path])
    from chromium import Page
    from web_server import served

    with served({}) as address, Page() as page:
        page.open(address)
        page.choose_file("#model", str(model))
        page.choose_file("#picture", str(picture))
        shown: dict[str, Any] = page.evaluate(SHOWN)
        return shown


@pytest.mark.full
def test_the_page_restores_a_picture(denoiser: Path, picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = shown_by_the_page(denoiser, picture, monkeypatch)
    assert shown["said"].startswith("115 x 67: ")
    own = np.array(shown["pixels"], np.uint8).reshape(shown["height"], shown["width"], 4)
    image = np.asarray(Image.open(picture), np.float32).transpose(2, 0, 1)[None] / 255
    session = onnxruntime.InferenceSession(str(denoiser), providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {session.get_inputs()[0].name: image})
    levels = np.rint(255 * expected[0].clip(0, 1)).transpose(1, 2, 0)
    assert np.abs(own[..., :3] - levels).max() <= 1
    assert np.mean(own[..., :3] != levels) < 0.01


@pytest.mark.full
def test_the_page_says_what_does_not_work(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = shown_by_the_page(picture, picture, monkeypatch)["said"]
    assert said.startswith("This does not work: ")
