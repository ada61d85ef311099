"""What spandrel's registry looks for in a file, and how it calls what it found."""

from __future__ import annotations

import pytest
import torch
from spandrel import MAIN_REGISTRY, ImageModelDescriptor
from spandrel.architectures.NAFNet import NAFNet, NAFNetArch
from spandrel.util import KeyCondition

from tlcconvert.torch_internals.spandrel_registry import call_of, share_of_keys


def state_dict() -> dict[str, torch.Tensor]:
    return NAFNet(width=4, enc_blk_nums=[1], dec_blk_nums=[1]).state_dict()


def test_all_keys_are_there_for_a_file_of_the_architecture_and_fewer_for_a_part_of_it() -> None:
    keys = set(state_dict())
    part = {key for key in keys if not key.startswith("intro")}
    share = share_of_keys(NAFNetArch(), part)
    assert share_of_keys(NAFNetArch(), keys) == 1.0
    assert share is not None and 0 < share < 1
    assert share_of_keys(NAFNetArch(), ()) == 0.0


def test_most_architectures_tell_their_keys() -> None:
    shares = [share_of_keys(support.architecture, ()) for support in MAIN_REGISTRY.architectures()]
    assert sum(share is not None for share in shares) > 0.8 * len(shares)


def test_the_call_is_the_one_the_descriptor_makes() -> None:
    descriptor = NAFNetArch().load(state_dict())
    image = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(
            descriptor(image), call_of(descriptor)(descriptor.model, image).clamp(0, 1)
        )


@pytest.mark.parametrize("name", ["keys", "kind", "conditions", "call_fn", "call", "detect_keys"])
def test_spandrel_does_not_tell_by_itself(name: str) -> None:
    """Where this fails, spandrel has a public name for it: use that."""
    condition = KeyCondition.has_all("a")
    assert not any(hasattr(owner, name) for owner in (condition, NAFNetArch(), ImageModelDescriptor))
