"""What torch expects of every operator, whatever it computes."""

import pytest
import torch

from passes.program import refresh

X, LOGITS = torch.randn(2, 6, 9, 11), torch.randn(2, 1, 9, 11)
CALLS = {
    "grid_mean": (X, 4, 20, 2),
    "grid_normalize": (X, 4, 20, 3, 1e-5, 2),
    "grid_variance": (X, 4, 20, 2),
    "local_max": (X, 4, 20),
    "local_mean": (X, 4, 20),
    "local_normalize": (X, 4, 20, 3, 1e-5),
    "local_softmax_mean": (X, LOGITS, 4, 20),
    "local_variance": (X, 4, 20),
    "nearest": (X, 20, 5),
    "replicate": (X, 12, 11),
    "replicated_product": (X, X[..., 2:7, 1:]),
    "spread_product": (X, torch.ops.tlc.grid_mean(X, 4, 20, 2), 4, 20, 2),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_fake_and_eager_kernels_agree_and_no_result_aliases_an_input(name, dtype):
    arguments = tuple(value.to(dtype) if isinstance(value, torch.Tensor) else value for value in CALLS[name])
    operator = getattr(torch.ops.tlc, name).default
    torch.library.opcheck(operator, arguments, test_utils=("test_schema", "test_faketensor"))


@pytest.mark.parametrize("name", [name for name in CALLS if name.startswith(("local_", "grid_"))])
def test_maps_that_are_not_contiguous_give_the_same_numbers(name):
    x, *others = CALLS[name]
    operator = getattr(torch.ops.tlc, name)
    torch.testing.assert_close(operator(x.mT.contiguous().mT, *others), operator(x, *others))


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
