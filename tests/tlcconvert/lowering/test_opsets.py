import numpy as np
import pytest
import torch

tlc = torch.ops.tlc


def every_operator(x, logits):
    return (
        tlc.local_max(x, 3, 4),
        tlc.local_mean(x, 3, 40),
        tlc.local_normalize(x, 3, 4, 2, 1e-5),
        tlc.local_softmax_mean(x, logits, 3, 4),
        tlc.local_variance(x, 3, 4),
        tlc.nearest(x, 5, 7),
        tlc.replicate(x, 30, 40),
    )


@pytest.fixture(scope="module")
def at_opset_18(in_onnxruntime):
    return in_onnxruntime(every_operator, channels=(4, 1))


@pytest.mark.parametrize("opset", [21, 24])
def test_every_operator_gives_the_same_numbers_at_later_opsets(in_onnxruntime, at_opset_18, opset):
    maps = torch.randn(2, 4, 11, 13), torch.randn(2, 1, 11, 13)
    for got, expected in zip(
        in_onnxruntime(every_operator, channels=(4, 1), opset=opset)(*maps), at_opset_18(*maps), strict=True
    ):
        np.testing.assert_array_equal(got, expected)
