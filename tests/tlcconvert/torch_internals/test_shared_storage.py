"""Tensors that share memory are told from those that do not, fake ones too."""

from __future__ import annotations

import pytest
import torch

from passes.torch_internals.names import FakeTensorMode
from tlcconvert.torch_internals.shared_storage import share_storage


def test_a_view_shares_and_a_copy_does_not() -> None:
    with FakeTensorMode():
        image = torch.empty(2, 3)
        assert share_storage(image[1:], image.view(6))
        assert not share_storage(image, image.clone())


@pytest.mark.filterwarnings("ignore:Accessing the data pointer of FakeTensor")
def test_the_addresses_of_fake_tensors_tell_nothing() -> None:
    """Where this fails, addresses can be compared instead."""
    with FakeTensorMode():
        image = torch.empty(2, 3)
        assert image.data_ptr() == image.clone().data_ptr()
