import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spandrel.architectures.RetinexFormer.__arch.retinexformer_arch import IG_MSA

from passes.statistics.attention.operator import window_attention, window_starts
from tests.attention_oracle import attention_in_windows, published_starts
from tests.window_oracle import relative_error


def maps(batch, heads, c_q, c_k, height, width):
    """Query, key and value; key correlated with query, so that attention is not flat."""
    q, k, v = (torch.randn(batch, heads * c, height, width) for c in (c_q, c_k, c_k))
    shared = min(heads * c_q, heads * c_k)
    k[:, :shared] += q[:, :shared]
    return q, k, v


def sizes(window):
    """Around one, two and three windows, and smaller than one."""
    around = [multiple * window + d for multiple in (1, 2, 3) for d in (-1, 0, 1, 2)]
    return st.one_of(st.sampled_from(around), st.integers(1, 3 * window + 3)).filter(lambda size: size > 0)


@settings(max_examples=40, deadline=None)
@given(
    data=st.data(),
    batch=st.integers(1, 2),
    heads=st.sampled_from([1, 2, 4]),
    window=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    normalize=st.booleans(),
    activation=st.sampled_from(["softmax", "relu", "identity"]),
)
def test_equals_the_published_loop_over_windows(data, batch, heads, window, normalize, activation):
    height, width = data.draw(sizes(window[0])), data.draw(sizes(window[1]))
    q, k, v = maps(batch, heads, 2, 3, height, width)
    temperature = torch.rand(heads, 1, 1) * 3 + 0.5
    got = window_attention(q, k, v, temperature, heads, *window, normalize=normalize, activation=activation)
    oracle = attention_in_windows(
        q, k, v, temperature.numpy(), heads, window, normalize, activation=activation
    )
    assert relative_error(got, oracle) <= 2e-6


@pytest.mark.parametrize("window", [1, 2, 3, 7, 24, 48])
def test_window_starts_are_the_published_ones_and_cover_each_pixel_once_or_twice(window):
    for length in range(1, 5 * window + 3):
        starts = window_starts(length, window)
        assert starts == published_starts(length, window)
        covered = np.zeros(length, dtype=int)
        for start in starts:
            covered[start : start + window] += 1
        assert set(covered) <= {1, 2}


def test_a_window_that_holds_the_map_is_global_attention():
    q, k, v = maps(2, 2, 4, 4, 5, 7)
    temperature = torch.tensor([2.0, 0.5]).reshape(2, 1, 1)
    a, b, c = (x.reshape(2, 2, 4, 35) for x in (q, k, v))
    scores = torch.nn.functional.normalize(a, dim=-1) @ torch.nn.functional.normalize(b, dim=-1).mT
    expected = ((scores * temperature).softmax(-1) @ c).reshape(2, 8, 5, 7)
    for window in ((5, 7), (5, 70), (384, 384)):
        torch.testing.assert_close(window_attention(q, k, v, temperature, 2, *window), expected)


def test_illumination_guided_attention_is_the_operator_with_query_and_key_exchanged():
    """RetinexFormer's IG-MSA attends from keys to queries, channels last, to values lit by a second map."""
    layer = IG_MSA(dim=6, dim_head=3, heads=2).eval()
    torch.nn.init.uniform_(layer.rescale, 0.5, 3)
    x, light = torch.randn(2, 4, 5, 6), torch.randn(2, 4, 5, 6)
    query, key, value = (to(x).permute(0, 3, 1, 2) for to in (layer.to_q, layer.to_k, layer.to_v))
    lit = value * light.permute(0, 3, 1, 2)
    attended = window_attention(key, query, lit, layer.rescale, 2, 4, 5)
    got = layer.proj(attended.permute(0, 2, 3, 1)) + layer.pos_emb(value).permute(0, 2, 3, 1)
    torch.testing.assert_close(got, layer(x, light))


