import numpy as np
import pytest
import torch

from tests.attention_oracle import attention_in_windows
from tests.window_oracle import relative_error
from tlcconvert.lower.forms import ON_A_CPU

TEMPERATURE = torch.tensor([2.0, 0.5]).reshape(2, 1, 1)
WINDOW = (6, 5)
SIZES = [
    (1, 1, 1), (2, 6, 5), (1, 5, 4), (1, 7, 6), (2, 11, 9), (1, 12, 10), (1, 13, 11), (1, 14, 12),
    (1, 18, 15), (1, 19, 16), (1, 20, 14), (1, 25, 31), (1, 3, 40), (1, 40, 2), (3, 13, 17), (1, 37, 26),
]  # fmt: skip


def correlated(*shape):
    """Query, key and value stacked, key correlated with query, so that attention is not flat."""
    q, k, v = (torch.randn(shape) for _ in range(3))
    return torch.cat([q, k + q, v], 1)


def attention(qkv):
    q, k, v = qkv.chunk(3, 1)
    return torch.ops.tlc.window_attention(q, k, v, TEMPERATURE, 2, *WINDOW)


def each_feature(q, kv, lone):
    """Separate maps, halves of one map, more key than query channels; every option away from its default."""
    k, v = kv.chunk(2, 1)
    operator = torch.ops.tlc.window_attention
    image_temperature = lone.mean((1, 2, 3), keepdim=True)
    return (
        operator(q, k, v, TEMPERATURE, 2, 4, 7, eps=3.0, scale=0.5),
        operator(lone, k, v, image_temperature, 1, 4, 7, normalize=False, activation="relu"),
        operator(lone, lone, lone, None, 3, 4, 7, normalize=False, activation="identity"),
    )


@pytest.fixture(scope="module")
def file(in_onnxruntime):
    return in_onnxruntime(attention, channels=(24,))


@pytest.fixture(scope="module")
def each_feature_file(in_onnxruntime):
    return in_onnxruntime(each_feature, channels=(8, 12, 3))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_one_file_equals_the_published_loop_at_any_size(file, size):
    batch, height, width = size
    qkv = correlated(batch, 8, height, width)
    (got,) = file(qkv)
    oracle = attention_in_windows(*qkv.chunk(3, 1), TEMPERATURE.numpy(), 2, WINDOW)
    assert relative_error(got, oracle) <= 2e-6


@pytest.mark.parametrize("size", [(2, 11, 9), (1, 2, 30), (1, 8, 14), (3, 13, 5)], ids=str)
def test_every_option_and_source_of_the_maps_equals_the_published_loop(each_feature_file, size):
    batch, height, width = size
    q, kv, lone = (torch.randn(batch, c, height, width) for c in (8, 12, 3))
    kv[:, :6] += q[:, :6]
    k, v = kv.chunk(2, 1)
    image_temperature = lone.mean((1, 2, 3), keepdim=True).numpy()
    oracles = (
        attention_in_windows(q, k, v, TEMPERATURE.numpy() * 0.5, 2, (4, 7), eps=3.0),
        attention_in_windows(lone, k, v, image_temperature, 1, (4, 7), normalize=False, activation="relu"),
        attention_in_windows(lone, lone, lone, np.ones(()), 3, (4, 7), False, activation="identity"),
    )
    for got, oracle in zip(each_feature_file(q, kv, lone), oracles, strict=True):
        assert relative_error(got, oracle) <= 3e-6


def test_maps_that_are_zero_attend_uniformly(file):
    qkv = correlated(1, 8, 13, 11)
    qkv[:, :16] = 0
    (got,) = file(qkv)
    value = qkv[:, 16:].reshape(1, 2, 4, 13, 11)
    uniform = value.mean(2, keepdim=True).expand_as(value).reshape(1, 8, 13, 11)
    np.testing.assert_allclose(got, uniform.numpy(), atol=1e-6)


def test_equals_the_eager_kernel_on_a_feature_of_practical_size(file):
    qkv = correlated(2, 8, 150, 203)
    np.testing.assert_allclose(file(qkv)[0], attention(qkv).numpy(), atol=3e-6)


@pytest.mark.parametrize("opset", [24])
def test_later_opsets_give_the_same_numbers(file, in_onnxruntime, opset):
    qkv = correlated(2, 8, 13, 11)
    (later,) = in_onnxruntime(attention, channels=(24,), opset=opset)(qkv)
    np.testing.assert_allclose(later, file(qkv)[0], atol=1e-6)


@pytest.mark.parametrize("size", [(1, 13, 11), (1, 1, 1)], ids=str)
def test_static_sizes_are_lowered_too(in_onnxruntime, size):
    batch, height, width = size
    qkv = correlated(batch, 8, height, width)
    (got,) = in_onnxruntime(attention, channels=(24,), dynamic=False, example=size)(qkv)
    np.testing.assert_allclose(got, attention(qkv).numpy(), atol=1e-6)


def test_attentions_over_maps_of_one_size_share_their_cells_and_read_a_split_map_in_place(table):
    class Twice(torch.nn.Module):
        def forward(self, qkv):
            return attention(torch.cat([attention(qkv)] * 3, 1))

    axes = dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC)
    program = torch.export.export(Twice(), (torch.zeros(2, 24, 11, 13),), dynamic_shapes=(axes,))
    exported = torch.onnx.export(program, custom_translation_table=table, verbose=False)
    operators = [node.op_type for node in exported.model.graph]
    assert operators.count("Softmax") == 2
    if table is ON_A_CPU:
        assert operators.count("Unique") == 2  # the cells of each axis
    else:
        assert operators.count("ScatterElements") == 1  # the places of the pixels
    assert operators.count("Split") == 0


@pytest.mark.full
def test_one_file_equals_the_published_loop_at_every_size_up_to_four_windows(file):
    for height in range(1, 4 * WINDOW[0] + 2):
        for width in range(1, 4 * WINDOW[1] + 2):
            qkv = correlated(1, 8, height, width)
            oracle = attention_in_windows(*qkv.chunk(3, 1), TEMPERATURE.numpy(), 2, WINDOW)
            assert relative_error(file(qkv)[0], oracle) <= 2e-6, (height, width)
