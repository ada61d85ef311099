"""A tensor is a feature map only if every operation on the way from the image kept its pixels in place."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from passes.localize import Localized, Training, localize
from passes.program import runnable
from tests.passes.localize.captured import captured
from tests.passes.localize.crop_oracle import cropped
from tests.passes.localize.squeeze_networks import CHANNELS, KeptMean

WINDOW = (5, 4)
SIZES = [(1, 7, 9), (2, 8, 12), (2, 5, 4), (1, 12, 3)]

Trip = Callable[[Tensor], Tensor]


def windows(x: Tensor) -> Tensor:
    """[N * cells, 16, C], the map padded to multiples of 4."""
    x = functional.pad(x, (0, -x.shape[3] % 4, 0, -x.shape[2] % 4))
    batch, channels, height, width = x.shape
    cells = x.view(batch, channels, height // 4, 4, width // 4, 4)
    return cells.permute(0, 2, 4, 3, 5, 1).reshape(-1, 16, channels)


def from_windows(cells: Tensor, like: Tensor) -> Tensor:
    height, width = (size + -size % 4 for size in like.shape[2:])
    x = cells.view(like.shape[0], height // 4, width // 4, 4, 4, -1)
    x = x.permute(0, 5, 1, 3, 2, 4).reshape(like.shape[0], -1, height, width)
    return x[:, :, : like.shape[2], : like.shape[3]]


def rolled_back(x: Tensor) -> Tensor:
    return (x.roll((-3, 2), (2, 3)) * 2).roll((3, -2), (2, 3))


def flipped_back(x: Tensor) -> Tensor:
    return (x.flip((2, 3)) * 2).flip(3).flip(2)


def transposed_back(x: Tensor) -> Tensor:
    return (x.transpose(2, 3) * 2).transpose(-1, -2)


def windows_put_back(x: Tensor) -> Tensor:
    return from_windows(windows(x) * 2, x)


def shifted_windows_put_back(x: Tensor) -> Tensor:
    padded = functional.pad(x, (0, -x.shape[3] % 4, 0, -x.shape[2] % 4))
    shifted = from_windows(windows(padded.roll((2, 2), (2, 3))) * 2, padded)
    return shifted.roll((-2, -2), (2, 3))[:, :, : x.shape[2], : x.shape[3]]


def spectrum_and_back(x: Tensor) -> Tensor:
    return torch.fft.ifft2(torch.fft.fft2(x) * 2).real


def real_spectrum_and_back(x: Tensor) -> Tensor:
    spectrum = torch.fft.rfft2(x, norm="ortho")
    spectrum = torch.complex(spectrum.real * 2, spectrum.imag * 2)
    return torch.fft.irfft2(spectrum, s=x.shape[2:], norm="ortho")


def phases_put_back(x: Tensor) -> Tensor:
    padded = functional.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2))
    return (functional.pixel_shuffle(functional.pixel_unshuffle(padded, 2) * 2, 2))[
        :, :, : x.shape[2], : x.shape[3]
    ]


def tokens_and_back(x: Tensor) -> Tensor:
    return (x.flatten(2).transpose(1, 2) * 2).transpose(1, 2).unflatten(2, x.shape[2:])


def halves_joined(x: Tensor) -> Tensor:
    middle = x.shape[2] // 2
    return torch.cat([x[:, :, :middle] * 2, x[:, :, middle:] * 2], 2)


def mirrored_and_cut(x: Tensor) -> Tensor:
    doubled = torch.cat([x, x.flip(2)], 2)[:, :, : x.shape[2] + -x.shape[2] % 4]
    return (doubled * 2)[:, :, : x.shape[2]]


def with_coordinates(x: Tensor) -> Tensor:
    """A grid of zeros made of the extents, added as a position encoding is."""
    rows, columns = torch.meshgrid(
        torch.arange(x.shape[2]).to(x), torch.arange(x.shape[3]).to(x), indexing="ij"
    )
    return 2 * x + 0 * (rows * columns)


def blocks_of_neighbours(x: Tensor) -> Tensor:
    """Centres of 3x3 columns, one per pixel."""
    columns = functional.unfold(x, 3, padding=1).unflatten(1, (CHANNELS, 9))
    return 2 * columns[:, :, 4].reshape(x.shape)


def masked_pixels_put_back(x: Tensor) -> Tensor:
    """Pixels above a threshold are taken out, scaled and put back, then the others."""
    y = torch.zeros_like(x)
    y[x > 1] = x[x > 1] * 2
    y[x <= 1] = x[x <= 1] * 2
    return y


def looked_up(x: Tensor) -> Tensor:
    """A table of one row, read for every pixel."""
    table = torch.ones(3, CHANNELS).to(x)
    return 2 * x * table[x.argmax(1) % 3].permute(0, 3, 1, 2)


def neighbourhood_attention_at_each_pixel(x: Tensor) -> Tensor:
    """Tokens of a window attend to each other; with equal weights the batch of windows keeps its order."""
    cells = windows(x)
    same = (cells @ cells.transpose(1, 2) * 0).softmax(-1) * 0 + torch.eye(16).to(x)
    return from_windows(same @ cells * 2, x)


IN_PLACE: tuple[Trip, ...] = (
    rolled_back, flipped_back, transposed_back, windows_put_back, shifted_windows_put_back, spectrum_and_back,
    real_spectrum_and_back, phases_put_back, tokens_and_back, halves_joined, mirrored_and_cut, with_coordinates,
    blocks_of_neighbours, masked_pixels_put_back, looked_up, neighbourhood_attention_at_each_pixel,
)  # fmt: skip
"""Each is 2 * x."""


class Gated(nn.Module):
    """A squeeze-and-excitation of what a trip makes of the image."""

    def __init__(self, trip: Trip) -> None:
        super().__init__()
        self.trip, self.gate = trip, KeptMean()

    def forward(self, x: Tensor) -> Tensor:
        return self.gate(self.trip(x))


def localized_with(network: nn.Module) -> tuple[Localized, nn.Module]:
    torch.manual_seed(1)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=2)
    program = captured(network.double().eval(), (14, 22))
    localized = localize(program, Training((8, 8), WINDOW))
    program.validate()
    return localized, runnable(program)


def named(trip: Trip) -> str:
    return trip.__name__


@pytest.mark.parametrize("trip", IN_PLACE, ids=named)
def test_a_statistic_of_pixels_that_came_back_to_their_places_is_local(trip: Trip) -> None:
    network = Gated(trip)
    localized, local = localized_with(network)
    assert len(localized.sites) == 1
    for shape in SIZES:
        x = torch.randn(shape[0], CHANNELS, *shape[1:], dtype=torch.float64) + 1
        with torch.no_grad():
            torch.testing.assert_close(trip(x), 2 * x)
            expected = cropped(network.gate, 2 * x, WINDOW)
            torch.testing.assert_close(local(x), expected, rtol=0, atol=1e-10)


def flipped(x: Tensor) -> Tensor:
    return x.flip(3)


def plus_flipped(x: Tensor) -> Tensor:
    return x + x.flip((2, 3))


def minus_rolled(x: Tensor) -> Tensor:
    return x - x.roll(1, 2)


def rolled_too_far_back(x: Tensor) -> Tensor:
    return x.roll(2, 2).roll(-3, 2)


def viewed_as_transposed(x: Tensor) -> Tensor:
    return x.reshape(*x.shape[:2], x.shape[3], x.shape[2])


def viewed_with_channels_last(x: Tensor) -> Tensor:
    """A view where a permutation belongs."""
    return x.reshape(x.shape[0], *x.shape[2:], CHANNELS).permute(0, 3, 1, 2)


def sorted_pixels(x: Tensor) -> Tensor:
    return x.flatten(2).sort(2).values.reshape(x.shape)


def sorted_rows(x: Tensor) -> Tensor:
    return x.sort(2).values


def running_sum(x: Tensor) -> Tensor:
    return x.cumsum(3) / 10


def power_spectrum(x: Tensor) -> Tensor:
    return torch.fft.fft2(x).abs()


def half_spectrum(x: Tensor) -> Tensor:
    return torch.fft.rfft2(x).abs()


def spectrum_of_rows(x: Tensor) -> Tensor:
    return torch.fft.fft(x, dim=2).real


def spectrum_times_pixels(x: Tensor) -> Tensor:
    return torch.fft.fft2(x).real * x


def convolved_spectrum(x: Tensor) -> Tensor:
    return functional.avg_pool2d(torch.fft.fft2(x).real, 3, 1, 1)


def gathered(x: Tensor) -> Tensor:
    return x.gather(3, x.argsort(3))


def warped(x: Tensor) -> Tensor:
    return functional.grid_sample(x, x[:, :2].permute(0, 2, 3, 1).tanh(), align_corners=False)


def windows_put_elsewhere(x: Tensor) -> Tensor:
    """Rows and columns inside the windows are swapped."""
    cells = windows(x).unflatten(1, (4, 4)).transpose(1, 2).flatten(1, 2)
    return from_windows(cells, x).sigmoid()


def columns_put_elsewhere(x: Tensor) -> Tensor:
    blocks = functional.unfold(x, 2, stride=2).flip(2)
    return functional.fold(blocks, (x.shape[2] // 2 * 2, x.shape[3] // 2 * 2), 2, stride=2)


def half_enlarged(x: Tensor) -> Tensor:
    return functional.interpolate(x[:, :, : x.shape[2] // 2], size=x.shape[2:])


def half_beside_its_mirror(x: Tensor) -> Tensor:
    half = x[:, :, :, : x.shape[3] // 2]
    return torch.cat([half, half.flip(3)], 3)


def mirrored(x: Tensor) -> Tensor:
    return torch.cat([x, x.flip(2)], 2)


def repeated(x: Tensor) -> Tensor:
    return x.repeat(1, 1, 2, 1)


def halves_exchanged(x: Tensor) -> Tensor:
    middle = x.shape[3] // 2
    return torch.cat([x[..., middle:], x[..., :middle]], 3)


def padded_by_half(x: Tensor) -> Tensor:
    return functional.pad(x, (x.shape[3] // 2, 0, 0, 0))


ENDED: dict[Trip, str] = {
    flipped: "flipped",
    plus_flipped: "flipped",
    minus_rolled: "rolled",
    rolled_too_far_back: "rolled",
    viewed_as_transposed: "regrouped",
    viewed_with_channels_last: "regrouped",
    sorted_pixels: "sorted",
    sorted_rows: "sorted",
    running_sum: "accumulated",
    power_spectrum: "frequencies",
    half_spectrum: "frequencies",
    spectrum_of_rows: "frequencies",
    spectrum_times_pixels: "frequencies",
    convolved_spectrum: "frequencies",
    gathered: "gathered",
    warped: "reordered",
    windows_put_elsewhere: "",
    columns_put_elsewhere: "flipped",
    half_beside_its_mirror: "joined",
    mirrored: "joined",
    repeated: "repeated",
    halves_exchanged: "joined",
    padded_by_half: "padded",
}


@pytest.mark.parametrize("trip", ENDED, ids=named)
def test_a_statistic_of_pixels_out_of_place_stays_global_and_is_named(trip: Trip) -> None:
    network = Gated(trip)
    localized, graph = localized_with(network)
    assert not localized.sites
    means = [skipped for skipped in localized.skipped if skipped.kind == "global mean"]
    assert len(means) == 1
    assert ENDED[trip] in means[0].reason
    assert "(test_descent.py:" in means[0].reason or not ENDED[trip]
    for shape in SIZES:
        x = torch.randn(shape[0], CHANNELS, *shape[1:], dtype=torch.float64)
        with torch.no_grad():
            torch.testing.assert_close(graph(x), network(x), rtol=1e-12, atol=1e-12)


def convolved_spectrum_and_back(x: Tensor) -> Tensor:
    """Fast Fourier convolution (NeurIPS 2020), real and imaginary parts as channels."""
    spectrum = torch.fft.rfftn(x, dim=(-2, -1), norm="ortho")
    parts = torch.stack((spectrum.real, spectrum.imag), dim=-1).permute(0, 1, 4, 2, 3)
    parts = functional.avg_pool2d(parts.reshape(x.shape[0], -1, *parts.shape[3:]), 3, 1, 1).relu()
    parts = parts.view(x.shape[0], CHANNELS, 2, *parts.shape[2:]).permute(0, 1, 3, 4, 2)
    return torch.fft.irfftn(torch.complex(*parts.unbind(-1)), s=x.shape[2:], dim=(-2, -1), norm="ortho")


def attended_by_all_pixels(x: Tensor) -> Tensor:
    tokens = x.flatten(2).transpose(1, 2)
    attended = functional.scaled_dot_product_attention(tokens, tokens, tokens)
    return x + attended.transpose(1, 2).reshape(x.shape)


@pytest.mark.parametrize("trip", [convolved_spectrum_and_back, attended_by_all_pixels], ids=named)
def test_behind_an_operation_over_all_pixels_that_are_at_their_places_a_statistic_is_local(
    trip: Trip,
) -> None:
    network = Gated(trip)
    localized, local = localized_with(network)
    assert len(localized.sites) == 1
    assert localized.skipped
    for shape in SIZES:
        x = torch.randn(shape[0], CHANNELS, *shape[1:], dtype=torch.float64)
        with torch.no_grad():
            expected = cropped(network.gate, trip(x), WINDOW)
            torch.testing.assert_close(local(x), expected, rtol=0, atol=1e-10)


class FlippedNorm(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + functional.instance_norm(x.flip(2))


class SpectralNorm(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return functional.group_norm(torch.fft.fft2(x).real, 2)


class AttentionToFlippedPixels(nn.Module):
    """Transposed attention whose values are in another order than queries and keys."""

    def forward(self, x: Tensor) -> Tensor:
        q, v = functional.normalize(x.flatten(2), dim=-1), x.flip(3).flatten(2)
        return ((q @ q.transpose(1, 2)).softmax(-1) @ v).reshape(x.shape)


class ContextOfFlippedWeights(nn.Module):
    """A softmax-weighted sum whose weights are in another order than the pixels."""

    def forward(self, x: Tensor) -> Tensor:
        weights = x.mean(1, keepdim=True).flip(2).flatten(2).softmax(-1)
        return x * (x.flatten(2) @ weights.transpose(1, 2))[..., None]


OUT_OF_ORDER: dict[type[nn.Module], str] = {
    FlippedNorm: "instance norm",
    SpectralNorm: "group norm",
    AttentionToFlippedPixels: "matrix product over pixels",
    ContextOfFlippedWeights: "matrix product over pixels",
}


@pytest.mark.parametrize("architecture", OUT_OF_ORDER, ids=lambda architecture: architecture.__name__)
def test_norms_and_attention_of_pixels_out_of_order_stay_global(architecture: type[nn.Module]) -> None:
    network = architecture()
    localized, graph = localized_with(network)
    assert {site.kind for site in localized.sites} <= {"global norm"}
    assert OUT_OF_ORDER[architecture] in {skipped.kind for skipped in localized.skipped}
    x = torch.randn(2, CHANNELS, 5, 4, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(graph(x), network(x), rtol=1e-12, atol=1e-12)


class Meets(nn.Module):
    """A gate computed from one tensor, multiplied onto another."""

    def __init__(self, squeezed: Trip, gated: Trip) -> None:
        super().__init__()
        self.squeezed, self.gated, self.excitation = squeezed, gated, KeptMean()

    def forward(self, x: Tensor) -> Tensor:
        return self.gated(x) * self.excitation.gate(self.squeezed(x).mean((2, 3), keepdim=True))


class Spreads(Meets):
    """The gate is expanded over the map first."""

    def forward(self, x: Tensor) -> Tensor:
        gated = self.gated(x)
        gate = self.excitation.gate(self.squeezed(x).mean((2, 3), keepdim=True)).expand(gated.shape)
        return gate.sigmoid() * gated


def itself(x: Tensor) -> Tensor:
    return x


def first_half(x: Tensor) -> Tensor:
    return x[:, :, : x.shape[2] // 2]


def second_half(x: Tensor) -> Tensor:
    return x[:, :, x.shape[2] // 2 :]


APART: dict[tuple[Trip, Trip], str] = {
    (itself, flipped): "flipped",
    (itself, power_spectrum): "frequencies",
    (itself, half_spectrum): "frequencies",
    (itself, sorted_rows): "sorted",
    (itself, first_half): "another part",
    (first_half, itself): "another part",
    (first_half, second_half): "another part",
    (itself, half_enlarged): "another part",
    (half_enlarged, itself): "another part",
    (flipped, itself): "flipped",
    (power_spectrum, itself): "frequencies",
}


@pytest.mark.parametrize("pair", APART, ids=lambda pair: "_of_".join(map(named, pair)))
def test_a_gate_of_pixels_in_one_order_stays_global_on_those_of_another(pair: tuple[Trip, Trip]) -> None:
    network = Meets(*pair)
    localized, graph = localized_with(network)
    assert not localized.sites
    assert any(
        skipped.kind == "global mean" and APART[pair] in skipped.reason for skipped in localized.skipped
    )
    for shape in SIZES:
        x = torch.randn(shape[0], CHANNELS, *shape[1:], dtype=torch.float64)
        with torch.no_grad():
            torch.testing.assert_close(graph(x), network(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("gated", [flipped, power_spectrum, sorted_rows, viewed_as_transposed, first_half])
def test_a_gate_spread_over_a_map_stays_global_where_it_goes_on_to_pixels_in_another_order(
    gated: Trip,
) -> None:
    network = Spreads(itself, gated)
    localized, graph = localized_with(network)
    assert not localized.sites
    assert any(
        skipped.kind == "global mean" and "another order" in skipped.reason for skipped in localized.skipped
    )
    x = torch.randn(2, CHANNELS, 9, 12, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(graph(x), network(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("part", [itself, first_half])
def test_a_gate_spread_over_its_own_map_is_local(part: Trip) -> None:
    network = Spreads(part, part)
    localized, local = localized_with(network)
    assert len(localized.sites) == 1
    window = (WINDOW[0] // (1 if part is itself else 2), WINDOW[1])
    whole = Spreads(itself, itself)
    whole.excitation = network.excitation
    x = torch.randn(2, CHANNELS, 10, 12, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(local(x), cropped(whole, part(x), window), rtol=0, atol=1e-10)


class EachHalf(nn.Module):
    """A gate for each half of the image, put together again (the patches of MPRNet, CVPR 2021)."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = KeptMean()
        self.last = KeptMean()

    def forward(self, x: Tensor) -> Tensor:
        halves = [self.gate(first_half(x)), self.gate(second_half(x))]
        return self.last(torch.cat(halves, 2))


def test_halves_are_maps_of_their_own_and_put_together_the_whole_map() -> None:
    network = EachHalf()
    localized, local = localized_with(network)
    assert len(localized.sites) == 3
    assert not localized.skipped
    half = (WINDOW[0] // 2, WINDOW[1])
    for shape in SIZES:
        x = torch.randn(shape[0], CHANNELS, *shape[1:], dtype=torch.float64)
        with torch.no_grad():
            joined = torch.cat(
                [cropped(network.gate, part, half) for part in (first_half(x), second_half(x))], 2
            )
            expected = cropped(network.last, joined, WINDOW)
            torch.testing.assert_close(local(x), expected, rtol=0, atol=1e-10)


class BothHalvesInOneGate(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        gate = first_half(x).mean((2, 3), keepdim=True) * second_half(x).mean((2, 3), keepdim=True)
        return first_half(x) * gate


def test_statistics_of_two_parts_are_not_combined_window_by_window() -> None:
    localized, _ = localized_with(BothHalvesInOneGate())
    assert not localized.sites
    assert {skipped.kind for skipped in localized.skipped} == {"global mean"}
    assert all("different parts of the image" in skipped.reason for skipped in localized.skipped)
