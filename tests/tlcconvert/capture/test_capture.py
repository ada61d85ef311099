"""Whatever a network's Python does with sizes, its captured graph computes the same, or it is refused."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from passes.program import runnable
from passes.sizes import image_size
from tlcconvert.capture.capture import Captured, capture, functional
from tlcconvert.capture.narrowed_sizes import Permission
from tlcconvert.errors import CaptureError, InputError
from tlcconvert.network.eager_reference import tensors_of
from tlcconvert.network.network_inputs import ExtraInput

_DYNAMIC = {0: torch.export.Dim.DYNAMIC, 2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}


def _same_as(captured: Captured, network: nn.Module, shapes: list[tuple[int, int, int]]) -> None:
    """Runs the captured graph and a network that capture has never seen, at shapes capture has not tried."""
    graph = runnable(captured.program)
    for batch, height, width in shapes:
        image = torch.rand(batch, 3, height, width)
        with torch.no_grad():
            expected = tensors_of(network.eval()(image.clone()))
            computed = tensors_of(graph(image.clone()))
        assert len(computed) == len(expected)
        for own, reference in zip(computed, expected, strict=True):
            torch.testing.assert_close(own, reference, rtol=1e-5, atol=1e-6)


def _symbol_multiples(captured: Captured) -> tuple[int, int]:
    """m where the height, the width of the image are m times a symbol."""
    image = image_size(captured.program)
    return image.multiple(image.height), image.multiple(image.width)


_ANY_SIZES = [(1, 47, 62), (4, 62, 47), (2, 23, 90), (1, 80, 80)]


class EinopsTokens(nn.Module):
    """Layer norm over channels on pixel tokens, back and forth with einops."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(3)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        tokens = self.norm(rearrange(x, "b c h w -> b (h w) c"))
        return x + rearrange(tokens, "b (h w) c -> b c h w", h=height, w=width)


