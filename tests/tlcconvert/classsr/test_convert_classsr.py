"""The ONNX model in onnxruntime: one file from image to image, with and without controls."""

from __future__ import annotations

import copy
import random

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from tests.tlcconvert.classsr.classsr_networks import small_network
from tests.tlcconvert.classsr.covering_oracle import covering_oracle
from tests.tlcconvert.classsr.published_loop import published_loop
from tlcconvert.architectures.classsr import ClassSR
from tlcconvert.classsr import Costs, convert_classsr, multiply_adds
from tlcconvert.conversion import Conversion
from tlcconvert.errors import InputError

SIZES = [(1, 1, 1), (1, 1, 40), (1, 31, 33), (2, 59, 61), (3, 32, 60), (1, 88, 45)]
SPECIAL = [
    1,
    2,
    4,
    27,
    28,
    31,
    32,
    33,
    59,
    60,
    61,
    88,
]  # a pixel, cells, the step, one, two and three patches
DRAWN = random.Random(0)
FORTY_SIZES = [
    *((1, height, width) for height, width in zip(SPECIAL, reversed(SPECIAL), strict=True)),
    *((1, extent, 1) for extent in SPECIAL),
    *((DRAWN.randint(1, 3), DRAWN.randint(1, 130), DRAWN.randint(1, 130)) for _ in range(15)),
    (1, 540, 960),
]
COSTS = Costs((468, 1079, 1600), "microseconds")


def session_of(conversion: Conversion) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(
        conversion.model.SerializeToString(), providers=["CPUExecutionProvider"]
    )


