"""Inside the wrapper a network takes every size, and returns what spandrel's own padding would give."""

from __future__ import annotations

import io

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spandrel.__helpers.size_req import SizeRequirements as SpandrelRequirements
from spandrel.__helpers.size_req import pad_tensor
from torch import Tensor, nn
from torch.export import ExportedProgram

from passes.program import runnable
from tlcconvert.capture.capture import capture
from tlcconvert.network.network_inputs import ExtraInput
from tlcconvert.process_state.silence import silence
from tlcconvert.sizes.output_extents import Extent, Extents
from tlcconvert.sizes.size_wrapper import SizeWrapper, wrap_sizes

_SIZES = [(1, 1, 1), (2, 7, 5), (3, 8, 8), (1, 33, 16), (2, 9, 40), (1, 3, 25)]


class Pyramid(nn.Module):
    """Down by ``multiple`` and up again, with skip, squeeze path and super-resolution."""

    def __init__(self, multiple: int, scale: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 4, multiple, stride=multiple)
        self.squeeze = nn.Conv2d(4, 4, 1)
        self.up = nn.ConvTranspose2d(4, 3, multiple, stride=multiple)
        self.enlarge = nn.Upsample(scale_factor=scale)

    def forward(self, x: Tensor) -> Tensor:
        y = self.down(x)
        y = y * self.squeeze(y.mean(dim=(2, 3), keepdim=True))
        return self.enlarge(x + self.up(y))


@pytest.fixture(
    scope="module", params=[(8, 8, 1), (4, 12, 2)], ids=["multiple 8", "multiple 4, minimum 12, x2"]
)
def wrapped(request: pytest.FixtureRequest) -> tuple[nn.Module, ExportedProgram, tuple[int, int, int]]:
    multiple, minimum, scale = request.param
    torch.manual_seed(0)
    network = Pyramid(multiple, scale).eval()
    program = capture(network, input_channels=3).program
    wrap_sizes(program, multiple, minimum, [_times(scale)])
    return network, program, (multiple, minimum, scale)


def _times(scale: int) -> Extents:
    return Extents(Extent(scale), Extent(scale))


def _expected(network: nn.Module, image: Tensor, multiple: int, minimum: int, scale: int) -> Tensor:
    height, width = image.shape[-2:]
    _, padded = pad_tensor(image, SpandrelRequirements(minimum, multiple))
    with torch.no_grad():
        return network(padded)[..., : scale * height, : scale * width]


def test_the_wrapped_graph_equals_the_network_after_spandrels_padding(
    wrapped: tuple[nn.Module, ExportedProgram, tuple[int, int, int]],
) -> None:
    network, program, requirements = wrapped
    program.validate()
    graph = runnable(program)
    for batch, height, width in _SIZES:
        image = torch.rand(batch, 3, height, width)
        torch.testing.assert_close(
            graph(image), _expected(network, image, *requirements), rtol=1e-6, atol=1e-6
        )


def test_the_wrapped_graph_runs_in_onnxruntime_with_dynamic_sizes(
    wrapped: tuple[nn.Module, ExportedProgram, tuple[int, int, int]],
) -> None:
    network, program, requirements = wrapped
    file = io.BytesIO()
    with silence():
        exported = torch.onnx.export(program, dynamo=True, opset_version=18, verbose=False)
    assert exported is not None
    exported.save(file)
    assert {node.domain for node in exported.model.graph} <= {"", "ai.onnx"}
    assert not {"Abs", "Clip"} & {node.op_type for node in exported.model.graph}
    session = onnxruntime.InferenceSession(file.getvalue())
    name = session.get_inputs()[0].name
    for batch, height, width in _SIZES:
        image = torch.rand(batch, 3, height, width)
        (computed,) = session.run(None, {name: image.numpy()})
        expected = _expected(network, image, *requirements).numpy()
        np.testing.assert_allclose(computed, expected, rtol=1e-5, atol=1e-6)


@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    multiple=st.integers(1, 12),
    minimum=st.integers(0, 30),
    scale=st.integers(1, 3),
)
@settings(max_examples=60, deadline=None)
def test_the_eager_wrapper_equals_spandrels_padding(
    size: tuple[int, int], multiple: int, minimum: int, scale: int
) -> None:
    minimum = -(-minimum // multiple) * multiple
    image = torch.rand(2, 3, *size)
    network = nn.Upsample(scale_factor=scale)
    computed = SizeWrapper(network, multiple, minimum, [_times(scale)])(image)
    assert torch.equal(computed, _expected(network, image, multiple, minimum, scale))
    seen: list[Tensor] = []
    SizeWrapper(_Recorder(seen), multiple, minimum, [None])(image)
    assert torch.equal(seen[0], pad_tensor(image, SpandrelRequirements(minimum, multiple))[1])


class _Recorder(nn.Module):
    def __init__(self, seen: list[Tensor]) -> None:
        super().__init__()
        self.seen = seen

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x)
        return x


def test_a_program_that_takes_every_size_is_left_alone() -> None:
    program = capture(nn.Conv2d(3, 3, 3, padding=1), input_channels=3).program
    before = program.graph_module.code
    wrap_sizes(program, 1, 1, [_times(1)])
    assert program.graph_module.code == before


class Guided(nn.Module):
    """An image, a map of its size, and a number per image; returns the image and a thumbnail vector."""

    def __init__(self) -> None:
        super().__init__()
        self.core = Pyramid(4, 1)

    def forward(self, x: Tensor, level: Tensor, strength: Tensor) -> tuple[Tensor, Tensor]:
        y = self.core(x * level) * strength
        return y, y.mean(dim=(2, 3))


def test_a_map_beside_the_image_is_padded_too_and_other_outputs_are_not_cropped() -> None:
    torch.manual_seed(0)
    network = Guided().eval()
    extra = [ExtraInput("level"), ExtraInput("strength", ("batch", 1, 1, 1))]
    captured = capture(network, input_channels=3, extra_inputs=extra)
    extents = [_times(1), None]
    wrap_sizes(captured.program, 4, 4, extents)
    graph, reference = runnable(captured.program), SizeWrapper(captured.original, 4, 4, extents)
    inputs = captured.inputs.random(2, 7, 9)
    assert [tuple(output.shape) for output in graph(*inputs)] == [(2, 3, 7, 9), (2, 3)]
    for computed, expected in zip(graph(*inputs), reference(*inputs), strict=True):
        torch.testing.assert_close(computed, expected)
