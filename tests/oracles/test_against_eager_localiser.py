"""Converted files of published architectures are what the eager localiser computes, far beyond their windows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import tlcconvert
from benchmarks.coverage.conversion import TRAIN_SIZE, converted
from benchmarks.coverage.subjects import SUBJECTS
from tests.oracles.comparison import distance_from_oracle, uneven_image
from tests.tlcconvert.classsr.covering_oracle import covering_oracle
from tlcconvert.load import load_network

pytest.importorskip("spandrel_extra_arches")

SAMPLES = Path(__file__).parents[2] / "samples"
TOLERANCE = 1e-5
QUICK = ("RCAN", "NAFNet")
LOCAL = (
    "RCAN", "NAFNet", "HINet", "MPRNet", "Restormer", "FBCNN", "UpCunet2x", "MixDehazeNet", "KBNet_s",
    "RetinexFormer",
    "HVICIDNet", "MMRealSR", "OmniSR", "HAT", "DAT", "CRAFT", "FDAT", "MIRNet2", "M3SNet", "FeMaSR", "AdaCode",
    "UpCunet3x", "UpCunet4x", "UpCunet2x_fast", "KBNet_l", "RealPLKSR",
)  # fmt: skip
"""Every row of the coverage table that has local statistics."""
AT_720x1280 = ("RCAN", "NAFNet", "HINet", "Restormer", "RealPLKSR", "CRAFT", "OmniSR")
"""Those that take less than five minutes and 12 GB there, in float64 on one core."""

ROUNDING_AT_720x1280 = {"HINet": 3.3e-5}
"""How far PyTorch's own float32 result is from float64 there, where that is more than the tolerance."""


def _distance(name: str, size: tuple[int, int]) -> float:
    network = next(subject for subject in SUBJECTS if subject.name == name).network()
    model = converted(network).model.SerializeToString()
    return distance_from_oracle(
        network.module, model, size, train_size=TRAIN_SIZE, output_index=network.output_index or 0
    )


@pytest.mark.parametrize("name", QUICK)
def test_a_file_is_the_network_with_statistics_over_windows(name: str) -> None:
    assert _distance(name, (176, 240)) <= TOLERANCE


@pytest.mark.parametrize(
    ("name", "train_size", "size"),
    [
        ("denoiser", 64, (176, 240)),
        pytest.param("denoiser", 64, (720, 1280), marks=pytest.mark.full),
        pytest.param("repsr", 48, (720, 1280), marks=pytest.mark.full),
    ],
)
def test_a_sample_is_its_network_with_statistics_over_windows(
    name: str, train_size: int, size: tuple[int, int]
) -> None:
    network = load_network(SAMPLES / f"{name}.pth")
    model = tlcconvert.convert(network.module, train_size).model.SerializeToString()
    assert distance_from_oracle(network.module, model, size, train_size=train_size) <= TOLERANCE


@pytest.mark.full
def test_the_routed_sample_is_its_branches_on_every_patch() -> None:
    """A ClassSR has no statistic beyond its patches, so its oracle is the loop over them."""
    network = load_network(SAMPLES / "classsr.pth").module
    model = tlcconvert.convert(network, localize_statistics=False).model.SerializeToString()
    image = uneven_image(3, 720, 1280)
    expected = covering_oracle(network, image[0], 32, 28).image.numpy()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (computed,) = session.run(None, {"input": image.numpy()})
    assert np.abs(computed[0] - expected).max() <= TOLERANCE * np.abs(expected).max()


@pytest.mark.full
@pytest.mark.parametrize("name", LOCAL)
def test_every_architecture_at_272x400(name: str) -> None:
    assert _distance(name, (272, 400)) <= TOLERANCE


@pytest.mark.full
@pytest.mark.parametrize("name", AT_720x1280)
def test_large_maps_at_720x1280(name: str) -> None:
    assert _distance(name, (720, 1280)) <= max(TOLERANCE, ROUNDING_AT_720x1280.get(name, 0.0))