class InPlaceUpdates(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        y += x
        y[:, 0] = y[:, 1] * 2
        y[:, :, 0::2] *= 0.5
        return F.relu(y, inplace=True)


class WritesIntoItsInput(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        x.sub_(0.5)
        return x * x.abs()


class HalvesWithInt(nn.Module):
    """Treats the upper and the lower half differently, split at ``int(height / 2)``."""

    def forward(self, x: Tensor) -> Tensor:
        half = int(x.size(2) / 2)
        return torch.cat([x[:, :, :half] * 2, x[:, :, half:] - 1], dim=2)


class PadsIfNeeded(nn.Module):
    """Runs at half resolution and pads odd sizes only, behind an ``if``."""

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        bottom, right = height % 2, width % 2
        if bottom or right:
            x = F.pad(x, (0, right, 0, bottom), "reflect")
        x = F.interpolate(F.avg_pool2d(x, 2), scale_factor=2)
        if bottom or right:
            x = x[:, :, :height, :width]
        return x


class CachesAMask(nn.Module):
    """Keeps a mask for the last size it saw and makes a new one when the size changes."""

    def __init__(self) -> None:
        super().__init__()
        self.mask: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.mask is None or self.mask.shape[-2:] != x.shape[-2:]:
            rows = torch.arange(x.shape[2]).view(-1, 1)
            columns = torch.arange(x.shape[3]).view(1, -1)
            self.mask = ((rows + columns) % 2).float()
        return x * self.mask


class MaskOfTrainingSize(nn.Module):
    """Has a mask buffer for 64x64 and computes it anew elsewhere, as window transformers do."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mask", self.make(64, 64))

    def make(self, height: int, width: int) -> Tensor:
        mask = torch.zeros(1, 1, height, width)
        mask[:, :, -4:] = 1
        mask[:, :, :, -4:] = 2
        return mask

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        return x + (self.mask if (height, width) == (64, 64) else self.make(height, width))


class OddAndEven(nn.Module):
    """Shifts the image by a row where the height is odd: no single graph without a branch computes both."""

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[2] % 2:
            return x.flip(1)
        return x * 2


class MergesItsBranchesOnEveryCall(nn.Module):
    """The kernel of one layer is computed from the data of another and assigned to its data (SPAN)."""

    def __init__(self) -> None:
        super().__init__()
        self.trained, self.merged = (nn.Conv2d(3, 3, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        kernel = self.trained.weight.data.clone().detach()
        self.merged.weight.data = (kernel + kernel.flip(2, 3)).contiguous()
        self.merged.bias.data = self.trained.bias.data * 2
        return x + self.merged(x)


class PoolsToAFractionOfItsSize(nn.Module):
    """Cells of unequal size wherever the fraction does not divide the map (SAFMN)."""

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        coarse = F.adaptive_max_pool2d(x, (height // 8, width // 8)) - F.adaptive_max_pool2d(x, 3).mean()
        fine = nn.AdaptiveMaxPool2d((height // 2, width // 3))(x)
        return x * F.interpolate(coarse, size=(height, width)) + F.interpolate(fine, size=(height, width))


class _LayerNormFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
        ctx.epsilon = epsilon
        mean = x.mean(1, keepdim=True)
        variance = (x - mean).pow(2).mean(1, keepdim=True)
        normalised = (x - mean) / (variance + epsilon).sqrt()
        ctx.save_for_backward(normalised, variance, weight)
        return weight.view(1, -1, 1, 1) * normalised

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return gradient, None, None


class AutogradFunctionNorm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(3))

    def forward(self, x: Tensor) -> Tensor:
        return _LayerNormFunction.apply(x, self.weight, 1e-6)


class ChecksItsType(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if "Half" in x.type():
            return x.float().mean(dim=(2, 3), keepdim=True).half() * x
        return x.mean(dim=(2, 3), keepdim=True) * x


class UsesContexts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            x = self.conv(x)
        with torch.autocast("cpu", enabled=False):
            return self.conv(x) + x


class ThreeImages(nn.Module):
    def forward(self, x: Tensor) -> dict[str, Any]:
        return {"stages": [x + 1, x * 2], "final": x}


@pytest.mark.parametrize(
    "network",
    [
        EinopsTokens,
        InPlaceUpdates,
        WritesIntoItsInput,
        HalvesWithInt,
        PadsIfNeeded,
        CachesAMask,
        MaskOfTrainingSize,
        MergesItsBranchesOnEveryCall,
        PoolsToAFractionOfItsSize,
        AutogradFunctionNorm,
        ChecksItsType,
        UsesContexts,
        ThreeImages,
    ],
)
def test_the_graph_computes_what_the_network_computes_at_every_size(network: type[nn.Module]) -> None:
    torch.manual_seed(0)
    original = network()
    captured = capture(original, input_channels=3)
    assert captured.requirements.multiple == 1
    assert _symbol_multiples(captured) == (1, 1)
    assert not captured.assumptions
    fresh = network()
    fresh.load_state_dict(original.state_dict())
    _same_as(captured, fresh, [*_ANY_SIZES, (2, 64, 64)])


def test_a_network_that_writes_into_its_input_becomes_a_functional_graph_with_one_output() -> None:
    program = capture(WritesIntoItsInput(), input_channels=3).program
    for node in program.graph.nodes:
        schema = getattr(node.target, "_schema", None)
        assert schema is None or not schema.is_mutable
    assert len(program.graph.output_node().args[0]) == 1
    assert len(program.graph_signature.output_specs) == 1


def test_a_network_with_one_branch_for_odd_and_one_for_even_heights_is_refused_with_both_multiples() -> None:
    with pytest.raises(
        CaptureError, match=r"accepts every size.* for multiples of 16\..*--accept-multiple 16"
    ):
        capture(OddAndEven(), input_channels=3)


def test_a_file_for_a_wider_multiple_is_made_for_someone_who_takes_it() -> None:
    captured = capture(OddAndEven(), input_channels=3, permission=Permission(multiple=16))
    assert (captured.accepted.multiple, captured.requirements.multiple) == (1, 16)
    (note,) = captured.notes
    assert "accepts every size, the file computes it for multiples of 16" in note
    _same_as(captured, OddAndEven(), [(1, 9 * 16, 5 * 16), (2, 4 * 16, 11 * 16)])


def test_the_multiple_that_is_taken_is_the_one_of_the_file() -> None:
    with pytest.raises(InputError, match="multiples of 1, not of 64"):
        capture(HalvesWithInt(), input_channels=3, permission=Permission(multiple=64))


class NeedsMultiplesOf(nn.Module):
    """A strided convolution and its transpose, whose sizes meet only at multiples."""

    def __init__(self, multiple: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 4, multiple, stride=multiple)
        self.up = nn.ConvTranspose2d(4, 3, multiple, stride=multiple)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.up(self.down(x))


@pytest.mark.parametrize("multiple", [4, 6])
def test_a_network_that_needs_multiples_is_captured_for_them(multiple: int) -> None:
    torch.manual_seed(0)
    network = NeedsMultiplesOf(multiple)
    captured = capture(network, input_channels=3)
    assert (captured.requirements.multiple, captured.requirements.minimum) == (multiple, multiple)
    assert captured.requirements.scale == 1
    _same_as(captured, network, [(1, 9 * multiple, 5 * multiple), (4, multiple, 12 * multiple)])


class SizeThreshold(nn.Module):
    def __init__(self, threshold: int) -> None:
        super().__init__()
        self.threshold = threshold

    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if x.shape[2] < self.threshold else x * 3


def test_a_branch_on_size_within_reach_is_refused_and_the_reason_named() -> None:
    with pytest.raises(CaptureError, match="control flow depends on the image size"):
        capture(SizeThreshold(100), input_channels=3)


def test_a_branch_only_huge_images_take_becomes_a_maximum() -> None:
    captured = capture(SizeThreshold(3000), input_channels=3)
    assert captured.requirements == replace(captured.accepted, maximum=2999)
    assert captured.notes == (
        "the file refuses images of more than 2999 pixels on a side, for which it is not proven",
    )


def test_a_branch_on_the_area_that_no_affordable_image_takes_becomes_a_maximum_untried() -> None:
    captured = capture(AreaThreshold(4000 * 4000), input_channels=3)
    assert captured.requirements.maximum == 4000
    assert captured.assumptions


class AreaThreshold(nn.Module):
    def __init__(self, pixels: int) -> None:
        super().__init__()
        self.pixels = pixels

    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if x.shape[2] * x.shape[3] <= self.pixels else x * 3


class LargerSideThreshold(nn.Module):
    """Another way for images whose shorter side exceeds a threshold: no thin image takes it."""

    def __init__(self, threshold: int) -> None:
        super().__init__()
        self.threshold = threshold

    def forward(self, x: Tensor) -> Tensor:
        return x * 3 if min(x.shape[-2:]) > self.threshold else x * 2


def test_a_branch_on_the_shorter_side_beyond_the_sizes_compared_is_found_and_both_sides_are_named() -> None:
    with pytest.raises(CaptureError, match=r"from 301 pixels on.*--accept-minimum 301"):
        capture(LargerSideThreshold(300), input_channels=3)


def test_a_minimum_of_someone_who_takes_it() -> None:
    captured = capture(LargerSideThreshold(300), input_channels=3, permission=Permission(minimum=301))
    assert (captured.accepted.minimum, captured.requirements.minimum) == (1, 301)
    assert max(deviation.relative_error for deviation in captured.deviations) == pytest.approx(0.5, rel=0.2)


def test_a_file_of_one_size_needs_no_permission_where_the_graph_is_right_there() -> None:
    permission = Permission(static_size=(320, 400))
    captured = capture(LargerSideThreshold(300), input_channels=3, permission=permission)
    assert captured.requirements.minimum == 301


class ShiftedWindows(nn.Module):
    """A mean over windows that are shifted only where the map is larger than one window."""

    def __init__(self, factor: int, side: int) -> None:
        super().__init__()
        self.side = side
        self.down = nn.Conv2d(3, 4, factor, stride=factor)
        self.up = nn.ConvTranspose2d(4, 3, factor, stride=factor)

    def forward(self, x: Tensor) -> Tensor:
        features, side = self.down(x), self.side
        height, width = features.shape[-2:]
        windows = F.pad(features, (0, -width % side, 0, -height % side))
        is_shifted = min(windows.shape[-2:]) > side
        if is_shifted:
            windows = torch.roll(windows, (-side // 2, -side // 2), (2, 3))
        means = F.interpolate(F.avg_pool2d(windows, side), scale_factor=side)
        if is_shifted:
            means = torch.roll(means, (side // 2, side // 2), (2, 3))
        return x + self.up(features * means[..., :height, :width])


@pytest.mark.parametrize(("factor", "side", "minimum"), [(4, 8, 36), (1, 8, 9), (2, 7, 16)])
def test_windows_shifted_from_some_size_on_raise_the_minimum_and_keep_the_multiple(
    factor: int, side: int, minimum: int
) -> None:
    torch.manual_seed(0)
    network = ShiftedWindows(factor, side)
    captured = capture(network, input_channels=3)
    assert (captured.accepted.multiple, captured.accepted.minimum) == (factor, factor)
    assert (captured.requirements.multiple, captured.requirements.minimum) == (factor, minimum)
    (note,) = captured.notes
    assert "of the output's scale" in note
    _same_as(captured, network, [(1, minimum, minimum + factor), (2, 13 * factor * 2, 11 * factor * 4)])


def test_a_raised_minimum_above_64_pixels_is_refused_with_what_to_say() -> None:
    torch.manual_seed(0)
    with pytest.raises(CaptureError, match=r"from 72 pixels on.*off by .*--accept-minimum 72"):
        capture(ShiftedWindows(8, 8), input_channels=3)


class DependsOnPixels(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if x.mean() > 0.1 else x * 3


def test_control_flow_on_pixel_values_is_refused_and_the_reason_named() -> None:
    with pytest.raises(CaptureError, match="depends on pixel values"):
        capture(DependsOnPixels(), input_channels=3)


class FixedSize(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.rand(3, 64, 64))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.position


def test_a_network_of_one_size_is_refused_and_the_size_named() -> None:
    with pytest.raises(CaptureError, match="64x64 but not of other sizes"):
        capture(FixedSize(), input_channels=3)


class RaisesAlways(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise ValueError("five channels, please")


def test_a_network_that_runs_nowhere_is_refused_with_its_own_reason() -> None:
    with pytest.raises(CaptureError, match="five channels, please"):
        capture(RaisesAlways(), input_channels=3)


class OneImageAtATime(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if len(x) != 1:
            raise ValueError("one image")
        return x


def test_a_network_of_batch_one_is_refused_and_the_reason_named() -> None:
    with pytest.raises(CaptureError, match="one image at a time"):
        capture(OneImageAtATime(), input_channels=3)


class LoopsOverTheBatch(nn.Module):
    """Writes the position of each category of each image, one image after the other (ATD)."""

    def forward(self, x: Tensor) -> Tensor:
        order = x[:, 0].flatten(1).argsort(dim=1, stable=True)
        back = torch.zeros_like(order)
        for image in range(order.shape[0]):
            back[image, order[image]] = torch.arange(order.shape[1])
        return x * back.view(x.shape[0], 1, *x.shape[2:])


def test_a_loop_over_the_batch_is_refused_and_the_axis_named() -> None:
    with pytest.raises(CaptureError, match="turns the number of images in a batch into a fixed number"):
        capture(LoopsOverTheBatch(), input_channels=3)


class DrawsNoise(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.randn_like(x)


def test_a_network_that_draws_random_numbers_is_refused() -> None:
    with pytest.raises(CaptureError, match="random"):
        capture(DrawsNoise(), input_channels=3)


def test_the_callers_module_is_left_as_it_was() -> None:
    network = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.Dropout(0.5)).half().train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    captured = capture(network, input_channels=3)
    assert all(part.training for part in network.modules())
    for name, tensor in network.state_dict().items():
        assert tensor.dtype == before[name].dtype
        assert torch.equal(tensor, before[name])
    copied = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.Dropout(0.5))
    copied.load_state_dict(before)
    _same_as(captured, copied, _ANY_SIZES)


def test_the_weights_are_not_copied() -> None:
    network = nn.Conv2d(3, 3, 3, padding=1)
    captured = capture(network, input_channels=3)
    assert captured.program.state_dict["weight"].data_ptr() == network.weight.data_ptr()


def test_a_wrapped_module_is_unwrapped() -> None:
    inner = nn.Conv2d(3, 3, 3, padding=1)
    _same_as(capture(nn.DataParallel(inner), input_channels=3), inner, _ANY_SIZES)


def test_the_original_in_the_capture_runs_on_a_clone_of_its_input() -> None:
    original = capture(WritesIntoItsInput(), input_channels=3).original
    image = torch.rand(1, 3, 8, 8)
    kept = image.clone()
    original(image)
    assert torch.equal(image, kept)


class TwoInputs(nn.Module):
    def forward(self, x: Tensor, noise_level: Tensor) -> Tensor:
        return x / (noise_level + 1)


@pytest.mark.parametrize(
    "shape", [("batch", 1, "height", "width"), ("batch", 1, 1, 1)], ids=["a map", "a number per image"]
)
def test_an_input_beside_the_image_is_captured(shape: tuple[int | str, ...]) -> None:
    captured = capture(TwoInputs(), input_channels=3, extra_inputs=[ExtraInput("noise_level", shape)])
    graph = runnable(captured.program)
    image, level = captured.inputs.random(4, 21, 34, seed=5)
    torch.testing.assert_close(graph(image, level), image / (level + 1))


def test_an_exported_program_is_taken_for_the_sizes_its_guards_allow() -> None:
    network = PadsIfNeeded().eval()
    program = torch.export.export(network, (torch.rand(2, 3, 22, 34),), dynamic_shapes=(_DYNAMIC,))
    captured = capture(program, input_channels=3)
    assert captured.requirements.multiple == 2
    _same_as(captured, network, [(1, 46, 62), (4, 62, 46), (2, 22, 90)])
    assert captured.program.state_dict is not program.state_dict


def test_an_exported_program_that_refuses_even_sizes_is_refused_with_its_guard() -> None:
    network = PadsIfNeeded().eval()
    program = torch.export.export(network, (torch.rand(2, 3, 21, 33),), dynamic_shapes=(_DYNAMIC,))
    with pytest.raises(CaptureError, match=r"exported for sizes where .*% 2\) != 0"):
        capture(program, input_channels=3)


def test_an_exported_program_for_multiples_keeps_its_multiple() -> None:
    network = NeedsMultiplesOf(8).eval()
    sizes = {0: torch.export.Dim.DYNAMIC, 2: 8 * torch.export.Dim("h"), 3: 8 * torch.export.Dim("w")}
    program = torch.export.export(network, (torch.rand(2, 3, 40, 56),), dynamic_shapes=(sizes,))
    captured = capture(program, input_channels=3)
    assert _symbol_multiples(captured) == (8, 8)
    assert captured.requirements.multiple == 8


def test_an_exported_program_of_fixed_size_is_refused_with_what_to_do() -> None:
    program = torch.export.export(nn.Conv2d(3, 3, 3), (torch.rand(1, 3, 16, 16),))
    with pytest.raises(InputError, match=r"height 16.*dynamic_shapes"):
        capture(program, input_channels=3)


def test_a_torchscript_module_is_refused_with_what_to_do() -> None:
    with pytest.raises(InputError, match=r"hand over the nn\.Module"):
        capture(torch.jit.trace(nn.Conv2d(3, 3, 3), torch.rand(1, 3, 8, 8)), input_channels=3)


def test_truncated_division_of_a_size_becomes_floor_division_and_nothing_is_printed(
    capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    program = capture(HalvesWithInt(), input_channels=3).program
    assert math.trunc not in {node.target for node in program.graph.nodes}
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")
    assert not recwarn.list


def test_an_assignment_of_data_that_an_export_kept_is_refused_before_pytorch_crashes_on_it() -> None:
    with torch.no_grad():
        program = torch.export.export(MergesItsBranchesOnEveryCall(), (torch.rand(1, 3, 8, 8),), strict=True)
    with pytest.raises(CaptureError, match="assignment to"):
        functional(program)
