"""PSNR against its definition, and SSIM where it is known."""

from __future__ import annotations

import math

import pytest
import torch

from tlcconvert.network.pixels import Pixels
from tlcconvert.tuning.quality import quality

CLEAN = torch.rand(1, 3, 20, 24, generator=torch.Generator().manual_seed(0)) * 0.5 + 0.2


def test_psnr_is_that_of_its_definition_after_cutting_to_black_and_white() -> None:
    output = CLEAN + 0.1
    assert quality(output, CLEAN, Pixels()).psnr == pytest.approx(20, abs=1e-4)
    assert quality(CLEAN * 255 + 25.5, CLEAN * 255, Pixels((0.0, 255.0))).psnr == pytest.approx(20, abs=1e-4)
    assert quality(CLEAN + 9, torch.ones_like(CLEAN), Pixels()).psnr == math.inf


def test_ssim_is_one_of_the_same_and_less_of_others() -> None:
    assert quality(CLEAN, CLEAN, Pixels()).ssim == pytest.approx(1)
    noisy = CLEAN + 0.1 * torch.randn(CLEAN.shape, generator=torch.Generator().manual_seed(1))
    similarity = quality(noisy, CLEAN, Pixels()).ssim
    assert similarity is not None and 0.3 < similarity < 0.95
    assert quality(CLEAN[..., :10, :], CLEAN[..., :10, :], Pixels()).ssim is None
