"""What torch expects of every operator, whatever it computes."""

import pytest
import torch

from passes.program import refresh
from passes.statistics import OPERATORS, Operator
from tests.operator_calls import arguments_of, name_of, names_of

X = torch.randn(2, 6, 9, 11)
OF_WINDOWS = [operator for operator in OPERATORS if {"x", "window_height"} <= {*names_of(operator)}]


@pytest.mark.parametrize("operator", OPERATORS, ids=name_of)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_fake_and_eager_kernels_agree_and_no_result_aliases_an_input(operator: Operator, dtype: torch.dtype):
    arguments = arguments_of(operator, X.to(dtype), (4, 20), groups=3)
    torch.library.opcheck(operator.overload, arguments, test_utils=("test_schema", "test_faketensor"))


@pytest.mark.parametrize("operator", OF_WINDOWS, ids=name_of)
def test_maps_that_are_not_contiguous_give_the_same_numbers(operator: Operator):
    x, *others = arguments_of(operator, X, (4, 20), groups=3)
    got = operator.overload(x.mT.contiguous().mT, *others)
    torch.testing.assert_close(got, operator.overload(x, *others))


def test_an_interior_inserted_after_capture_is_not_taken_for_one_pixel():
    """The example fits the window, so its interior is one pixel; larger maps have more."""

    class Site(torch.nn.Module):
        def forward(self, x):
            return x.mean((2, 3), keepdim=True) * torch.ones(1, 3, 1, 1)

    dynamic = torch.export.Dim.DYNAMIC
    program = torch.export.export(
        Site(), (torch.zeros(2, 3, 8, 9),), dynamic_shapes=({0: dynamic, 2: dynamic, 3: dynamic},)
    )
    mean = next(node for node in program.graph.nodes if node.target is torch.ops.aten.mean.dim)
    mean.target, mean.args, mean.kwargs = torch.ops.tlc.local_mean.default, (mean.args[0], 16, 16), {}
    refresh(program, has_new_sizes=True)
    x, scaled = (next(n for n in program.graph.nodes if n.name.startswith(name)) for name in ("x", "mul"))
    height, width = x.meta["val"].shape[2:]
    interior = [
        size.node.expr.subs({height.node.expr: 20, width.node.expr: 16})
        for size in scaled.meta["val"].shape[2:]
    ]
    assert interior == [5, 1]
