"""The pipeline end to end: converted, exported, verified, and the same as the network up to its windows."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from spandrel.architectures.NAFNet import NAFNet
from spandrel.architectures.RCAN import RCAN
from torch import Tensor, nn

import tlcconvert
from tests.passes.localize.attention_networks import TransposedAttention
from tlcconvert import Conversion, Dtype, InputError, Target
from tlcconvert.load import Network

EIGHT_SIZES = [(1, 1), (7, 5), (16, 31), (48, 48), (49, 48), (33, 90), (75, 61), (96, 20)]
SE_WINDOW = 12


class ShiftedWindows(nn.Module):
    """A mean over windows that are shifted only where the map is larger than one; every multiple of 4 is accepted."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.down, self.up = nn.Conv2d(3, 4, 4, stride=4), nn.ConvTranspose2d(4, 3, 4, stride=4)

    def forward(self, x: Tensor) -> Tensor:
        features = self.down(x)
        height, width = features.shape[-2:]
        windows = nn.functional.pad(features, (0, -width % 8, 0, -height % 8))
        is_shifted = min(windows.shape[-2:]) > 8
        if is_shifted:
            windows = torch.roll(windows, (-4, -4), (2, 3))
        means = nn.functional.interpolate(nn.functional.avg_pool2d(windows, 8), scale_factor=8)
        if is_shifted:
            means = torch.roll(means, (4, 4), (2, 3))
        return x + self.up(features * means[..., :height, :width])


def test_a_file_computes_the_bare_network_at_every_size_it_accepts_from_its_minimum_on() -> None:
    network = ShiftedWindows().eval()
    conversion = tlcconvert.convert(network, 64)
    own = conversion.metadata["network_multiple"], conversion.metadata["network_minimum"]
    file = conversion.metadata["size_multiple"], conversion.metadata["size_minimum"]
    assert (own, file) == (("4", "4"), ("4", "36"))
    session = onnxruntime.InferenceSession(conversion.model.SerializeToString())
    for size in ((36, 36), (36, 400), (64, 72), (100, 100), (180, 320)):
        image = torch.rand(1, 3, *size)
        with torch.no_grad():
            expected = copy.deepcopy(network).double()(image.double())
        computed = torch.from_numpy(session.run(None, {"input": image.numpy()})[0])
        torch.testing.assert_close(computed.double(), expected, rtol=1e-5, atol=1e-5)


