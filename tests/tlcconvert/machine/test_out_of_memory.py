"""Memory that runs out is told from a network that cannot be converted, whichever library ran out of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import tlcconvert
from tlcconvert import CaptureError
from tlcconvert.machine.out_of_memory import OutOfMemory, is_out_of_memory, memory_named, refuse_left_out

PB = 10**15


def allocated(library: str) -> None:
    if library == "torch":
        torch.empty(PB)
    elif library == "numpy":
        np.empty(PB)
    elif library == "python":
        bytearray(PB)
    else:
        raise RuntimeError(f"[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : {library}")


@pytest.mark.parametrize(
    "library",
    [
        "torch",
        "numpy",
        "python",
        "std::bad_alloc",
        "bfc_arena.cc:376 Failed to allocate memory for requested buffer of size 4000000",
    ],
)
def test_every_library_is_understood(library: str) -> None:
    with pytest.raises(OutOfMemory, match="not enough memory") as caught, memory_named():
        allocated(library)
    assert caught.value.exit_code == 2
    if library in ("torch", "numpy"):
        assert "were asked for at once" in str(caught.value)


def captured_without_memory() -> None:
    try:
        allocated("torch")
    except RuntimeError as error:
        raise CaptureError("No graph reproduces the network.") from error


def test_an_error_that_came_of_it_counts_and_one_that_did_not_stays_what_it_is() -> None:
    with pytest.raises(OutOfMemory), memory_named():
        captured_without_memory()
    with pytest.raises(OutOfMemory), memory_named():
        raise CaptureError(
            "No size is accepted: RuntimeError: not enough memory: you tried to allocate 9 bytes"
        )
    with pytest.raises(CaptureError, match="No graph"), memory_named():
        raise CaptureError("No graph reproduces the network.")
    with pytest.raises(RuntimeError, match="shape"), memory_named():
        raise RuntimeError("shape mismatch")
    assert not is_out_of_memory(ValueError("bad"))


def test_a_comparison_left_out_for_it_is_no_comparison() -> None:
    refuse_left_out(["at 1x3x3 not compared: the reference raises ValueError: odd"])
    with pytest.raises(OutOfMemory):
        refuse_left_out(["at 1x3x3 not compared: the reference raises RuntimeError: std::bad_alloc"])


class Hungry(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x) + torch.empty(PB).sum()


def test_a_network_that_asks_for_too_much_is_not_said_to_be_wrong() -> None:
    with pytest.raises(OutOfMemory, match="4000000000000000 bytes were asked for"):
        tlcconvert.convert(Hungry(), localize_statistics=False)
