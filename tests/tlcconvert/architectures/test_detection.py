"""Each architecture's checkpoint is recognised by spandrel, hyper-parameters read off the tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from spandrel import MAIN_REGISTRY, ModelLoader
from spandrel.architectures.NAFNet import NAFNet
from spandrel.architectures.RCAN import RCAN
from torch import nn

from tlcconvert.architectures import register
from tlcconvert.architectures.ecbsr import ECBSR
from tlcconvert.architectures.hinet import HINet
from tlcconvert.architectures.repsr import RepSR
from tlcconvert.architectures.repvgg_sr import RepVGGSR
from tlcconvert.architectures.sesr import SESR

IDS = {"RepSR", "ECBSR", "SESR", "RepVGGSR", "HINet"}


@dataclass(frozen=True)
class Case:
    architecture: str
    build: Callable[[], nn.Module]
    scale: int
    colors: int


CASES = [
    Case("RepSR", lambda: RepSR(colors=3, channels=8, blocks=2, scale=2), 2, 3),
    Case("RepSR", lambda: RepSR(colors=1, channels=6, blocks=1, scale=4), 4, 1),
    Case("ECBSR", lambda: ECBSR(colors=1, channels=8, blocks=2, scale=2), 2, 1),
    Case("ECBSR", lambda: ECBSR(colors=3, channels=6, blocks=1, scale=3, expansion=1.5), 3, 3),
    Case("SESR", lambda: SESR(colors=3, channels=8, blocks=2, scale=2, expanded=32), 2, 3),
    Case("SESR", lambda: SESR(colors=1, channels=8, blocks=3, scale=4, expanded=16, slopes=8), 4, 1),
    Case("SESR", lambda: SESR(channels=8, blocks=1, expanded=16, slopes=1, concatenate=True), 2, 3),
    Case("RepVGGSR", lambda: RepVGGSR(colors=3, channels=8, blocks=2, scale=3), 3, 3),
    Case("HINet", lambda: HINet(colors=3, channels=8, depth=3, normalized_levels=(0, 1, 2)), 1, 3),
    Case("HINet", lambda: HINet(colors=1, channels=4, depth=2, normalized_levels=(1,)), 1, 1),
]
NAMES = [f"{case.architecture}, x{case.scale}, {case.colors} colours, {i}" for i, case in enumerate(CASES, 1)]


@pytest.fixture(autouse=True)
def registered() -> None:
    register()


def randomize(network: nn.Module) -> nn.Module:
    """Fills every weight, statistic and slope, so that one loaded wrongly changes the output."""
    generator = torch.Generator().manual_seed(0)
    for name, tensor in network.state_dict().items():
        if name.endswith(("running_var", "norm.weight", "bn.weight")):
            tensor.uniform_(0.5, 1.5, generator=generator)
        elif tensor.is_floating_point() and not name.endswith("mask"):
            tensor.add_(torch.randn(tensor.shape, generator=generator), alpha=0.05)
    return network.eval()


def last_image(output: torch.Tensor | list[torch.Tensor]) -> torch.Tensor:
    return output[-1] if isinstance(output, list) else output


@pytest.mark.parametrize("case", CASES, ids=NAMES)
@torch.no_grad()
def test_a_saved_state_dict_is_detected_and_computes_the_same(case: Case, tmp_path: Path) -> None:
    network = randomize(case.build())
    torch.save(network.state_dict(), tmp_path / "network.pth")

    descriptor = ModelLoader("cpu").load_from_file(tmp_path / "network.pth")

    assert descriptor.architecture.id == case.architecture
    assert (descriptor.scale, descriptor.input_channels) == (case.scale, case.colors)
    assert descriptor.output_channels == case.colors
    images = torch.rand(2, case.colors, 16, 24)
    expected = last_image(network(images))
    assert torch.equal(last_image(descriptor.model.eval()(images)), expected)
    assert expected.shape == (2, case.colors, 16 * case.scale, 24 * case.scale)


@pytest.mark.parametrize("size", [(1, 1), (2, 7), (13, 5)])
@pytest.mark.parametrize("case", CASES, ids=NAMES)
@torch.no_grad()
def test_odd_and_tiny_images_go_through(case: Case, size: tuple[int, int]) -> None:
    descriptor = MAIN_REGISTRY.load(case.build().state_dict())
    output = descriptor.eval()(torch.rand(1, case.colors, *size))
    assert output.shape == (1, case.colors, size[0] * case.scale, size[1] * case.scale)
    assert output.isfinite().all()


def test_registering_twice_changes_nothing() -> None:
    before = MAIN_REGISTRY.architectures("detection")
    register()
    assert MAIN_REGISTRY.architectures("detection") == before


def test_spandrels_own_architectures_are_asked_first() -> None:
    order = [support.architecture.id for support in MAIN_REGISTRY.architectures("detection")]
    of_spandrel = [
        position
        for position, support in enumerate(MAIN_REGISTRY.architectures("detection"))
        if type(support.architecture).__module__.startswith("spandrel.")
    ]
    assert max(of_spandrel) < min(order.index(name) for name in IDS)


@pytest.mark.parametrize("build", [NAFNet, RCAN])
def test_checkpoints_of_spandrels_networks_are_not_taken(build: Callable[..., nn.Module]) -> None:
    options = {"enc_blk_nums": [1], "dec_blk_nums": [1]} if build is NAFNet else {"n_resblocks": 1}
    state = build(**options).state_dict()
    claimed = {support.architecture.id for support in MAIN_REGISTRY if support.detect(state)}
    assert not claimed & IDS
    assert MAIN_REGISTRY.load(state).architecture.id == build.__name__


def test_a_repsr_checkpoint_may_carry_the_training_codes_blur_kernel() -> None:
    state = RepSR(channels=4, blocks=1).state_dict()
    descriptor = MAIN_REGISTRY.load({**state, "usm_sharpener.kernel": torch.ones(1, 51, 51)})
    assert descriptor.model.state_dict().keys() == state.keys()
