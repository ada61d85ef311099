"""Batch norms fold into the layer before them, whatever it is, or say why not."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

from passes.fold.batch_norm import TrainingBatchNorm
from passes.program import runnable
from tests.passes.fold.blocks import randomise
from tests.passes.fold.programs import capture, folded, largest_error, operations
from tlcconvert.pipeline import FOLD, SIMPLIFY, run_steps

LAYERS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "convolution": (lambda: nn.Conv2d(4, 6, 3, padding=1), "aten.conv2d.default"),
    "convolution without bias": (lambda: nn.Conv2d(4, 6, 3, bias=False), "aten.conv2d.default"),
    "grouped, strided, dilated": (lambda: nn.Conv2d(4, 6, 3, 2, 2, 2, groups=2), "aten.conv2d.default"),
    "transposed": (lambda: nn.ConvTranspose2d(4, 6, 4, 2, 1), "aten.conv_transpose2d.input"),
    "transposed, grouped, no bias": (
        lambda: nn.ConvTranspose2d(4, 6, 3, groups=2, bias=False),
        "aten.conv_transpose2d.input",
    ),
}


@pytest.mark.parametrize("case", LAYERS)
def test_norm_disappears_into_the_layer_before_it(case: str) -> None:
    make, operation = LAYERS[case]
    work = folded(randomise(nn.Sequential(make(), nn.BatchNorm2d(6))))
    assert operations(work.program) == [operation]
    assert largest_error(work, sizes=((5, 5), (8, 11))) <= 1e-5
    (report,) = work.result.rewrites
    assert report.where.startswith("1 (")
    assert float(report.note.removeprefix("float64 error ")) <= 1e-12


@pytest.mark.parametrize("eps", [1e-3, 1e-5, 1e-8])
@pytest.mark.parametrize("layer", [nn.Conv2d(4, 6, 1, bias=False), nn.ConvTranspose2d(4, 6, 2, 2)])
def test_eps_is_added_to_a_variance_once(layer: nn.Module, eps: float) -> None:
    """By hand in float64, channel by channel: variances of nothing, of about eps, and far above it."""
    norm = nn.BatchNorm2d(6, eps=eps)
    work = folded(_with_variances(nn.Sequential(layer, norm), [0.0, 1e-10, 1e-6, eps, 1e-3, 1.0]))
    assert len(operations(work.program)) == 1
    x = torch.randn(2, 4, 3, 5)
    with torch.no_grad():
        centred = copy.deepcopy(layer).double()(x.double()) - _columns(norm.running_mean)
        expected = centred * _columns(norm.weight) / (_columns(norm.running_var) + eps).sqrt() + _columns(
            norm.bias
        )
        errors = (runnable(work.program)(x) - expected).abs().amax((0, 2, 3)) / expected.abs().amax((0, 2, 3))
    assert errors.max() <= 1e-5


def _with_variances(network: nn.Module, variances: list[float]) -> nn.Module:
    for name, statistic in randomise(network).named_buffers():
        if name.endswith("running_var"):
            statistic.copy_(torch.tensor(variances))
    return network


def _columns(of_channels: torch.Tensor) -> torch.Tensor:
    return of_channels.double()[:, None, None]


def test_norm_without_affine_parameters_folds() -> None:
    work = folded(randomise(nn.Sequential(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6, affine=False))))
    assert operations(work.program) == ["aten.conv2d.default"]
    assert largest_error(work, sizes=((5, 5),)) <= 1e-5


def test_instance_norm_with_running_statistics_folds_like_a_batch_norm() -> None:
    norm = nn.InstanceNorm2d(6, affine=True, track_running_stats=True)
    work = folded(randomise(nn.Sequential(nn.Conv2d(4, 6, 3, padding=1), norm)))
    assert operations(work.program) == ["aten.conv2d.default"]
    assert largest_error(work, sizes=((2, 3), (8, 11))) <= 1e-5


def test_instance_norm_of_the_image_is_left_alone() -> None:
    work = folded(randomise(nn.Sequential(nn.Conv2d(4, 6, 1), nn.InstanceNorm2d(6))))
    assert "aten.instance_norm.default" in operations(work.program)
    assert not work.result.rewrites


def test_norm_that_stands_alone_stays_and_says_so() -> None:
    work = folded(randomise(nn.Sequential(nn.ReLU(), nn.BatchNorm2d(4), nn.ReLU())))
    assert "no layer with constant weights" in work.reasons()
    assert largest_error(work) <= 1e-6


def test_norm_before_a_zero_padded_convolution_stays() -> None:
    work = folded(randomise(nn.Sequential(nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3, padding=1))))
    assert len(operations(work.program)) == 3
    assert largest_error(work) <= 1e-5


def test_norm_of_a_value_read_elsewhere_stays_and_says_so() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up, self.norm = nn.ConvTranspose2d(4, 4, 2, 2), nn.BatchNorm2d(4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.up(x)
            return y.relu() * self.norm(y)

    work = folded(randomise(Shared()))
    assert "read elsewhere" in work.reasons()
    assert largest_error(work) <= 1e-5


def test_norm_in_training_mode_is_an_error_naming_the_layer() -> None:
    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.body(x)

    network = Network().eval()
    network.body[1].train()
    with pytest.raises(TrainingBatchNorm, match=r"body\.1 .*training mode"):
        run_steps(FOLD, capture(network))
    program = capture(network)
    run_steps(SIMPLIFY, program)
    with pytest.raises(TrainingBatchNorm, match=r"body\.1 .*training mode"):
        run_steps(FOLD, program)


def test_norm_on_batch_statistics_by_design_is_left_and_named() -> None:
    work = folded(nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4, track_running_stats=False)).eval())
    assert "no running statistics" in work.reasons()
    assert largest_error(work, sizes=((4, 5),)) <= 1e-5


def test_norm_over_the_tokens_of_a_linear_layer_stays() -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.norm = nn.Linear(4, 5), nn.BatchNorm1d(6)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.norm(self.layer(x.mean((2, 3))[:, None].expand(-1, 6, -1)))

    work = folded(randomise(Tokens()))
    assert not work.result.rewrites
    assert largest_error(work) <= 1e-5


def test_norm_after_a_linear_layer_on_a_vector_folds() -> None:
    class Vector(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.norm = nn.Linear(4, 5), nn.BatchNorm1d(5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.norm(self.layer(x.mean((2, 3))))

    work = folded(randomise(Vector()))
    assert work.result.rewrites[0].after == "1 linear layer, 20 MACs per pixel"
    assert largest_error(work) <= 1e-5


def test_folded_weight_that_overflows_half_precision_is_refused() -> None:
    module = nn.Sequential(nn.ConvTranspose2d(4, 4, 2), nn.BatchNorm2d(4)).half().eval()
    module[0].weight.data.fill_(1000.0)
    module[1].weight.data.fill_(1000.0)
    work = folded(module, dtype=torch.float16)
    assert "do not fit" in work.reasons()
    assert len(operations(work.program)) == 3
