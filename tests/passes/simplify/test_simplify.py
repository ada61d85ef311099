"""Constants, frozen statistics and one-slope PReLUs are simplified exactly; lookalikes are left alone."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.export import ExportedProgram

from passes.program import runnable, state
from passes.result import PassResult
from tests.captured import captured
from tlcconvert.pipeline import SIMPLIFY, run_steps

CHANNELS = 4


def simplified(module: nn.Module) -> tuple[ExportedProgram, PassResult]:
    """Simplifies ``module`` and checks it against eager on sizes it was not captured at."""
    program = captured(module, CHANNELS, dtype=torch.float32)
    result = run_steps(SIMPLIFY, program)
    after = runnable(program)
    for size in ((1, 4, 1, 1), (3, 4, 5, 7)):
        x = torch.randn(size, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            expected = module(x)
            assert float((after(x) - expected).abs().max()) <= 1e-6 * float(expected.abs().max())
    return program, result


def operations(program: ExportedProgram) -> list[str]:
    return [str(node.target) for node in program.graph.nodes if node.op == "call_function"]


class ComposedKernel(nn.Module):
    """A kernel made from three parameters on every call."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.outer = nn.Parameter(torch.randn(8, 4, 1, 1)), nn.Parameter(torch.randn(4, 8, 3, 3))
        self.register_buffer("mask", (torch.rand(4, 4, 3, 3) > 0.5).float())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kernel = F.conv2d(self.outer, self.inner.permute(1, 0, 2, 3)) * self.mask
        return F.conv2d(x, kernel, padding=1)


def test_parameter_only_subgraph_becomes_one_parameter() -> None:
    program, result = simplified(ComposedKernel())
    assert operations(program) == ["aten.conv2d.default"]
    assert len(state(program)) == 1
    (report,) = result.rewrites
    assert report.before == "3 operations on b_mask, p_inner, p_outer"
    assert report.after == "one parameter [4, 4, 3, 3]"


def test_folded_constant_is_the_float64_value_rounded_once() -> None:
    module = ComposedKernel()
    program, _ = simplified(module)
    (stored,) = state(program).values()
    exact = (
        torch.einsum("omij,mc->ocij", module.outer.double(), module.inner.double()[:, :, 0, 0]) * module.mask
    )
    assert torch.equal(stored, exact.float())


def test_discontinuous_constant_is_what_eager_computes() -> None:
    class Quantised(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            # The quotient of these two float32 numbers rounds up to a whole one in float32, not in float64.
            self.weight, self.step = nn.Parameter(torch.tensor([0.5])), nn.Parameter(torch.tensor([0.05]))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * torch.floor(self.weight / self.step)

    program, _ = simplified(Quantised())
    module = Quantised()
    (stored,) = state(program).values()
    assert torch.equal(stored, torch.floor(module.weight / module.step))
    assert not torch.equal(stored.double(), torch.floor(module.weight.double() / module.step.double()))


def test_value_that_depends_on_the_size_or_on_chance_is_no_constant() -> None:
    class Positions(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.arange(x.shape[3], dtype=x.dtype) + 0 * torch.rand(4, 1, 1)

    program, result = simplified(Positions())
    assert not result.rewrites
    assert any("arange" in operation for operation in operations(program))
    assert any("rand" in operation for operation in operations(program))


def test_constant_far_larger_than_its_sources_is_left_and_named() -> None:
    class Expanded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bias = nn.Parameter(torch.randn(4, 1, 1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (
                x
                + self.bias.repeat(1, 600, 600).mean((1, 2), keepdim=True)
                + self.bias.repeat(1, 600, 600).amax()
            )

    class Grid(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bias = nn.Parameter(torch.randn(4, 1, 1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.interpolate(self.bias.repeat(1, 600, 600)[None], size=x.shape[2:]) + x

    program, _ = simplified(Expanded())
    assert all(tensor.numel() <= 4 for tensor in state(program).values())
    program, result = simplified(Grid())
    assert "1,440,000 elements" in result.skipped[0].reason
    assert all(tensor.numel() <= 4 for tensor in state(program).values())


@pytest.mark.parametrize("slope", [0.25, 0.0, -0.3, 1.7])
def test_prelu_of_one_slope_becomes_leaky_relu_bit_for_bit(slope: float) -> None:
    module = nn.PReLU(init=slope)
    program = captured(module, CHANNELS, dtype=torch.float32)
    (report,) = run_steps(SIMPLIFY, program).rewrites
    assert report.kind == "single-slope PReLU"
    assert operations(program) == ["aten.leaky_relu.default"]
    x = torch.randn(2, 4, 33, 31) * 100
    assert torch.equal(runnable(program)(x), module(x))


def test_prelu_of_equal_slopes_becomes_leaky_relu_and_of_different_ones_stays() -> None:
    equal, different = nn.PReLU(4), nn.PReLU(4)
    different.weight.data[2] = 0.1
    assert operations(simplified(equal)[0]) == ["aten.leaky_relu.default"]
    assert operations(simplified(different)[0]) == ["aten.prelu.default"]


def test_instance_norm_with_running_statistics_becomes_a_batch_norm() -> None:
    norm = nn.InstanceNorm2d(4, affine=True, track_running_stats=True)
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    program, result = simplified(norm)
    assert [rewrite.after for rewrite in result.rewrites] == ["batch_norm"]
    assert operations(program)[0] == "aten._native_batch_norm_legit_no_training.default"


def test_assertion_on_a_dtype_is_dropped() -> None:
    class Cast(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.to(torch.float32) + 1

    assert operations(captured(Cast(), CHANNELS, dtype=torch.float32)) == [
        "aten._assert_tensor_metadata.default",
        "aten.add.Tensor",
    ]
    assert operations(simplified(Cast())[0]) == ["aten.add.Tensor"]


class ReadsItsParameter(nn.Module):
    """An exponent kept as a parameter and read into Python on every call."""

    def __init__(self) -> None:
        super().__init__()
        self.exponent = nn.Parameter(torch.full([1], 0.3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.abs().pow(self.exponent.item())


def test_number_read_from_a_parameter_is_written_as_a_number() -> None:
    program, result = simplified(ReadsItsParameter())
    assert operations(program) == ["aten.abs.default", "aten.pow.Tensor_Scalar"]
    assert state(program) == {}
    assert [rewrite.kind for rewrite in result.rewrites] == ["constant"]


class ReadsTheImage(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * x.mean().item()


def test_number_read_from_the_image_stays() -> None:
    program, result = simplified(ReadsTheImage())
    assert "aten._local_scalar_dense.default" in operations(program) or "aten.item.default" in operations(
        program
    )
    assert result.rewrites == ()
