"""How close an output is to the clean image: PSNR and SSIM of scikit-image, on values from black 0 to white 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from tlcconvert.errors import InputError
from tlcconvert.network.pixels import Pixels

_LEAST_SIDE = 11
"""Of an image that has an SSIM: that of its Gaussian window."""


@dataclass(frozen=True)
class Quality:
    """PSNR in dB, and SSIM up to 1; SSIM is None of images of less than 11 pixels on a side."""

    psnr: float
    ssim: float | None


def require_quality_library() -> None:
    """Raises InputError where scikit-image is not installed."""
    try:
        import skimage.metrics  # noqa: F401
    except ImportError as error:
        raise InputError("Comparing images needs scikit-image: pip install 'tlcconvert[images]'.") from error


def quality(output: Tensor, clean: Tensor, pixels: Pixels) -> Quality:
    """Of ``output`` [1, C, H, W] against ``clean``, both in the network's values, cut to black and white.

    SSIM has the Gaussian window and the population variance of Wang et al. (Image Quality Assessment, 2004).
    """
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    first, second = (_plain(image, pixels) for image in (output, clean))
    with np.errstate(divide="ignore"):
        psnr = float(peak_signal_noise_ratio(second, first, data_range=1.0))
    if min(first.shape[:2]) < _LEAST_SIDE:
        return Quality(psnr, None)
    ssim = structural_similarity(
        second,
        first,
        data_range=1.0,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    return Quality(psnr, float(ssim))


def _plain(image: Tensor, pixels: Pixels) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    black, white = pixels.value_range or (0.0, 1.0)
    values = (image[0].double() - black) / (white - black)
    return values.clamp(0, 1).permute(1, 2, 0).numpy()
