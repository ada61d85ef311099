"""Fourier transforms as products are PyTorch's own, in float64, and stay so in the file where DFT does not."""

from __future__ import annotations

import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tlcconvert.capture.capture import capture
from tlcconvert.lower.fourier_products import complex_to_complex, complex_to_real, real_to_complex
from tlcconvert.lower.lower import lower

aten = torch.ops.aten

axes = st.sampled_from([(3,), (2,), (1,), (2, 3), (3, 2), (1, 2, 3)])
sizes = st.tuples(*[st.integers(1, 12)] * 3)
normalizations = st.integers(0, 2)


def planes(size: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    real, imaginary = torch.rand(2, 2, *size, dtype=torch.float64, generator=generator)
    return real, torch.complex(real, imaginary)


@settings(max_examples=60, deadline=None)
@given(size=sizes, dims=axes, normalization=normalizations, is_halved=st.booleans())
def test_real_maps_are_transformed(
    size: tuple[int, int, int], dims: tuple[int, ...], normalization: int, is_halved: bool
) -> None:
    real, _ = planes(size)
    expected = aten._fft_r2c(real, dims, normalization, is_halved)
    torch.testing.assert_close(real_to_complex(real, dims, normalization, is_halved), expected)


@settings(max_examples=60, deadline=None)
@given(size=sizes, dims=axes, normalization=normalizations, forward=st.booleans())
def test_complex_maps_are_transformed_there_and_back(
    size: tuple[int, int, int], dims: tuple[int, ...], normalization: int, forward: bool
) -> None:
    _, values = planes(size)
    expected = aten._fft_c2c(values, dims, normalization, forward)
    torch.testing.assert_close(complex_to_complex(values, dims, normalization, forward), expected)


@settings(max_examples=60, deadline=None)
@given(size=sizes, dims=axes, normalization=normalizations)
def test_halved_spectra_become_real_maps(
    size: tuple[int, int, int], dims: tuple[int, ...], normalization: int
) -> None:
    real, _ = planes(size)
    spectrum = aten._fft_r2c(real, dims, 0, True)
    length = real.shape[dims[-1]]
    expected = aten._fft_c2r(spectrum, dims, normalization, length)
    torch.testing.assert_close(complex_to_real(spectrum, dims, normalization, length), expected)


class Filtered(nn.Module):
    """Frequencies rectified, as Fourier units do, and back; twice in the shapes PyTorch offers."""

    def forward(self, x: Tensor) -> Tensor:
        halved = torch.fft.rfft2(x, norm="ortho")
        halved = torch.complex(halved.real.relu(), halved.imag)
        y = torch.fft.irfft2(halved, s=x.shape[-2:], norm="ortho")
        whole = torch.fft.fft2(y)
        return x + torch.fft.ifft2(torch.complex(whole.real, whole.imag.relu())).real


@pytest.mark.parametrize("opset", [18, 24])
def test_one_file_is_right_at_every_size(opset: int) -> None:
    program = capture(Filtered().eval(), input_channels=3).program
    model = lower(program, opset, ["input"], ["output"]).model
    assert "DFT" not in {node.op_type for node in model.graph.node}
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for batch, height, width in ((1, 1, 1), (2, 1, 7), (1, 16, 15), (2, 33, 90), (1, 97, 160), (1, 720, 64)):
        image = torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(height))
        (computed,) = session.run(None, {"input": image.numpy()})
        expected = Filtered()(image.double())
        error = (torch.from_numpy(computed) - expected).abs().max() / expected.abs().max()
        assert error <= 2e-6, f"{height}x{width}: {error}"
