"""ClassSR checkpoints: published names, detection, widths and scales read off the tensors."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from spandrel import MAIN_REGISTRY, ModelLoader

from tlcconvert.architectures import register
from tlcconvert.architectures.classsr import CARN, FSRCNN, RCAN, Classifier, ClassSR, SRResNet

BUILD = {
    "FSRCNN": lambda width, scale: FSRCNN(width=width, squeezed=5, mappings=3, scale=scale),
    "CARN": lambda width, scale: CARN(channels=width, groups=2, scale=scale),
    "SRResNet": lambda width, scale: SRResNet(channels=width, blocks=2, scale=scale),
    "RCAN": lambda width, scale: RCAN(channels=width, squeezed=3, groups=2, blocks=1, scale=scale),
}
# Parameters of the published networks, a digit standing for every index.
PUBLISHED_NAMES = {
    "FSRCNN": """head_conv.#.weight head_conv.#.bias body_conv.#.weight body_conv.#.bias body_conv.#.#.weight
        body_conv.#.#.bias tail_conv.weight tail_conv.bias""",
    "CARN": """sub_mean.weight sub_mean.bias add_mean.weight add_mean.bias entry.weight entry.bias exit.weight
        exit.bias b#.b#.body.#.weight b#.b#.body.#.bias b#.c#.#.weight b#.c#.#.bias b#.c#.#.running_mean
        b#.c#.#.running_var
        b#.c#.#.num_batches_tracked c#.#.weight c#.#.bias c#.#.running_mean c#.#.running_var
        c#.#.num_batches_tracked upsample.up.body.#.weight upsample.up.body.#.bias""",
    "SRResNet": """conv_first.weight conv_first.bias recon_trunk.#.conv#.weight recon_trunk.#.conv#.bias
        upconv#.weight upconv#.bias HRconv.weight HRconv.bias conv_last.weight conv_last.bias""",
    "RCAN": """sub_mean.weight sub_mean.bias add_mean.weight add_mean.bias head.#.weight head.#.bias
        body.#.body.#.body.#.weight body.#.body.#.body.#.bias body.#.body.#.body.#.conv_du.#.weight
        body.#.body.#.body.#.conv_du.#.bias body.#.body.#.weight body.#.body.#.bias body.#.weight body.#.bias
        tail.#.#.weight tail.#.#.bias tail.#.weight tail.#.bias""",
}


def network_of(kind: str, *, scale: int = 4, classes: int = 3) -> ClassSR:
    torch.manual_seed(0)
    branches = [BUILD[kind](width, scale) for width in (8, 12, 16)[:classes]]
    return ClassSR(Classifier(classes=classes), branches).eval()


@pytest.mark.parametrize("kind", BUILD)
def test_parameters_have_the_published_names(kind: str) -> None:
    names = network_of(kind).net1.state_dict()
    assert {re.sub(r"\d+", "#", name) for name in names} == set(PUBLISHED_NAMES[kind].split())


def test_the_classifier_has_the_published_names_and_shapes() -> None:
    shapes = {name: tuple(tensor.shape) for name, tensor in Classifier().state_dict().items()}
    assert shapes == {
        "lastOut.weight": (3, 32),
        "lastOut.bias": (3,),
        "CondNet.0.weight": (128, 3, 4, 4),
        "CondNet.0.bias": (128,),
        **{f"CondNet.{index}.weight": (128, 128, 1, 1) for index in (2, 4, 6)},
        **{f"CondNet.{index}.bias": (128,) for index in (2, 4, 6)},
        "CondNet.8.weight": (32, 128, 1, 1),
        "CondNet.8.bias": (32,),
    }


@pytest.mark.parametrize(("classes", "scale"), [(3, 4), (2, 4), (3, 2), (3, 3)])
@pytest.mark.parametrize("kind", BUILD)
@torch.no_grad()
def test_a_saved_state_dict_is_detected_and_computes_the_same(
    kind: str, classes: int, scale: int, tmp_path: Path
) -> None:
    if kind == "FSRCNN" and scale != 4:
        pytest.skip("the weights of FSRCNN branches do not hold their scale")
    register()
    network = network_of(kind, scale=scale, classes=classes)
    torch.save(network.state_dict(), tmp_path / "classsr.pth")
    descriptor = ModelLoader("cpu").load_from_file(tmp_path / "classsr.pth")
    patches = torch.rand(6, 3, 32, 32)
    assert descriptor.architecture.id == "ClassSR"
    assert descriptor.scale == scale
    assert descriptor.tags[0] == kind
    assert torch.equal(descriptor.model.eval()(patches), network(patches))


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
def test_fsrcnn_upscales_by_exactly_its_scale(scale: int) -> None:
    assert FSRCNN(width=8, scale=scale)(torch.rand(1, 3, 5, 7)).shape == (1, 3, 5 * scale, 7 * scale)


def test_the_published_fsrcnn_has_padding_3_and_output_padding_1() -> None:
    tail = FSRCNN(scale=4).tail_conv
    assert (tail.stride, tail.padding, tail.output_padding) == ((4, 4), (3, 3), (1, 1))


@torch.no_grad()
def test_rcan_computes_in_0_to_255() -> None:
    branch, image = RCAN(channels=8, squeezed=2, groups=1, blocks=1, scale=2), torch.rand(1, 3, 6, 6)
    features = branch.head(image * 255 - branch.add_mean.bias[:, None, None])
    expected = branch.tail(features + branch.body(features)) + branch.add_mean.bias[:, None, None]
    torch.testing.assert_close(branch(image) * 255, expected)


def test_branches_of_another_number_or_of_different_scales_are_refused() -> None:
    with pytest.raises(ValueError, match="one branch per class"):
        ClassSR(Classifier(classes=3), [FSRCNN(), FSRCNN()])
    with pytest.raises(ValueError, match="all of one scale"):
        ClassSR(Classifier(classes=2), [FSRCNN(scale=2), FSRCNN(scale=4)])


def test_no_other_architecture_claims_such_a_checkpoint() -> None:
    register()
    for kind in BUILD:
        state = network_of(kind).state_dict()
        assert [support.architecture.id for support in MAIN_REGISTRY if support.detect(state)] == ["ClassSR"]
