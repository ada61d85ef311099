"""What an exported program accepts is what its guards and ranges say, and its file runs nowhere else unnoticed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from tlcconvert.capture.capture import capture
from tlcconvert.convert import convert
from tlcconvert.errors import CaptureError, InputError
from tlcconvert.sizes.size_requirements import SizeRequirements

_FREE = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}


class TwoWays(nn.Module):
    """One convolution where a condition on the shape holds, another elsewhere."""

    def __init__(self, condition: Callable[[Any], bool]) -> None:
        super().__init__()
        self.condition = condition
        self.one, self.other = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 5, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.one(x) if self.condition(x.shape) else self.other(x)


def exported(
    condition: Callable[[Any], bool], sizes: dict[int, Any] = _FREE, example: tuple[int, int] = (96, 104)
) -> ExportedProgram:
    torch.manual_seed(0)
    network = TwoWays(condition).eval()
    return torch.export.export(network, (torch.rand(2, 3, *example),), dynamic_shapes=(sizes,))


@pytest.mark.parametrize(
    ("condition", "requirements"),
    [
        (lambda shape: shape[3] >= 81, SizeRequirements(1, 81, 1)),
        (lambda shape: shape[2] % 8 == 0 and shape[3] % 8 == 0, SizeRequirements(8, 8, 1)),
        (lambda shape: shape[2] <= 512, SizeRequirements(1, 1, 1, 512)),
        (lambda shape: shape[2] * shape[3] <= 1000000, SizeRequirements(1, 1, 1, 1000)),
    ],
    ids=["a minimum", "a multiple", "a maximum", "an area"],
)
def test_guards_become_a_minimum_a_multiple_or_a_maximum(
    condition: Callable[[Any], bool], requirements: SizeRequirements
) -> None:
    captured = capture(exported(condition), input_channels=3)
    assert captured.requirements == captured.accepted == requirements
    assert not captured.assumptions


def test_declared_ranges_become_a_minimum_a_maximum_and_a_note_on_the_batch() -> None:
    sizes = {0: Dim("images", max=16), 2: Dim("rows", min=16, max=512), 3: 8 * Dim("columns", max=32)}
    captured = capture(exported(lambda _: True, sizes), input_channels=3)
    assert captured.requirements == SizeRequirements(8, 16, 1, 256)
    assert captured.assumptions == ("L['x'].size()[0] <= 16, false at a batch of 64",)


def test_a_program_of_square_images_is_refused() -> None:
    side = Dim("side")
    program = exported(lambda _: True, {0: Dim.DYNAMIC, 2: side, 3: side}, (96, 96))
    with pytest.raises(CaptureError, match="square images only"):
        capture(program, input_channels=3)


def test_a_guard_that_is_no_bound_is_named_with_a_size_it_refuses() -> None:
    captured = capture(exported(lambda shape: shape[2] != 300), input_channels=3)
    assert captured.requirements == SizeRequirements(1, 1, 1)
    assert captured.assumptions == ("L['x'].size()[2] != 300, false at 1x300x2",)
    with pytest.raises(ValueError, match="exported for sizes where"):
        captured.original(torch.rand(1, 3, 300, 40))


def test_a_guard_that_cannot_be_read_is_named_and_not_run() -> None:
    program = exported(lambda _: True)
    program._guards_code.append("__import__('sys').exit(7)")
    (assumption,) = capture(program, input_channels=3).assumptions
    assert program._guards_code == ["__import__('sys').exit(7)"]
    assert "cannot be read" in assumption and "exit(7)" in assumption


def test_a_file_with_a_maximum_is_right_up_to_it_and_refuses_larger_images() -> None:
    program = exported(lambda shape: shape[2] <= 120)
    conversion = convert(program, 48)
    assert conversion.metadata["size_maximum"] == "120"
    assert any("more than 120 pixels" in note for note in conversion.parity.notes)
    session = onnxruntime.InferenceSession(conversion.model.SerializeToString())
    image = torch.rand(1, 3, 120, 119)
    (output,) = session.run(None, {"input": image.numpy()})
    torch.testing.assert_close(torch.from_numpy(output), program.module()(image), rtol=1e-5, atol=1e-5)
    for size in ((121, 40), (40, 121), (200, 72)):
        with pytest.raises(onnxruntime.capi.onnxruntime_pybind11_state.Fail):
            session.run(None, {"input": torch.rand(1, 3, *size).numpy()})


def test_sizes_above_the_maximum_are_refused_by_name() -> None:
    program = exported(lambda shape: shape[2] <= 120)
    with pytest.raises(InputError, match=r"more than 120 pixels.*at 128x64"):
        convert(program, 48, static_size=(128, 64))
    with pytest.raises(InputError, match=r"at 2x64x128"):
        convert(program, 48, verify_sizes=[(2, 64, 128)])
