"""Files in float16: half as large, valid, dynamic, and 60 dB from those in float32 whatever statistic they have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto
from onnxruntime.transformers.float16 import convert_float_to_float16
from torch import Tensor, nn
from torch.nn import functional
from typer.testing import CliRunner

import tlcconvert
from tlcconvert import Conversion, Dtype, InputError, ParityError, Target
from tlcconvert.cli import command as cli
from tlcconvert.load import load_network
from tlcconvert.network.network_inputs import NetworkInputs
from tlcconvert.verification.images import photograph

HALF, FULL = TensorProto.FLOAT16, TensorProto.FLOAT


class Around(nn.Module):
    """A statistic between two convolutions of many channels, beside a path around both."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.tail = nn.Conv2d(3, 24, 3, padding=1), nn.Conv2d(24, 3, 3, padding=1)
        self.body = nn.Conv2d(24, 24, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.tail(self.statistic(self.body(self.head(x).relu())))

    def statistic(self, x: Tensor) -> Tensor:
        raise NotImplementedError


class Mean(Around):
    def statistic(self, x: Tensor) -> Tensor:
        return x * x.mean((2, 3), keepdim=True).sigmoid()


class Norm(Around):
    """Of maps whose level is many times what they differ by."""

    def statistic(self, x: Tensor) -> Tensor:
        return functional.instance_norm(x + 3)


class Deviation(Around):
    """A contrast, as IMDN weighs channels by it."""

    def statistic(self, x: Tensor) -> Tensor:
        return x / (x.std((2, 3), keepdim=True) + x.mean((2, 3), keepdim=True).abs() + 1e-6)


class Maximum(Around):
    def statistic(self, x: Tensor) -> Tensor:
        return x * (x.amax((2, 3), keepdim=True) - x.mean((2, 3), keepdim=True)).sigmoid()


class SoftmaxMean(Around):
    def statistic(self, x: Tensor) -> Tensor:
        pixels = x.flatten(2)
        pooled = pixels @ pixels[:, :1].softmax(-1).mT
        return x * pooled[..., None].tanh()


class Attention(Around):
    def statistic(self, x: Tensor) -> Tensor:
        pixels = x.flatten(2)
        unit = functional.normalize(pixels, dim=-1)
        return ((unit @ unit.mT).softmax(-1) @ pixels).reshape(x.shape)


class ChannelNorm(Around):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(24)

    def statistic(self, x: Tensor) -> Tensor:
        return functional.gelu(self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))


STATISTICS = (Mean, Norm, Deviation, Maximum, SoftmaxMean, Attention, ChannelNorm)
SIZES = [(17, 40), (2, 31, 26)]


def convert(network: type[nn.Module], **options: Any) -> Conversion:
    torch.manual_seed(0)
    return tlcconvert.convert(network(), 16, verify_sizes=SIZES, **{"dtype": Dtype.FLOAT16, **options})


def run(model: onnx.ModelProto, image: np.ndarray[Any, Any]) -> Any:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"input": image})[0]


def decibels(own: Any, expected: Any) -> float:
    error = own.astype(np.float64) - expected
    return float(20 * np.log10(np.abs(expected).max() / np.sqrt(np.square(error).mean())))


def images() -> Iterator[Tensor]:
    """The photograph, a part of it, and an area that is flat but for some noise."""
    yield from photograph(NetworkInputs(3, ()), 1, 96, 128)
    yield from photograph(NetworkInputs(3, ()), 2, 19, 33)
    yield 0.6 + 0.1 * torch.rand(1, 3, 40, 50)


def is_valid(model: onnx.ModelProto) -> None:
    onnx.checker.check_model(model, full_check=True)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)


@pytest.mark.parametrize("network", STATISTICS, ids=lambda network: network.__name__)
def test_every_statistic_keeps_sixty_decibels(network: type[nn.Module]) -> None:
    full, half = convert(network, dtype=Dtype.FLOAT32), convert(network)
    assert len(half.sites) == len(full.sites) > 0 or network is ChannelNorm
    is_valid(half.model)
    for image in images():
        assert decibels(run(half.model, image.numpy()), run(full.model, image.numpy())) > 60


@pytest.mark.full
def test_weights_take_half_of_the_room() -> None:
    def weights(conversion: Conversion) -> int:
        return sum(
            len(tensor.raw_data) for tensor in conversion.model.graph.initializer if len(tensor.dims) == 4
        )

    for network in (Mean, Norm):
        assert weights(convert(network)) == weights(convert(network, dtype=Dtype.FLOAT32)) / 2


@pytest.mark.parametrize("opset", [18, 24])
@pytest.mark.parametrize("target", Target)
def test_every_target_and_opset_has_it(target: Target, opset: int) -> None:
    conversion = convert(Mean, target=target, opset=opset)
    is_valid(conversion.model)
    types = {tensor.data_type for tensor in conversion.model.graph.initializer}
    assert HALF in types
    products = [node for node in conversion.model.graph.node if node.op_type == "Conv"]
    assert len(products) == 3


