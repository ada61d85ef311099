"""A program whose operators are written out: ATen alone, right at every size, and the program it came from kept."""

from __future__ import annotations

import io

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

import passes.statistics  # noqa: F401
from passes.decompose import decompose
from passes.program import runnable
from passes.torch_internals.names import OpOverload

tlc = torch.ops.tlc

WINDOW = (6, 5)
SIZES = [(1, 1, 1), (2, 1, 7), (1, 7, 1), (2, 6, 5), (1, 7, 6), (3, 12, 10), (1, 13, 11), (1, 40, 3)]


class Statistics(nn.Module):
    """A gate from means, a norm and an attention over the same map."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.gate = nn.Conv2d(6, 6, 1)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        gate = self.gate(tlc.local_mean(x, *WINDOW)).sigmoid()
        y = tlc.local_normalize(x * tlc.replicate(gate, height, width), *WINDOW, 3, 1e-5)
        return y[:, 4:] + tlc.window_attention(*y.chunk(3, 1), None, 1, *WINDOW)


@pytest.fixture(scope="module")
def program() -> ExportedProgram:
    axes = dict.fromkeys((0, 2, 3), Dim.DYNAMIC)
    example = torch.zeros(2, 6, 4, 3)  # smaller than the window
    return torch.export.export(Statistics(), (example,), dynamic_shapes=(axes,)).run_decompositions({})


@pytest.fixture(scope="module")
def decomposed(program: ExportedProgram) -> ExportedProgram:
    return decompose(program, (13, 11))


def test_only_aten_and_arithmetic_on_sizes_is_left(decomposed: ExportedProgram) -> None:
    operators = [node.target for node in decomposed.graph.nodes if node.op == "call_function"]
    assert {operator.namespace for operator in operators if isinstance(operator, OpOverload)} == {"aten"}


def test_the_program_it_came_from_is_kept(program: ExportedProgram, decomposed: ExportedProgram) -> None:
    assert tlc.local_mean.default in [node.target for node in program.graph.nodes]
    assert decomposed.state_dict["gate.weight"] is program.state_dict["gate.weight"]


def test_any_size_is_declared_and_nothing_guarded(decomposed: ExportedProgram) -> None:
    assert {(int(size.lower), str(size.upper)) for size in decomposed.range_constraints.values()} == {
        (1, "int_oo")
    }
    assert decomposed._guards_code == []


def test_nothing_tells_where_the_network_was_captured(decomposed: ExportedProgram) -> None:
    assert all(node.meta.keys() <= {"val"} for node in decomposed.graph.nodes)


def test_the_archive_read_back_computes_the_same_at_every_size(
    program: ExportedProgram, decomposed: ExportedProgram
) -> None:
    archive = io.BytesIO()
    torch.export.save(decomposed, archive)
    archive.seek(0)
    loaded, reference = torch.export.load(archive).module(), runnable(program)
    for size in SIZES:
        image = torch.randn(size[0], 6, *size[1:])
        expected = reference(image)
        assert (loaded(image) - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_operators_over_maps_of_one_size_share_what_depends_on_the_size() -> None:
    class Twice(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            for _ in range(2):
                x = tlc.window_attention(*x.repeat(1, 3, 1, 1).chunk(3, 1), None, 2, *WINDOW)
            return x

    def nodes(network: nn.Module) -> int:
        axes = dict.fromkeys((0, 2, 3), Dim.DYNAMIC)
        program = torch.export.export(network, (torch.zeros(2, 4, 4, 3),), dynamic_shapes=(axes,))
        graph = decompose(program.run_decompositions({}), (13, 11)).graph
        return len(graph.find_nodes(op="call_function", target=torch.ops.aten.arange.default))

    assert nodes(Twice()) == 6  # per axis: its pixels, its windows, the pixels of a window
