"""The copy every comparison runs leaves the caller's network alone and computes what it computes."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils import spectral_norm, weight_norm

from tlcconvert.network.eager_reference import evaluation_copy


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning")
@pytest.mark.parametrize("norm", [weight_norm, spectral_norm])
@pytest.mark.parametrize("has_run", [False, True])
def test_a_weight_that_a_hook_computes_is_a_parameter_of_the_copy(norm, has_run):
    torch.manual_seed(0)
    network = nn.Sequential(norm(nn.Conv2d(3, 4, 3)), nn.ReLU(), norm(nn.Conv2d(4, 3, 3))).eval()
    image = torch.rand(1, 3, 9, 8)
    if has_run:
        network(image)
    names = set(network.state_dict())

    copied = evaluation_copy(network)

    assert dict(copied.named_parameters()).keys() == {"0.weight", "0.bias", "2.weight", "2.bias"}
    assert not any(parameter.requires_grad for parameter in copied.parameters())
    torch.testing.assert_close(copied(image), network(image))
    assert set(network.state_dict()) == names


def test_a_weight_that_a_hook_computes_follows_the_weights_loaded_after_it_ran():
    torch.manual_seed(0)
    network = spectral_norm(nn.Conv2d(3, 4, 3)).eval()
    image = torch.rand(1, 3, 9, 8)
    network(image)
    with torch.no_grad():
        network.weight_orig.add_(torch.rand_like(network.weight_orig))

    torch.testing.assert_close(evaluation_copy(network)(image), network(image))


class NotesItsFeatures(nn.Module):
    """Keeps what its hook saw in an object that is no module."""

    class Note:
        features: torch.Tensor

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.note = self.Note()
        self.conv.register_forward_hook(self.write)

    def write(self, module, inputs, output):
        self.note.features = output

    def forward(self, image):
        self.conv(image)
        return self.note.features * 2


def test_a_feature_map_that_a_hook_noted_is_no_obstacle_and_not_shared():
    network = NotesItsFeatures()
    image = torch.rand(1, 3, 9, 8)
    network(torch.rand(1, 3, 9, 8))
    noted = network.note.features

    copied = evaluation_copy(network)

    assert copied.note.features.grad_fn is None
    copied.note.features.zero_()
    assert network.note.features is noted and noted.abs().max() > 0
    torch.testing.assert_close(copied(image), network(image))