@pytest.mark.parametrize(
    "shape", [(), (1,), (2, 1, 1), (1, 1, 1), (1, 2, 1, 1), (3, 2, 1, 1), (3, 4), (2, 3, 4)], ids=str
)
def test_temperature_is_any_tensor_that_broadcasts_over_images_heads_and_the_two_channel_axes(shape):
    q, k, v = maps(3, 2, 3, 4, 6, 7)
    temperature = torch.rand(shape) * 2 + 0.5
    got = window_attention(q, k, v, temperature, 2, 4, 3, scale=0.25)
    oracle = attention_in_windows(q, k, v, temperature.numpy() * 0.25, 2, (4, 3))
    assert relative_error(got, oracle) <= 1e-6


def test_no_temperature_is_one():
    q, k, v = maps(1, 2, 3, 3, 6, 7)
    torch.testing.assert_close(
        window_attention(q, k, v, None, 2, 4, 3), window_attention(q, k, v, torch.ones(()), 2, 4, 3)
    )


def test_channels_shorter_than_eps_are_divided_by_eps():
    q, k, v = maps(1, 1, 3, 3, 6, 8)
    q[:, 0] = 0
    q[:, 1] *= 1e-3
    k[..., :4] = 0
    got = window_attention(q, k, v, None, 1, 6, 4, eps=1e-1)
    oracle = attention_in_windows(q, k, v, np.ones(()), 1, (6, 4), eps=1e-1)
    assert relative_error(got, oracle) <= 1e-6
    uniform = v[..., :4].mean(1, keepdim=True).expand(1, 3, 6, 4)
    torch.testing.assert_close(got[..., :4], uniform)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_within_two_units_in_the_last_place(dtype):
    q, k, v = maps(1, 2, 4, 4, 50, 70)
    q, k, v = ((x * 40).to(dtype) for x in (q, k, v.abs()))  # values of one sign: no cancellation
    temperature = torch.tensor([2.0, 0.5]).reshape(2, 1, 1)
    got = window_attention(q, k, v, temperature.to(dtype), 2, 32, 48)
    assert got.dtype == dtype
    oracle = attention_in_windows(q, k, v, temperature.numpy(), 2, (32, 48))
    assert (np.abs(got.double().numpy() - oracle) <= 2 * torch.finfo(dtype).eps * oracle).all()


def test_half_precision_sums_do_not_overflow_on_large_windows():
    q, k, v = (torch.full((1, 2, 600, 700), 100.0, dtype=torch.float16) for _ in range(3))
    assert (window_attention(q, k, v, None, 1, 512, 512) == 100).all()


def test_channels_last_maps_give_the_same():
    contiguous = maps(2, 2, 4, 4, 6, 7)
    strided = [x.to(memory_format=torch.channels_last) for x in contiguous]
    torch.testing.assert_close(
        window_attention(*strided, None, 2, 4, 3), window_attention(*contiguous, None, 2, 4, 3)
    )


def test_is_a_well_formed_operator_whose_fake_kernel_gives_the_shape():
    q, k, v = maps(2, 2, 3, 4, 6, 7)
    torch.library.opcheck(
        window_attention,
        (q, k, v, torch.ones(2, 1, 1), 2, 4, 3),
        test_utils=("test_schema", "test_faketensor", "test_aot_dispatch_dynamic"),
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"activation": "gelu"}, "activation is 'gelu'"),
        ({"window_height": 0}, "0x3 pixels"),
        ({"heads": 3}, "do not divide into 3 heads"),
        ({"heads": 0}, "do not divide into 0 heads"),
        ({"value": torch.zeros(2, 4, 6, 7)}, "do not fit together"),
        ({"key": torch.zeros(2, 8, 5, 7), "value": torch.zeros(2, 8, 5, 7)}, "do not fit together"),
        ({"query": torch.zeros(2, 2, 4, 42)[0]}, "not all"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(change, reason):
    q, k, v = maps(2, 2, 4, 4, 6, 7)
    fitting = {
        "query": q,
        "key": k,
        "value": v,
        "temperature": None,
        "heads": 2,
        "window_height": 4,
        "window_width": 3,
    }
    window_attention(**fitting)
    with pytest.raises(ValueError, match=reason):
        window_attention(**(fitting | change))
