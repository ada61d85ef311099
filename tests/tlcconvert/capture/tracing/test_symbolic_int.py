"""``int`` of a size stays symbolic in the code of a network, and is the built-in for everything else."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim

from tlcconvert.capture.tracing.symbolic_int import SymbolicInt, symbolic_int


class HalvesWithInt(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        assert isinstance(3, int) and int("12") == 12 and int(2.5) == 2
        return x[..., int(x.shape[-1] / 2) :]


def test_a_truncated_quotient_follows_the_size_of_the_image() -> None:
    network = HalvesWithInt()
    with symbolic_int(network):
        program = torch.export.export(network, (torch.rand(2, 3, 9),), dynamic_shapes=({2: Dim.DYNAMIC},))
    image = torch.rand(2, 3, 14)
    torch.testing.assert_close(program.module(check_guards=False)(image), image[..., 7:])


class CountsImagesByWindows(nn.Module):
    """Works the batch out of the number of windows (Swin Transformer's ``window_reverse``)."""

    def forward(self, x: Tensor) -> Tensor:
        _, channels, height, width = x.shape
        rows, columns = height // 4, width // 4
        x = x[..., : 4 * rows, : 4 * columns]
        windows = (
            x.unflatten(3, (columns, 4)).unflatten(2, (rows, 4)).transpose(3, 4).permute(0, 2, 3, 4, 5, 1)
        )
        windows = windows.reshape(-1, 4, 4, channels)
        batch = int(windows.shape[0] / (4 * rows * 4 * columns / 4 / 4))
        assert isinstance(batch, torch.SymInt) or batch == x.shape[0]
        return windows.reshape(batch, rows, columns, 4, 4, channels).sum((1, 2))


def test_a_quotient_that_is_whole_for_all_sizes_is_written_without_division() -> None:
    network = CountsImagesByWindows()
    dynamic = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    with symbolic_int(network):
        program = torch.export.export(network, (torch.rand(2, 3, 21, 42),), dynamic_shapes=(dynamic,))
    (output,) = program.graph.output_node().args[0]
    (given,) = (node for node in program.graph.nodes if node.op == "placeholder")
    assert str(output.meta["val"].shape[0]) == str(given.meta["val"].shape[0])
    image = torch.rand(3, 3, 10, 35)
    torch.testing.assert_close(program.module(check_guards=False)(image), network(image))


def test_the_built_in_is_back_afterwards_even_after_an_error() -> None:
    def fail() -> None:
        with symbolic_int(HalvesWithInt()):
            assert globals()["int"] is SymbolicInt
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert "int" not in globals()


def test_only_the_thread_that_traces_gets_a_symbol() -> None:
    seen: list[object] = []

    def truncate() -> None:
        seen.extend((int("12"), int(7.9), isinstance(3, int)))

    with symbolic_int(HalvesWithInt()):
        elsewhere = threading.Thread(target=truncate)
        elsewhere.start()
        elsewhere.join()
    assert seen == [12, 7, True]


def test_the_meaning_stays_until_the_last_of_two_threads_has_traced() -> None:
    with ExitStack() as first:
        first.enter_context(symbolic_int(HalvesWithInt()))
        with symbolic_int(HalvesWithInt()):
            first.close()
            assert globals()["int"] is SymbolicInt
    assert "int" not in globals()
