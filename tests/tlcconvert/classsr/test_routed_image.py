"""The batched graph against the published loop and against a brute-force oracle, in PyTorch."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tlcconvert.classsr.classsr_networks import KINDS, small_network
from tests.tlcconvert.classsr.covering_oracle import covering_oracle
from tests.tlcconvert.classsr.published_loop import published_loop
from tlcconvert.architectures.classsr import ClassSR
from tlcconvert.classsr.patches import Grid
from tlcconvert.classsr.routing import RoutedImage

SIZES = [
    (1, 1), (1, 40), (40, 1), (3, 5), (31, 31), (31, 32), (32, 33), (33, 31), (59, 60), (60, 60), (61, 59), (64, 97)
]  # fmt: skip
UNDECIDED = 1e-5  # of the two largest logits: either class may be chosen


def images(batch: int, height: int, width: int, seed: int = 0) -> torch.Tensor:
    """Noise whose contrast changes from place to place, so that patches differ in class."""
    generator = torch.Generator().manual_seed(seed)
    contrast = torch.linspace(0, 1, width) * torch.linspace(1, 0.2, height)[:, None]
    return torch.rand(batch, 3, height, width, generator=generator) * contrast


def decided(logits: torch.Tensor) -> torch.Tensor:
    first, second = logits.topk(2, dim=-1).values.unbind(-1)
    return first - second > UNDECIDED


@torch.no_grad()
def assert_matches_the_oracle(network: ClassSR, image: torch.Tensor, grid: Grid) -> None:
    """Class maps first; then images, the oracle taking undecided patches the way the graph did."""
    restored, class_map = RoutedImage(network, grid)(image)
    for one, result, classes in zip(image, restored, class_map, strict=True):
        own_choice = covering_oracle(network, one, grid.size, grid.step)
        agreed = own_choice.class_map == classes
        assert (agreed | ~decided(own_choice.logits)).all()
        oracle = covering_oracle(network, one, grid.size, grid.step, classes).image
        assert result.shape == oracle.shape
        torch.testing.assert_close(result.double(), oracle, rtol=0, atol=2e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("height", "width"), [(32, 60), (88, 60), (116, 32)])
@torch.no_grad()
def test_it_agrees_with_the_published_loop_where_whole_patches_fit(
    kind: str, height: int, width: int
) -> None:
    network, image = small_network(kind, scale=4), images(1, height, width)
    expected, logits = published_loop(network, image[0], 32, 28)
    restored, class_map = RoutedImage(network, Grid(32, 28))(image)
    agreed = class_map[0] == logits.argmax(-1)
    assert (agreed | ~decided(logits)).all()
    assert agreed.all(), "a drawn patch is undecided: choose another seed"
    torch.testing.assert_close(restored[0], expected, rtol=0, atol=4e-6)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_every_pixel_of_any_size_is_covered(size: tuple[int, int]) -> None:
    assert_matches_the_oracle(small_network(), images(1, *size), Grid(32, 28))


@pytest.mark.parametrize("kind", KINDS)
def test_the_images_of_a_batch_are_restored_alike(kind: str) -> None:
    assert_matches_the_oracle(small_network(kind), images(3, 45, 70), Grid(32, 28))


@pytest.mark.parametrize("step", [16, 20, 31, 32])
def test_patches_may_touch_or_overlap_by_half(step: int) -> None:
    assert_matches_the_oracle(small_network(), images(1, 70, 50), Grid(32, step))


@pytest.mark.parametrize(("size", "step"), [(4, 2), (5, 3), (24, 20), (48, 40)])
def test_patches_may_have_another_size(size: int, step: int) -> None:
    assert_matches_the_oracle(small_network(), images(1, 17, 50), Grid(size, step))


def test_two_classes_work() -> None:
    assert_matches_the_oracle(small_network(classes=2), images(2, 40, 60), Grid(32, 28))


@settings(max_examples=28, deadline=None)
@given(
    batch=st.integers(1, 2), height=st.integers(1, 100), width=st.integers(1, 100), seed=st.integers(0, 2**31)
)
@pytest.mark.full
def test_drawn_sizes_match_the_oracle(batch: int, height: int, width: int, seed: int) -> None:
    assert_matches_the_oracle(small_network(), images(batch, height, width, seed), Grid(32, 28))


@pytest.mark.full
def test_a_540x960_image_matches_the_oracle() -> None:
    assert_matches_the_oracle(small_network("FSRCNN"), images(1, 540, 960), Grid(32, 28))


@pytest.mark.parametrize("chosen", [0, 1, 2])
@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_one_class_forced_on_every_patch_is_that_branch_alone(kind: str, chosen: int) -> None:
    network = small_network(kind)
    network.classifier.lastOut.bias[chosen] += 1000
    patches = images(5, 32, 32)
    restored, class_map = RoutedImage(network, Grid(32, 28))(patches)
    assert (class_map == chosen).all()
    torch.testing.assert_close(restored, network.branches[chosen](patches), rtol=0, atol=2e-6)


@torch.no_grad()
def test_an_image_is_restored_the_same_whatever_else_is_in_its_batch() -> None:
    network, batch = RoutedImage(small_network(), Grid(32, 28)), images(3, 70, 50)
    together, maps = network(batch)
    for index in range(3):
        alone, own_map = network(batch[index : index + 1])
        assert torch.equal(own_map[0], maps[index])
        torch.testing.assert_close(alone[0], together[index], rtol=0, atol=2e-6)
