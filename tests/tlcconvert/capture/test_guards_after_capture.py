"""A condition that a step after capture relied on is tried at a size where it is false."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.export import ExportedProgram

from passes.program import user_inputs
from tlcconvert.capture.capture import capture
from tlcconvert.capture.guards_after_capture import GuardsAfterCapture
from tlcconvert.errors import CaptureError
from tlcconvert.sizes.size_requirements import SizeRequirements

ANY_SIZE = SizeRequirements(1, 1, 1)


def captured() -> tuple[ExportedProgram, int]:
    """A program, and the height of its image as a symbol that may be asked questions."""
    program = capture(nn.Conv2d(3, 4, 3, padding=1).eval(), input_channels=3).program
    return program, user_inputs(program)[0].meta["val"].shape[2]


def test_a_remainder_of_the_example_is_tried_at_a_size_of_another_remainder() -> None:
    program, height = captured()
    guards = GuardsAfterCapture(program, ANY_SIZE)
    is_multiple = bool(height % 8 == 0)
    (size,), assumed = guards.sizes_to_try()
    assert (size[1] % 8 == 0) != is_multiple
    assert assumed == ()


def test_a_condition_only_large_images_break_is_tried_on_a_thin_one() -> None:
    program, height = captured()
    guards = GuardsAfterCapture(program, ANY_SIZE)
    assert height < 3000
    ((_, tall, narrow),), _ = guards.sizes_to_try()
    assert tall >= 3000
    assert narrow <= 64


def test_what_capture_knew_and_what_is_true_at_every_size_needs_no_trial() -> None:
    program, height = captured()
    assert bool(height % 2 == 1) in (True, False)
    guards = GuardsAfterCapture(program, ANY_SIZE)
    assert bool(2 * height >= height)
    assert guards.sizes_to_try() == ((), ())


def test_a_size_that_becomes_a_number_is_refused_by_name() -> None:
    program, height = captured()
    guards = GuardsAfterCapture(program, ANY_SIZE)
    torch._check(height == int(height))
    with pytest.raises(CaptureError, match="fixes a size of the image to"):
        guards.sizes_to_try()