def images(batch: int, height: int, width: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(height * width)
    contrast = torch.linspace(0, 1, width) * torch.linspace(1, 0.2, height)[:, None]
    return torch.rand(batch, 3, height, width, generator=generator) * contrast


@pytest.fixture(scope="module")
def network() -> ClassSR:
    return small_network()


@pytest.fixture(scope="module")
def plain(network: ClassSR) -> Conversion:
    return convert_classsr(network)


@pytest.fixture(scope="module")
def with_knobs(network: ClassSR) -> Conversion:
    return convert_classsr(network, knobs=True, costs=COSTS)


def test_the_file_has_one_input_and_one_output(plain: Conversion) -> None:
    session = session_of(plain)
    assert [(value.name, value.shape) for value in session.get_inputs()] == [
        ("input", ["batch", 3, "height", "width"])
    ]
    assert [(value.name, value.shape) for value in session.get_outputs()] == [
        ("output", ["batch", 3, "2*height", "2*width"])
    ]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_size_matches_the_oracle(
    network: ClassSR, plain: Conversion, size: tuple[int, int, int]
) -> None:
    batch = images(*size)
    (restored,) = session_of(plain).run(None, {"input": batch.numpy()})
    for image, result in zip(batch, restored, strict=True):
        expected = covering_oracle(network, image, 32, 28).image.numpy()
        np.testing.assert_allclose(result, expected, rtol=0, atol=2e-6)


@pytest.mark.full
def test_forty_sizes_match_the_oracle_class_maps_first(network: ClassSR, with_knobs: Conversion) -> None:
    session = session_of(with_knobs)
    for size in FORTY_SIZES:
        batch = images(*size)
        restored, class_map = session.run(None, {"input": batch.numpy()})
        for image, result, classes in zip(batch, restored, class_map, strict=True):
            oracle = covering_oracle(network, image, 32, 28)
            assert np.array_equal(classes, oracle.class_map.numpy()), size
            np.testing.assert_allclose(result, oracle.image.numpy(), rtol=0, atol=2e-6)


@pytest.mark.parametrize("size", [(32, 60), (88, 60), (60, 116)])
def test_where_whole_patches_fit_the_file_does_what_the_published_loop_does(
    network: ClassSR, with_knobs: Conversion, size: tuple[int, int]
) -> None:
    image = images(1, *size)
    expected, logits = published_loop(network, image[0], 32, 28)
    restored, class_map = session_of(with_knobs).run(None, {"input": image.numpy()})
    assert np.array_equal(class_map[0], logits.argmax(-1).numpy())
    np.testing.assert_allclose(restored[0], expected.numpy(), rtol=0, atol=4e-6)


@pytest.mark.parametrize("kind", ["FSRCNN", "CARN", "RCAN"])
@pytest.mark.full
def test_every_kind_of_branch_converts(kind: str) -> None:
    network, image = small_network(kind, scale=4), images(1, 47, 61)
    (restored,) = session_of(convert_classsr(network)).run(None, {"input": image.numpy()})
    expected = covering_oracle(network, image[0], 32, 28).image.numpy()
    np.testing.assert_allclose(restored[0], expected, rtol=0, atol=5e-6)


def test_controls_are_optional_and_leave_the_choice_to_the_classifier(
    network: ClassSR, with_knobs: Conversion
) -> None:
    session, image = session_of(with_knobs), images(1, 61, 75)
    assert [value.name for value in session.get_inputs()] == ["input"]
    assert {value.name for value in session.get_overridable_initializers()} == {"class_bias", "budget"}
    restored, class_map = session.run(None, {"input": image.numpy()})
    oracle = covering_oracle(network, image[0], 32, 28)
    assert class_map.shape == (1, 3, 3)
    assert np.array_equal(class_map[0], oracle.class_map.numpy())
    np.testing.assert_allclose(restored[0], oracle.image.numpy(), rtol=0, atol=2e-6)


@pytest.mark.parametrize("chosen", [0, 1, 2])
def test_a_bias_forces_a_class_and_leaves_the_others_empty(
    network: ClassSR, with_knobs: Conversion, chosen: int
) -> None:
    bias = np.where(np.arange(3) == chosen, 1e6, 0).astype(np.float32)
    patches = images(4, 32, 32)
    restored, class_map = session_of(with_knobs).run(None, {"input": patches.numpy(), "class_bias": bias})
    assert (class_map == chosen).all()
    with torch.no_grad():
        expected = network.branches[chosen](patches).numpy()
    np.testing.assert_allclose(restored, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("budget", [0.01, 0.2925, 0.35, 0.45, 0.5, 0.6, 0.7, 0.8, 0.95, 1.0])
def test_each_image_of_a_batch_keeps_the_budget_by_itself(with_knobs: Conversion, budget: float) -> None:
    session, batch = session_of(with_knobs), images(2, 100, 90)
    feeds = {"budget": np.array(budget, np.float32)}
    together, maps = session.run(None, {"input": batch.numpy(), **feeds})
    for index in range(2):
        alone, own_map = session.run(None, {"input": batch[index : index + 1].numpy(), **feeds})
        assert np.array_equal(own_map[0], maps[index])
        np.testing.assert_allclose(alone[0], together[index], rtol=0, atol=2e-6)
        cost, patches = sum(COSTS.per_patch[chosen] for chosen in own_map.ravel()), own_map.size
        allowed = max(budget, 468 / 1600) * patches * 1600
        assert cost <= allowed * (1 + 1e-6)
        assert (own_map == 2).all() or allowed - cost < 611 + 1


def test_a_conversion_says_what_it_is(network: ClassSR, plain: Conversion, with_knobs: Conversion) -> None:
    assert plain.metadata["patch_size"] == "32"
    assert plain.metadata["patch_step"] == "28"
    assert "cost_unit" not in plain.metadata
    assert with_knobs.metadata["cost_unit"] == "microseconds"
    assert {prop.key: prop.value for prop in with_knobs.model.metadata_props} == with_knobs.metadata
    assert with_knobs.parity.passed
    assert plain.report()["localized"] == []


def test_converting_leaves_the_network_as_it_was() -> None:
    network = small_network("CARN")
    before = copy.deepcopy(network)
    with pytest.raises(InputError, match="between half the patch size"):
        convert_classsr(network, patch_step=8)
    assert any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    assert all(
        torch.equal(a, b)
        for a, b in zip(network.state_dict().values(), before.state_dict().values(), strict=True)
    )


@pytest.mark.full
def test_fsrcnn_takes_its_scale_from_the_caller_and_others_from_their_weights() -> None:
    conversion = convert_classsr(small_network("FSRCNN", scale=4), scale=2, patch_size=8, patch_step=8)
    (restored,) = session_of(conversion).run(None, {"input": images(1, 9, 11).numpy()})
    assert restored.shape == (1, 3, 18, 22)
    with pytest.raises(InputError, match="of scale 2, not 4"):
        convert_classsr(small_network(scale=2), scale=4)


def test_patches_smaller_than_a_cell_of_the_classifier_are_refused(network: ClassSR) -> None:
    with pytest.raises(InputError, match="too small"):
        convert_classsr(network, patch_size=3, patch_step=3)


def test_costs_without_a_budget_are_refused(network: ClassSR) -> None:
    with pytest.raises(InputError, match="Costs belong to a budget"):
        convert_classsr(network, costs=multiply_adds(network, 32))