@pytest.mark.full
@pytest.mark.parametrize(
    "options", [{"static_size": (40, 48)}, {"fast": True}, {"localize_statistics": False}]
)
def test_files_of_every_kind_have_it(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    sizes = {} if "static_size" in options else {"verify_sizes": SIZES}
    conversion = tlcconvert.convert(Norm(), 16, dtype=Dtype.FLOAT16, **sizes, **options)
    is_valid(conversion.model)
    assert any("dB" in row.note for row in conversion.parity.comparisons)
    weights = [
        each for each in conversion.model.graph.initializer if len(each.dims) == 4 and each.dims[0] > 1
    ]
    assert weights and {each.data_type for each in weights} == {HALF}


@pytest.mark.parametrize("io", Dtype)
def test_images_are_what_was_asked_for(io: Dtype) -> None:
    conversion = convert(Mean, io=io)
    expected = HALF if io is Dtype.FLOAT16 else FULL
    graph = conversion.model.graph
    assert {value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)} == {expected}
    assert (conversion.metadata["dtype"], conversion.metadata["io"]) == ("float16", io.value)
    for image in images():
        result = run(conversion.model, image.numpy().astype(io.value))
        assert result.dtype == io.value and np.isfinite(result).all()


def test_a_file_in_float32_says_so() -> None:
    metadata = convert(Mean, dtype=Dtype.FLOAT32).metadata
    assert (metadata["dtype"], metadata["io"]) == ("float32", "float32")


def test_the_report_says_how_many_decibels_and_what_stayed_float32() -> None:
    report = convert(Mean).report()
    notes = {row["what"]: row["note"] for row in report["parity"] if row["note"].endswith(" dB")}
    assert set(notes) == {"float16 / float32", "rounded / float32"}
    (step,) = [step for step in report["steps"] if step["name"] == "half_precision"]
    assert "operations in float32" in step["rewrites"][0]["after"]


class TooLarge(nn.Module):
    """Adds 4000 to an image and takes it away again: what float16 has at that level is steps of 2."""

    def __init__(self) -> None:
        super().__init__()
        self.raise_, self.lower = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
        for convolution, bias in ((self.raise_, 4000.0), (self.lower, -4000.0)):
            convolution.weight = nn.Parameter(torch.eye(3)[..., None, None])
            convolution.bias = nn.Parameter(torch.full((3,), bias))

    def forward(self, x: Tensor) -> Tensor:
        return self.lower(self.raise_(x).relu())


class Overflowing(nn.Module):
    """Beyond 65504 on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(3, 3, 1, bias=False) for _ in range(2))
        for convolution, factor in ((self.first, 1e3), (self.second, 1e3)):
            convolution.weight = nn.Parameter(factor * torch.eye(3)[..., None, None])

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x).relu())


@pytest.mark.parametrize("network", [TooLarge, Overflowing])
def test_a_network_float16_cannot_hold_is_refused_and_named(network: type[nn.Module]) -> None:
    with pytest.raises(ParityError, match=r"rounded / float32.*FAILED.*dB"):
        tlcconvert.convert(network(), localize_statistics=False, dtype=Dtype.FLOAT16, verify_sizes=SIZES)


def test_the_command_ends_in_4_and_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    output = tmp_path / "out.onnx"
    arguments = [
        "--model",
        "tests.tlcconvert.test_dtype:TooLarge",
        "--no-localize",
        "--verify-sizes",
        "17x40",
    ]
    result = CliRunner().invoke(cli.app, [*arguments, "--dtype", "float16", "-o", str(output)])
    assert (result.exit_code, output.exists()) == (4, False)
    result = CliRunner().invoke(cli.app, [*arguments, "-o", str(output)])
    assert (result.exit_code, output.exists()) == (0, True)


def test_a_program_and_a_classsr_are_refused_by_name(tmp_path: Path) -> None:
    arguments = [
        "samples/denoiser.pth",
        "--train-size",
        "64",
        "--dtype",
        "float16",
        "-o",
        str(tmp_path / "out.pt2"),
    ]
    result = CliRunner().invoke(cli.app, arguments)
    assert result.exit_code == 2 and "leave out --dtype" in result.output
    network = load_network(Path(__file__).parents[2] / "samples" / "classsr.pth")
    with pytest.raises(InputError, match="leave out --dtype"):
        tlcconvert.convert(network, 32, dtype=Dtype.FLOAT16)


@pytest.mark.parametrize("network", STATISTICS, ids=lambda network: network.__name__)
def test_files_in_float32_pass_the_converter_of_onnxruntime(network: type[nn.Module]) -> None:
    model = convert(network, dtype=Dtype.FLOAT32).model
    half = convert_float_to_float16(model, keep_io_types=True)
    (image,) = photograph(NetworkInputs(3, ()), 1, 96, 128)
    assert decibels(run(half, image.numpy()), run(model, image.numpy())) > 45  # norms are not protected there
