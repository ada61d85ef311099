"""Cells cut into fewer rows than the windows make them, against the operator on whole windows."""

import numpy as np
import pytest
import torch

from tlcconvert.lower.forms import ON_A_CPU
from tlcconvert.lower.forms.loops import window_attention

pytestmark = pytest.mark.parametrize("table", [ON_A_CPU], ids=["on_a_cpu"], indirect=True)


def attention(qkv):
    q, k, v = qkv.chunk(3, 1)
    return torch.ops.tlc.window_attention(q, k, v, None, 2, 6, 5)


@pytest.fixture(scope="module", params=[1, 60, 130], ids=str)
def file(request, in_onnxruntime):
    """One row in a cell, three rows or more where the image is narrow, and six or more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window_attention, "_CELL", request.param)
        return in_onnxruntime(attention, channels=(12,))


@pytest.mark.parametrize(
    "size", [(1, 1, 1), (2, 6, 5), (1, 13, 2), (1, 19, 16), (3, 8, 11), (1, 37, 9)], ids=str
)
def test_attention_in_lower_cells_is_the_same(file, size):
    batch, height, width = size
    qkv = torch.randn(batch, 12, height, width)
    qkv[:, 4:8] += qkv[:, :4]
    np.testing.assert_allclose(file(qkv)[0], attention(qkv).numpy(), atol=2e-6)
