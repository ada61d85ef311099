"""An output is stated to grow as it does, or it is refused at the operation where it ends to."""

from __future__ import annotations

import json
from collections.abc import Callable

import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import tlcconvert
from tlcconvert import CaptureError, Conversion, InputError
from tlcconvert.capture.capture import capture
from tlcconvert.capture.output_growth import Growth, Kind, images_kept, output_growth
from tlcconvert.sizes.output_extents import stated

Returned = Tensor | tuple[Tensor, ...]


class Then(nn.Module):
    """A convolution, and what a function makes of its map."""

    def __init__(self, function: Callable[[Tensor], Returned]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Conv2d(3, 3, 3, padding=1)
        self.function = function

    def forward(self, image: Tensor) -> Returned:
        return self.function(self.body(image))


def _growths(network: nn.Module) -> tuple[Growth, ...]:
    return output_growth(capture(network.eval(), input_channels=3))


def _one(function: Callable[[Tensor], Returned]) -> Growth:
    (growth,) = _growths(Then(function))
    return growth


def _resized(factor: float) -> Callable[[Tensor], Tensor]:
    return lambda y: F.interpolate(y, scale_factor=factor, mode="bilinear")


@pytest.mark.parametrize(
    ("function", "height", "width"),
    [
        (lambda y: y, "height", "width"),
        (_resized(1.5), "floor(3 * height / 2)", "floor(3 * width / 2)"),
        (_resized(2.5), "floor(5 * height / 2)", "floor(5 * width / 2)"),
        (_resized(0.5), "floor(height / 2)", "floor(width / 2)"),
        (lambda y: F.avg_pool2d(y, 2, ceil_mode=True), "floor((height + 1) / 2)", "floor((width + 1) / 2)"),
        (lambda y: F.avg_pool2d(y, 4, padding=1), "floor((height + 2) / 4)", "floor((width + 2) / 4)"),
        (lambda y: F.interpolate(y, scale_factor=4)[..., 3:-5], "4 * height", "4 * width - 8"),
        (lambda y: F.interpolate(y, size=(2 * y.shape[2], 3 * y.shape[3])), "2 * height", "3 * width"),
        (lambda y: F.pad(y, (2, 2, 1, 1)), "height + 2", "width + 4"),
        (lambda y: y[..., : y.shape[2] // 9 * 9, :], "9 * floor(height / 9)", "width"),
    ],
)
def test_the_extents_are_found_per_axis(
    function: Callable[[Tensor], Tensor], height: str, width: str
) -> None:
    growth = _one(function)
    assert growth.kind is Kind.IMAGE
    assert growth.extents is not None
    assert growth.extents.height.formula("height") == height
    assert growth.extents.width.formula("width") == width


@pytest.mark.parametrize(
    ("function", "operation"),
    [
        (lambda y: y[..., :64, :96], "slice"),
        (lambda y: y[..., :64], "slice"),
        (lambda y: y[..., : min(y.shape[2], 96), :], "slice"),
        (lambda y: y[..., :500, :500], "slice"),
        (lambda y: F.interpolate(y, size=(256, 256)), "upsample_nearest2d"),
        (lambda y: F.interpolate(y, size=(256, 256), mode="bicubic"), "upsample_bicubic2d"),
        (lambda y: F.adaptive_avg_pool2d(y, 8), "adaptive_avg_pool2d"),
        (lambda y: F.interpolate(F.adaptive_avg_pool2d(y, 1), size=(64, 64)), "adaptive_avg_pool2d"),
        (lambda y: F.interpolate(y, size=(max(y.shape[2:]),) * 2), "upsample_nearest2d"),
        (lambda y: F.interpolate(y, size=(y.shape[2], y.shape[2])), "upsample_nearest2d"),
        (lambda y: y.transpose(2, 3), "transpose"),
        (lambda y: y.mean(3, keepdim=True), "mean"),
    ],
)
def test_an_image_that_does_not_grow_is_refused_where_growth_ends(
    function: Callable[[Tensor], Tensor], operation: str
) -> None:
    with pytest.raises(CaptureError, match=rf"{operation} in <root> \(test_output_growth.py:\d+\)\.$"):
        images_kept([_one(function)], [0])


def _tiles(y: Tensor) -> Tensor:
    y = F.pad(y, (0, -y.shape[3] % 16, 0, -y.shape[2] % 16)).unfold(2, 16, 16).unfold(3, 16, 16)
    return y.permute(0, 2, 3, 1, 4, 5).reshape(-1, 3, 16, 16)


def test_more_images_are_no_larger_image() -> None:
    with pytest.raises(CaptureError, match=r"16x16 pixels for an image of 4999x64 .*growth ends at reshape"):
        images_kept([_one(_tiles)], [0])


class BranchesOnLargeImages(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[..., ::2, ::2] if x.shape[-1] > 1000 else x * 2


def test_a_network_that_returns_another_size_for_large_images_is_refused() -> None:
    with pytest.raises(
        CaptureError, match=r"from 1001 pixels on\. .* its output is of another size, at 750x750"
    ):
        _growths(BranchesOnLargeImages())


class Several(nn.Module):
    """An image, a vector of it, a blur kernel predicted from the vector, and a thumbnail of the image."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body, self.predict = nn.Conv2d(3, 3, 3, padding=1), nn.Linear(3, 25)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        y = self.body(x)
        vector = y.mean((2, 3))
        kernel = self.predict(vector).view(-1, 1, 5, 5)
        return y, vector, kernel, vector[..., None, None], F.adaptive_avg_pool2d(y, 32)


def test_outputs_that_are_no_images_stay_beside_one_and_a_cut_image_does_not() -> None:
    growths = _growths(Several())
    kinds = [growth.kind for growth in growths]
    assert kinds == [Kind.IMAGE, Kind.OTHER, Kind.COMPUTED, Kind.OTHER, Kind.CUT]
    extents, notes = images_kept(growths, [0, 1, 2, 3])
    assert [image is not None for image in extents] == [True, False, False, False]
    (note,) = notes
    assert note.startswith("output 2: The network's output does not grow with the image: it is 5x5 pixels")
    assert images_kept(growths, [2])[0] == (None,)
    with pytest.raises(CaptureError, match="32x32 pixels"):
        images_kept(growths, [0, 4])


def test_a_small_map_is_refused_where_the_network_returns_no_image() -> None:
    def kernel(y: Tensor) -> tuple[Tensor, Tensor]:
        vector = y.mean((2, 3), keepdim=True)
        return vector, vector.expand(-1, -1, 5, 5)

    growths = _growths(Then(kernel))
    assert images_kept(growths, [0])[0] == (None,)
    with pytest.raises(CaptureError, match="5x5 pixels"):
        images_kept(growths, [1])


def test_growth_that_follows_no_formula_is_told() -> None:
    """In double precision 0.29 * 100 is less than 29, and 0.29 * 300 is not less than 87."""
    growth = _one(_resized(0.29))
    assert growth.kind is Kind.IRREGULAR
    assert images_kept([growth], [0]) == (
        (None,),
        ("output 0: its height and width are no floor(a * n + b) of the image's",),
    )


class Valid(nn.Module):
    """Unpadded convolutions that lose 14 rows and columns, then twice the size; raises unless sizes are multiples."""

    def __init__(self, multiple: int = 1) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.multiple = multiple
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 5), nn.ReLU(), nn.Conv2d(8, 8, 9), nn.ReLU(), nn.Conv2d(8, 8, 3)
        )
        self.up = nn.ConvTranspose2d(8, 3, 2, 2)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-2] % self.multiple or x.shape[-1] % self.multiple:
            raise ValueError("wrong size")
        return self.up(self.body(x))


class HalfAsLargeAgain(nn.Module):
    """Three pixels for each two, at multiples of ``multiple``, by a kernel that sees two pixels beyond."""

    def __init__(self, multiple: int = 1) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.multiple = multiple
        self.body = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-2] % self.multiple or x.shape[-1] % self.multiple:
            raise ValueError("wrong size")
        return F.interpolate(self.body(x), scale_factor=1.5, mode="bilinear")


def _run(conversion: Conversion, image: Tensor) -> Tensor:
    session = onnxruntime.InferenceSession(conversion.model.SerializeToString())
    return torch.from_numpy(session.run(None, {"input": image.numpy()})[0])


SIZES = [(1, 64, 64), (2, 100, 136), (1, 57, 91)]
PHOTOGRAPH = (1, 720, 1280)


def _assert_equal_to(
    conversion: Conversion, reference: nn.Module, size: tuple[int, int, int], inner: int = 0
) -> None:
    """The file against ``reference`` in float64, but for the last ``inner`` rows and columns.

    A resize computes its coordinates in float32, so PyTorch's own float32 result may be further off than 1e-5.
    """
    batch, height, width = size
    image = torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(height))
    with torch.no_grad():
        single = reference(image)
        expected = reference.double()(image.double())
    computed = _run(conversion, image)
    assert computed.shape == expected.shape
    kept = (..., slice(expected.shape[2] - inner), slice(expected.shape[3] - inner))
    scale = expected.abs().max()
    rounding = (single - expected)[kept].abs().max() / scale
    assert (computed - expected)[kept].abs().max() / scale <= max(1e-5, 4 * rounding)


@pytest.mark.parametrize("network", [pytest.param(Valid, marks=pytest.mark.full), HalfAsLargeAgain])
def test_a_network_of_every_size_and_an_uneven_scale_is_what_it_is(network: Callable[..., nn.Module]) -> None:
    conversion = tlcconvert.convert(network().eval(), 32)
    for size in [*SIZES, PHOTOGRAPH]:
        _assert_equal_to(conversion, network(), size)
    assert "scale" not in conversion.metadata


def test_without_padding_inside_the_wrapper_gives_what_the_network_would_return_of_other_sizes() -> None:
    """Without its objection to other sizes the network computes them: no pixel it returns sees a border."""
    conversion = tlcconvert.convert(Valid(8).eval(), 32)
    for size in [*SIZES, (1, 15, 22)]:
        _assert_equal_to(conversion, Valid(), size)
    assert _run(conversion, torch.rand(1, 3, 14, 40)).shape == (1, 3, 0, 52)
    facts = conversion.metadata
    assert (facts["size_multiple"], facts["size_minimum"], facts["size_wrapper"]) == ("8", "16", "true")
    axis = {"times": 2, "plus": -28, "over": 1}
    assert json.loads(facts["output_extents"]) == [{"height": axis, "width": axis}]


def test_a_broken_scale_inside_the_wrapper_is_rounded_down() -> None:
    """All but the last rows, which see the border, are those of the image that was not padded."""
    conversion = tlcconvert.convert(HalfAsLargeAgain(8).eval(), 32)
    for size in SIZES:
        _assert_equal_to(conversion, HalfAsLargeAgain(), size, inner=3)
    (extents,) = stated(conversion.metadata["output_extents"])
    assert extents is not None
    assert extents.at(101, 104) == (151, 156)


def test_images_too_small_for_an_output_are_not_padded_to_one() -> None:
    conversion = tlcconvert.convert(Valid().eval(), 32)
    assert conversion.metadata["size_minimum"] == "15"
    assert conversion.metadata["size_wrapper"] == "false"
    assert "ArgMin" not in {node.op_type for node in conversion.model.graph.node}
    with pytest.raises(InputError, match=r"empty output for images of 14x40\."):
        tlcconvert.convert(Valid().eval(), 32, static_size=(14, 40))


def test_a_file_that_pads_where_the_network_drops_rows_says_so() -> None:
    class EvenOnly(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.interpolate(F.max_pool2d(x, 2), scale_factor=2)

    conversion = tlcconvert.convert(EvenOnly(), 16, input_channels=3)
    assert conversion.metadata["scale"] == "1"
    assert any("returns 98x66 pixels for 99x67" in note for note in conversion.parity.notes)


def test_a_file_that_pads_where_the_network_runs_all_the_same_says_by_how_much_it_differs() -> None:
    class FoursAndOneMore(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            if any(extent % 4 > 1 for extent in x.shape[2:]):
                raise ValueError("wrong size")
            blurred = F.avg_pool2d(x, 9, 1, 4)
            return blurred, x

    conversion = tlcconvert.convert(FoursAndOneMore(), 16, input_channels=3, output_index=0)
    (note,) = [note for note in conversion.parity.notes if "no multiple of 4" in note]
    assert "is off by" in note
    assert "at 101x69" in note


def test_the_scale_in_the_metadata_is_the_first_images() -> None:
    class VectorFirst(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x.mean((2, 3)), F.interpolate(x, scale_factor=2)

    facts = tlcconvert.convert(VectorFirst(), 16, input_channels=3, all_outputs=True).metadata
    axis = {"times": 2, "plus": 0, "over": 1}
    assert facts["scale"] == "2"
    assert json.loads(facts["output_extents"]) == [None, {"height": axis, "width": axis}]


def test_a_network_of_one_size_is_refused_by_convert() -> None:
    with pytest.raises(CaptureError, match="growth ends at slice") as refusal:
        tlcconvert.convert(Then(lambda y: y[..., :64, :96]).eval(), 64)
    assert refusal.value.exit_code == 3