class SqueezeExcitation(nn.Module):
    """One squeeze-and-excitation behind a convolution; how it pools is left to the subclasses."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.features = nn.Conv2d(3, 8, 3, padding=1)
        self.down = nn.Conv2d(8, 4, 1)
        self.up = nn.Conv2d(4, 8, 1)
        self.image = nn.Conv2d(8, 3, 3, padding=1)

    def gate(self, x: Tensor) -> Tensor:
        return self.up(self.down(nn.functional.adaptive_avg_pool2d(x, 1)).relu()).sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        y = self.features(x).relu()
        return x + self.image(y * self.gate(y))


class MeanAndLinear(SqueezeExcitation):
    def gate(self, x: Tensor) -> Tensor:
        s = nn.functional.linear(x.mean((2, 3)), self.down.weight[:, :, 0, 0], self.down.bias).relu()
        return nn.functional.linear(s, self.up.weight[:, :, 0, 0], self.up.bias).sigmoid()[..., None, None]


class FlattenAndMean(SqueezeExcitation):
    def gate(self, x: Tensor) -> Tensor:
        s = x.flatten(2).mean(2).view(x.shape[0], 8, 1, 1)
        return self.up(self.down(s).relu()).sigmoid()


class Functional(SqueezeExcitation):
    def gate(self, x: Tensor) -> Tensor:
        s = torch.mean(x, dim=[-1, -2], keepdim=True)
        s = nn.functional.conv2d(s, self.down.weight, self.down.bias).clamp(min=0)
        return torch.sigmoid(nn.functional.conv2d(s, self.up.weight, self.up.bias)).expand_as(x)


class FullKernelPool(SqueezeExcitation):
    def gate(self, x: Tensor) -> Tensor:
        s = nn.functional.avg_pool2d(x, x.shape[2:])
        return self.up(self.down(s).relu()).sigmoid()


class CenteredChannels(nn.Module):
    """The first step of a norm over channels."""

    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(1, keepdim=True)


FIVE_WAYS = (SqueezeExcitation, MeanAndLinear, FlattenAndMean, Functional, FullKernelPool)


def run(conversion: Conversion, image: Tensor) -> Tensor:
    session = onnxruntime.InferenceSession(conversion.model.SerializeToString())
    return torch.from_numpy(session.run(None, {"input": image.numpy()})[0])


@pytest.fixture(scope="module")
def written_five_ways() -> list[Conversion]:
    return [tlcconvert.convert(network(), SE_WINDOW, base_ratio=1) for network in FIVE_WAYS]


def test_one_block_written_five_ways_gives_the_same_numbers(written_five_ways: list[Conversion]) -> None:
    for size in [(5, 7), (12, 12), (13, 30), (40, 9)]:
        image = torch.rand(2, 3, *size)
        first, *others = (run(conversion, image) for conversion in written_five_ways)
        for other in others:
            assert (other - first).abs().max() <= 1e-6
    assert [len(conversion.sites) for conversion in written_five_ways] == [1] * 5


def test_the_block_sees_the_window_and_nothing_else(written_five_ways: list[Conversion]) -> None:
    """Far from a pixel the image may change without the pixel noticing; the original network does notice."""
    image = torch.rand(1, 3, 40, 40)
    changed = image.clone()
    changed[..., 30:, 30:] += 1
    here = (..., slice(0, 10), slice(0, 10))
    local = [run(written_five_ways[0], x)[here] for x in (image, changed)]
    network = SqueezeExcitation().eval()
    with torch.no_grad():
        original = [network(x)[here] for x in (image, changed)]
    assert torch.equal(local[0], local[1])
    assert not torch.equal(original[0], original[1])


@dataclass(frozen=True)
class Converted:
    network: nn.Module
    conversion: Conversion
    scale: int


def nafnet() -> tuple[nn.Module, int]:
    network = NAFNet(width=8, enc_blk_nums=[1], middle_blk_num=1, dec_blk_nums=[1])
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.3)
    return network, 1


def rcan() -> tuple[nn.Module, int]:
    return RCAN(n_feats=8, n_resgroups=1, n_resblocks=2, scale=2, reduction=4), 2


@pytest.fixture(scope="module", params=[nafnet, rcan], ids=["NAFNet", "RCAN"])
def converted(request: pytest.FixtureRequest) -> Converted:
    torch.manual_seed(0)
    network, scale = request.param()
    return Converted(network.eval(), tlcconvert.convert(network, train_size=32), scale)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("size", EIGHT_SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_file_computes_what_the_converted_network_does(
    converted: Converted, size: tuple[int, int], batch: int
) -> None:
    image = torch.rand(batch, 3, *size)
    with torch.no_grad():
        expected = converted.conversion.module(image)
    result = run(converted.conversion, image)
    assert result.shape == (batch, 3, size[0] * converted.scale, size[1] * converted.scale)
    assert (result - expected).abs().max() <= 1e-5 * expected.abs().max()


@pytest.mark.parametrize("size", [size for size in EIGHT_SIZES if max(size) <= 48], ids=str)
def test_up_to_its_windows_it_is_the_original_network(converted: Converted, size: tuple[int, int]) -> None:
    image = torch.rand(1, 3, *size)
    with torch.no_grad():
        expected = converted.network(image.clone())
    assert (run(converted.conversion, image) - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_beyond_its_windows_it_is_not(converted: Converted) -> None:
    image = torch.rand(1, 3, 96, 96) * torch.linspace(0, 1, 96)
    with torch.no_grad():
        expected = converted.network(image.clone())
    assert (run(converted.conversion, image) - expected).abs().max() > 1e-4 * expected.abs().max()


def test_the_file_describes_itself_and_tells_nothing_of_the_machine(converted: Converted) -> None:
    model = converted.conversion.model
    facts = {entry.key: entry.value for entry in model.metadata_props}
    assert facts["train_size"] == "[32, 32]"
    assert facts["base_size"] == "[48, 48]"
    assert len(json.loads(facts["windows"])) == len(converted.conversion.sites)
    assert len(facts["source_sha256"]) == 64
    axes = [dim.dim_param or dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    assert axes == ["batch", 3, "height", "width"]
    assert [value.name for value in (*model.graph.input, *model.graph.output)] == ["input", "output"]
    text = model.SerializeToString()
    assert b"site-packages" not in text
    assert b".py" not in text.replace(facts["windows"].encode(), b"")
    assert {entry.domain for entry in model.opset_import} == {""}
    onnx.checker.check_model(model, full_check=True)


def test_the_same_network_gives_the_same_bytes() -> None:
    first, second = (tlcconvert.convert(SqueezeExcitation(), 24).model.SerializeToString() for _ in range(2))
    assert first == second


def test_a_network_with_nothing_to_localize_still_converts() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 1))
    conversion = tlcconvert.convert(network, 24)
    assert conversion.sites == ()
    image = torch.rand(2, 3, 9, 14)
    assert np.allclose(run(conversion, image), network(image).detach(), atol=1e-6)


def test_statistics_stay_global_when_asked_and_are_reported() -> None:
    conversion = tlcconvert.convert(SqueezeExcitation(), localize_statistics=False)
    assert conversion.sites == ()
    assert [skipped.kind for skipped in conversion.left_global] == ["reduction to a fixed size"]


def test_windows_do_not_depend_on_how_the_network_was_captured() -> None:
    """The example the graph is traced with is smaller than one window here and larger in the other case."""
    small, large = (tlcconvert.convert(SqueezeExcitation(), size, base_ratio=1) for size in (8, 200))
    image = torch.rand(1, 3, 30, 41)
    with torch.no_grad():
        expected = SqueezeExcitation().eval()(image)
    assert (run(large, image) - expected).abs().max() < 1e-6
    assert (run(small, image) - expected).abs().max() > 1e-5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "training crop size is needed"),
        ({"train_size": 0}, "between 1 and"),
        ({"train_size": (64, -1)}, "between 1 and"),
        ({"train_size": 10**9}, "between 1 and"),
        ({"train_size": 64, "base_ratio": 0.0}, "base ratio"),
        ({"train_size": 64, "base_ratio": float("nan")}, "base ratio"),
        ({"train_size": 64, "opset": 11}, "opset"),
        ({"train_size": 64, "target": "openvino"}, "Target.OPENVINO"),
        ({"train_size": 64, "dtype": "float16"}, "Dtype.FLOAT16"),
        ({"train_size": 64, "io": "float16"}, "Dtype.FLOAT16"),
        ({"train_size": 64, "io": Dtype.FLOAT16}, "add --dtype float16"),
        ({"train_size": 64, "dtype": Dtype.FLOAT16, "exported_program": True}, "leave out --dtype"),
        ({"train_size": 64, "output_index": 3}, "no output 3"),
        ({"train_size": 64, "output_index": 0, "all_outputs": True}, "One output or all"),
        ({"train_size": 64, "static_size": (0, 8)}, "at least 1 pixel"),
        ({"train_size": 64, "verify_sizes": [(8,)]}, "at least 1 pixel"),
        ({"train_size": 64, "static_size": (8, 8), "verify_sizes": [(8, 8)]}, "verified at that size"),
    ],
)
def test_unusable_arguments_are_refused_by_name(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        tlcconvert.convert(SqueezeExcitation(), **arguments)  # type: ignore[arg-type]


class TwoOutputs(SqueezeExcitation):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        return super().forward(x), x.repeat_interleave(2, 2).repeat_interleave(2, 3)


def test_of_several_outputs_one_must_be_chosen_and_the_rest_goes() -> None:
    with pytest.raises(InputError, match="output_index"):
        tlcconvert.convert(TwoOutputs(), 24)
    conversion = tlcconvert.convert(TwoOutputs(), 24, output_index=-1)
    assert conversion.sites == ()
    assert run(conversion, torch.rand(1, 3, 5, 6)).shape == (1, 3, 10, 12)


def test_all_outputs_can_be_kept() -> None:
    conversion = tlcconvert.convert(TwoOutputs(), 24, all_outputs=True)
    assert len(conversion.sites) == 1
    assert json.loads(conversion.metadata["output_channels"]) == [3, 3]
    session = onnxruntime.InferenceSession(conversion.model.SerializeToString())
    image = torch.rand(2, 3, 9, 14)
    results = session.run(["output", "output_1"], {"input": image.numpy()})
    for result, expected in zip(results, TwoOutputs().eval()(image), strict=True):
        assert np.allclose(result, expected.detach(), atol=1e-6)


class Quarters(SqueezeExcitation):
    """Raises, as many networks do, unless height and width are multiples of 4."""

    def forward(self, x: Tensor) -> Tensor:
        folded = nn.functional.pixel_unshuffle(x, 4)
        return super().forward(nn.functional.pixel_shuffle(folded, 4))


def test_the_size_wrapper_can_be_left_out() -> None:
    conversion = tlcconvert.convert(Quarters(), 24, size_wrapper=False)
    assert [conversion.metadata[key] for key in ("size_multiple", "size_minimum", "size_wrapper")] == [
        "4", "4", "false",
    ]  # fmt: skip
    assert all(row.height % 4 == 0 and row.width % 4 == 0 for row in conversion.parity.comparisons)
    image = torch.rand(1, 3, 8, 20)
    with torch.no_grad():
        assert np.allclose(run(conversion, image), Quarters().eval()(image), atol=1e-6)
    with pytest.raises(onnxruntime.capi.onnxruntime_pybind11_state.Fail):
        run(conversion, torch.rand(1, 3, 9, 20))


def test_a_file_of_one_size_computes_nothing_from_shapes() -> None:
    conversion = tlcconvert.convert(Quarters(), 24, static_size=(45, 70))
    assert {row.size for row in conversion.parity.comparisons if row.what == "onnx / converted"} == {
        "1x45x70"
    }
    axes = [
        dim.dim_value
        for value in (*conversion.model.graph.input, *conversion.model.graph.output)
        for dim in value.type.tensor_type.shape.dim
    ]
    assert axes == [1, 3, 45, 70] * 2
    assert not {"Shape", "Range", "If"} & {node.op_type for node in conversion.model.graph.node}
    image = torch.rand(1, 3, 45, 70)
    dynamic = run(tlcconvert.convert(Quarters(), 24), image)
    assert (run(conversion, image) - dynamic).abs().max() <= 1e-6


def test_attention_in_windows_of_one_size_computes_nothing_from_shapes() -> None:
    network = TransposedAttention()
    conversion = tlcconvert.convert(network, 24, input_channels=4, static_size=(150, 187))
    assert len(conversion.sites) == 1
    assert not {"Shape", "Size", "Range", "If"} & {node.op_type for node in conversion.model.graph.node}
    image = torch.rand(1, 4, 150, 187)
    dynamic = run(tlcconvert.convert(network, 24, input_channels=4), image)
    assert (run(conversion, image) - dynamic).abs().max() <= 1e-5 * dynamic.abs().max()


def test_a_file_for_openvino_keeps_norms_over_channels_and_pixel_shuffles_as_they_are_written() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 1), CenteredChannels(), nn.PixelShuffle(2))
    image = torch.rand(2, 3, 21, 30)
    results, operators = [], []
    for target in (Target.OPENVINO, Target.ONNXRUNTIME_CPU):
        conversion = tlcconvert.convert(network, 12, target=target)
        results.append(run(conversion, image))
        operators.append({node.op_type for node in conversion.model.graph.node})
    rewritten = {"ReduceMean", "DepthToSpace"}
    assert rewritten <= operators[0]
    assert not rewritten & operators[1]
    assert (results[0] - results[1]).abs().max() <= 1e-5 * results[1].abs().max()


def test_a_file_of_one_size_without_wrapper_is_for_a_size_the_network_takes() -> None:
    with pytest.raises(InputError, match="multiples of 4"):
        tlcconvert.convert(Quarters(), 24, static_size=(45, 70), size_wrapper=False)


def test_it_is_verified_at_the_sizes_chosen() -> None:
    conversion = tlcconvert.convert(SqueezeExcitation(), 24, verify_sizes=[(20, 31), (2, 50, 12)])
    rows = [(row.what, row.size) for row in conversion.parity.comparisons]
    assert rows == [
        ("onnx / converted", "1x20x31"),
        ("onnx / converted", "2x50x12"),
        ("converted / original", "1x20x31"),
    ]


def test_a_size_at_which_nothing_changes_is_added_where_none_was_chosen() -> None:
    conversion = tlcconvert.convert(SqueezeExcitation(), 24, verify_sizes=[(70, 81)])
    assert {row.what for row in conversion.parity.comparisons} == {"onnx / converted", "converted / original"}


def test_what_pixels_mean_is_told_where_it_is_known() -> None:
    conversion = tlcconvert.convert(SqueezeExcitation(), 24, pixels=tlcconvert.Pixels((0.0, 1.0), "RGB"))
    assert (conversion.metadata["value_range"], conversion.metadata["color_order"]) == ("[0.0, 1.0]", "RGB")
    assert "value_range" not in tlcconvert.convert(SqueezeExcitation(), 24).metadata


def test_what_a_file_says_of_its_network_counts_where_the_caller_says_nothing() -> None:
    read = Network(
        TwoOutputs(), output_index=1, pixels=tlcconvert.Pixels((0.0, 1.0), "RGB"), sha256="0f" * 32
    )
    known = tlcconvert.convert(read, 24)
    assert (known.metadata["color_order"], known.metadata["source_sha256"]) == ("RGB", "0f" * 32)
    assert run(known, torch.rand(1, 3, 5, 6)).shape == (1, 3, 10, 12)
    asked = tlcconvert.convert(read, 24, output_index=0, pixels=tlcconvert.Pixels(None, "BGR"))
    assert (asked.metadata["color_order"], "value_range" in asked.metadata) == ("BGR", False)
    assert run(asked, torch.rand(1, 3, 5, 6)).shape == (1, 3, 5, 6)
    both = tlcconvert.convert(read, 24, all_outputs=True)
    assert json.loads(both.metadata["output_channels"]) == [3, 3]


def test_what_is_no_network_is_refused_with_the_way_to_read_a_file() -> None:
    with pytest.raises(InputError, match=r"load_network; not a str"):
        tlcconvert.convert("model.pth", 24)  # type: ignore[arg-type]


def test_fast_statistics_are_verified_too_and_their_deviation_is_noted() -> None:
    conversion = tlcconvert.convert(SqueezeExcitation(), 24, fast=True)
    assert any("statistics on a grid change the output" in note for note in conversion.parity.notes)
    image = torch.rand(1, 3, 90, 70)
    exact = run(tlcconvert.convert(SqueezeExcitation(), 24), image)
    difference = (run(conversion, image) - exact).abs().max()
    assert 1e-7 < difference < 1e-2 * exact.abs().max()
