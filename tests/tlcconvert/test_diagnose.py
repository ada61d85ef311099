"""Networks whose answer is known by construction get that answer."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import tlcconvert
from tests.tlcconvert.diagnosis.networks import Brightened, Normed
from tests.tlcconvert.images.png_writer import write_png16
from tlcconvert import Diagnosis, InputError
from tlcconvert.diagnosis.verdict import Verdict
from tlcconvert.load import Network
from tlcconvert.network.network_inputs import ExtraInput, NetworkInputs
from tlcconvert.verification.images import photograph

SLOPE = torch.linspace(0, 1, 160).expand(3, 120, 160)


def diagnose(network: nn.Module, *images: Tensor, train_size: int = 16) -> Diagnosis:
    return tlcconvert.diagnose(network.eval(), images, train_size, input_channels=3)


def test_a_network_that_follows_the_light_about_it_gains() -> None:
    found = diagnose(Brightened(0.05), SLOPE)
    assert found.verdict is Verdict.LOCAL
    assert found.closer > 10
    # Away from the borders, a window's mean is that of the slope where it stands.
    expected = 20 * math.log10(0.05 * math.sqrt(1 / 12))
    assert found.deviation == pytest.approx(expected, abs=1)
    assert "closer to what it does on training crops; expect a gain" in found.sentence


def test_a_network_that_needs_the_whole_image_is_unsafe() -> None:
    found = diagnose(Brightened(-1), SLOPE)
    assert found.verdict is Verdict.UNSAFE
    assert found.sentence.startswith("Unsafe: local statistics change the output by -11 dB")
    assert "statistics should stay global" in found.sentence


def test_a_statistic_that_is_the_same_everywhere_brings_no_benefit() -> None:
    periodic = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0)).repeat(1, 15, 20)
    found = diagnose(Brightened(0.5), periodic)
    assert found.verdict is Verdict.NO_BENEFIT
    assert found.closer == 0
    assert found.deviation < -120
    assert "hardly visible" in found.sentence


def test_images_of_training_size_tell_nothing_and_change_nothing() -> None:
    image = torch.rand(3, 16, 16)
    found = diagnose(Brightened(0.5), image, image[:, :, :, None].squeeze(3))
    assert found.verdict is Verdict.UNDECIDED
    assert [(one.closer, one.deviation, one.crops) for one in found.images] == [(0.0, -math.inf, 1)] * 2
    assert found.global_error == found.local_error == 0


def test_images_within_a_window_do_not_count_beside_larger_ones() -> None:
    alone, beside = (
        diagnose(Brightened(0.05), SLOPE),
        diagnose(Brightened(0.05), SLOPE, torch.rand(3, 24, 20)),
    )
    assert beside.images[1].is_within_window
    assert beside.verdict is Verdict.LOCAL
    assert beside.deviation == alone.deviation


def test_a_network_without_a_global_statistic_has_nothing_to_decide() -> None:
    found = diagnose(nn.Conv2d(3, 3, 3, padding=1), SLOPE)
    assert found.verdict is Verdict.NOTHING_GLOBAL
    assert found.sentence.startswith("Nothing to decide")


def test_norms_over_small_windows_show_blocks_and_are_named() -> None:
    (image,) = photograph(NetworkInputs(3), 1, 144, 192)
    small = diagnose(Normed(), image, train_size=12)
    (site,) = small.blocks
    assert site.kind == "norm" and "norm" in site.where
    assert "Blocks may show" in small.explanation[0] and site.where in small.explanation[0]
    smooth = diagnose(Normed(), torch.rand(3, 144, 192), train_size=64)
    assert smooth.blocks == ()


def test_the_statistic_that_windows_bring_close_is_named() -> None:
    found = diagnose(Brightened(0.05), SLOPE)
    (site,) = found.sites
    assert site.whole_distance is not None and site.window_distance is not None
    assert site.whole_distance > 2 * site.window_distance
    assert "mean at" in found.explanation[0] and "networks.py" in found.explanation[0]


def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    write_png16(
        tmp_path / "image.png", np.random.default_rng(0).integers(0, 65536, (50, 60, 3), dtype=np.uint16)
    )
    written = [
        json.dumps(tlcconvert.diagnose(Normed().eval(), str(tmp_path), 12).facts(), allow_nan=False)
        for _ in range(2)
    ]
    assert written[0] == written[1]


def test_files_of_16_bits_are_as_telling_as_their_tensors(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 65536, (50, 60, 3), dtype=np.uint16)
    write_png16(tmp_path / "image.png", values)
    tensor = torch.from_numpy(values.astype(np.float32)).permute(2, 0, 1) / 65535
    of_file = tlcconvert.diagnose(Normed().eval(), [tmp_path / "image.png"], 12)
    of_tensor = tlcconvert.diagnose(Normed().eval(), tensor, 12)
    assert (of_file.closer, of_file.deviation) == (of_tensor.closer, of_tensor.deviation)


def test_what_cannot_be_used_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((1, 1, 3), np.uint8)).save(tmp_path / "dot.png")
    (tmp_path / "empty.png").touch()
    images = [
        tmp_path / "dot.png",
        SLOPE,
        tmp_path / "empty.png",
        torch.rand(1, 60, 60),
        tmp_path / "missing.png",
    ]
    found = tlcconvert.diagnose(Brightened(0.05).eval(), images, 16, input_channels=3)
    assert found.verdict is Verdict.LOCAL
    assert sorted(sentence.removeprefix(f"{tmp_path}/") for sentence in found.left_out) == [
        "dot.png has 1x1 pixels, less than a crop of 16x16.",
        "empty.png is empty.",
        "image 4 is of shape (1, 60, 60), not [3, height, width] as the network takes it.",
        "missing.png does not exist.",
    ]


class Filtered(nn.Module):
    """Its frequencies cannot be made local; its mean can."""

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = strength

    def forward(self, image: Tensor) -> Tensor:
        x = image + self.strength * image.mean((2, 3), keepdim=True) if self.strength else image
        return torch.fft.irfft2(torch.fft.rfft2(x), s=x.shape[-2:])


def test_what_cannot_be_made_local_is_named() -> None:
    found = diagnose(Filtered(0.05), SLOPE)
    assert found.verdict is Verdict.LOCAL
    assert found.explanation[-1].startswith("Global whatever is decided: ")
    nothing = diagnose(Filtered(0), SLOPE)
    assert nothing.verdict is Verdict.NOTHING_GLOBAL
    assert "cannot be made local (" in nothing.sentence


def test_an_image_whose_output_is_not_finite_tells_nothing() -> None:
    found = diagnose(Brightened(0.05), SLOPE, torch.full((3, 60, 60), math.nan))
    assert found.verdict is Verdict.LOCAL
    assert found.left_out == ("image 2 makes the network return values that are not finite.",)


class Beside(nn.Module):
    def forward(self, image: Tensor, level: Tensor) -> Tensor:
        return image * image.mean((2, 3), keepdim=True) + level


def test_what_cannot_be_diagnosed_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="1x1 pixels, less than a crop"):
        diagnose(Brightened(), torch.rand(3, 1, 1))
    with pytest.raises(InputError, match="There is no image"):
        tlcconvert.diagnose(Brightened().eval(), [], 16, input_channels=3)
    with pytest.raises(InputError, match="train size"):
        diagnose(Brightened(), SLOPE, train_size=0)
    network = Network(Beside().eval(), input_channels=3, extra_inputs=(ExtraInput("level"),))
    with pytest.raises(InputError, match="takes level beside the image"):
        tlcconvert.diagnose(network, SLOPE, 16)
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(tmp_path / "image.png")
    with pytest.raises(InputError, match="2 channels"):
        tlcconvert.diagnose(Brightened().eval(), tmp_path, 16, input_channels=2)
