"""The program for ``torch.export.load``: readable without this project, and the same as the converted network."""

from __future__ import annotations

import copy
import functools
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from spandrel.architectures.NAFNet import NAFNet
from torch import Tensor, fx, nn
from torch.export import ExportedProgram

from passes.localize import Training, localize
from passes.program import runnable
from tlcconvert.capture.capture import capture
from tlcconvert.capture.output_growth import images_kept, output_growth
from tlcconvert.errors import ParityError
from tlcconvert.load import load_network
from tlcconvert.network.network_inputs import NetworkInputs
from tlcconvert.output.exported_output import METADATA_FILE, archive, exported_program, verify_archive
from tlcconvert.sizes.size_wrapper import wrap_sizes

WINDOW = (12, 12)
SIZES = [(1, 1, 1), (2, 7, 5), (1, 12, 12), (1, 13, 31), (2, 40, 9)]

READ_WITHOUT_THE_PROJECT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("passes", "tlcconvert"):
            raise ImportError(f"{name} is not installed")

sys.meta_path.insert(0, Absent())
import torch

loaded = torch.export.load(sys.argv[1])
assert not any("tlc" in str(node.target) for node in loaded.graph.nodes)
network = loaded.module()
for image, expected in torch.load(sys.argv[2]):
    result = network(image)
    assert result.shape == expected.shape
    assert (result - expected).abs().max() <= 1e-5 * expected.abs().max(), tuple(image.shape)
assert not {"passes", "tlcconvert"} & sys.modules.keys()
"""


class InstanceNormAndAttention(nn.Module):
    """An instance norm and a transposed attention, at half the resolution: sizes are multiples of 2."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 8, 2, stride=2)
        self.norm = nn.InstanceNorm2d(8, affine=True)
        self.qkv = nn.Conv2d(8, 24, 1)
        self.up = nn.ConvTranspose2d(8, 3, 2, stride=2)

    def forward(self, image: Tensor) -> Tensor:
        x = self.norm(self.down(image))
        q, k, v = (part.flatten(2) for part in self.qkv(x).chunk(3, 1))
        q, k = nn.functional.normalize(q, dim=-1), nn.functional.normalize(k, dim=-1)
        return image + self.up(x + ((q @ k.transpose(1, 2)).softmax(-1) @ v).reshape(x.shape))


class ChannelAttention(nn.Module):
    """A channel attention from means and maxima, and an upscaling."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Conv2d(3, 8, 3, padding=1)
        self.gate = nn.Conv2d(8, 8, 1)
        self.image = nn.Sequential(nn.Conv2d(8, 12, 3, padding=1), nn.PixelShuffle(2))

    def forward(self, image: Tensor) -> Tensor:
        x = self.features(image)
        pooled = x.mean((2, 3), keepdim=True), nn.functional.adaptive_max_pool2d(x, 1)
        return self.image(x * sum(self.gate(s) for s in pooled).sigmoid())


def nafnet() -> nn.Module:
    network = NAFNet(width=4, enc_blk_nums=[1], middle_blk_num=0, dec_blk_nums=[1])
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.3)
    return network


@dataclass(frozen=True)
class Exported:
    converted: fx.GraphModule
    program: ExportedProgram
    content: bytes


@pytest.fixture(
    scope="module",
    params=[
        ChannelAttention,
        pytest.param(nafnet, marks=pytest.mark.full),
        pytest.param(InstanceNormAndAttention, marks=pytest.mark.full),
    ],
)
def exported(request: pytest.FixtureRequest) -> Exported:
    return export(request.param)


@functools.cache
def export(build: Callable[[], nn.Module]) -> Exported:
    torch.manual_seed(0)
    captured = capture(build().eval(), input_channels=3)
    needed = captured.requirements
    extents, _ = images_kept(output_growth(captured), [0])
    assert localize(captured.program, Training.on_crops((8, 8))).sites
    wrap_sizes(captured.program, needed.multiple, needed.minimum, extents)
    program = exported_program(captured.program, WINDOW)
    return Exported(runnable(captured.program), program, archive(program, {"train_size": "[8, 8]"}))


@pytest.mark.full
def test_it_is_read_and_run_by_a_python_without_the_project(exported: Exported, tmp_path: Path) -> None:
    path, examples = tmp_path / "model.pt2", tmp_path / "examples.pt"
    path.write_bytes(exported.content)
    images = [torch.rand(batch, 3, *size) for batch, *size in SIZES]
    with torch.no_grad():
        torch.save([(image, exported.converted(image)) for image in images], examples)
    subprocess.run([sys.executable, "-I", "-c", READ_WITHOUT_THE_PROJECT, path, examples], check=True)


def test_it_passes_its_verification(exported: Exported) -> None:
    parity = verify_archive(exported.content, exported.converted, NetworkInputs(3), SIZES, lambda _: None)
    parity.raise_for_mismatch()
    assert [row.what for row in parity.comparisons] == ["pt2 / converted"] * len(SIZES)
    assert parity.notes == ()


def test_the_same_program_gives_the_same_bytes_and_tells_nothing_of_the_machine(exported: Exported) -> None:
    assert archive(exported.program, {"train_size": "[8, 8]"}) == exported.content
    assert str(Path(__file__).parents[3]).encode() not in exported.content
    assert b"site-packages" not in exported.content


def test_its_metadata_is_a_file_inside(exported: Exported, tmp_path: Path) -> None:
    (tmp_path / "model.pt2").write_bytes(exported.content)
    with zipfile.ZipFile(tmp_path / "model.pt2") as file:
        (name,) = (name for name in file.namelist() if name.endswith(METADATA_FILE))
        assert json.loads(file.read(name)) == {"train_size": "[8, 8]"}


@pytest.mark.full
def test_a_written_program_can_be_converted_again(exported: Exported, tmp_path: Path) -> None:
    (tmp_path / "model.pt2").write_bytes(exported.content)
    network = load_network(tmp_path / "model.pt2", allow_pickle=True)
    assert network.input_channels == 3
    again = runnable(capture(network.module, input_channels=3).program)
    image = torch.rand(2, 3, 40, 9)
    assert torch.allclose(again(image), exported.converted(image), atol=1e-5)


def test_a_program_that_computes_something_else_fails_its_verification() -> None:
    own = export(ChannelAttention)
    other = copy.deepcopy(own.converted)
    for weight in other.buffers():
        weight.mul_(1.01)
    parity = verify_archive(own.content, other, NetworkInputs(3), SIZES, lambda _: None)
    assert not parity.passed


def test_a_program_that_rejects_a_size_is_refused_by_name() -> None:
    own = export(ChannelAttention)
    guarded = copy.copy(own.program)
    guarded._guards_code = ["L['image'].size()[2] < 20"]
    with pytest.raises(ParityError, match=r"No \.pt2 file can be written .* as it raises .* at 2x40x9"):
        verify_archive(archive(guarded, {}), own.converted, NetworkInputs(3), SIZES, lambda _: None)


@pytest.mark.full
def test_aotinductor_compiles_it_for_every_size(tmp_path: Path) -> None:
    own = export(ChannelAttention)
    (tmp_path / "model.pt2").write_bytes(own.content)
    loaded = torch.export.load(tmp_path / "model.pt2")
    package = torch._inductor.aoti_compile_and_package(loaded, package_path=str(tmp_path / "compiled.pt2"))
    compiled = torch._inductor.aoti_load_package(package)
    for batch, height, width in SIZES:
        image = torch.rand(batch, 3, height, width)
        expected = own.converted(image)
        assert (compiled(image) - expected).abs().max() <= 1e-5 * expected.abs().max()
