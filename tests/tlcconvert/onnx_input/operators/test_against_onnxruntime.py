"""Operators with many attributes against onnxruntime, at attributes and sizes drawn at random."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from tlcconvert.errors import InputError
from tlcconvert.onnx_input.network.onnx_network import OnnxNetwork

extents = st.integers(1, 9)
images = st.tuples(st.integers(1, 2), st.just(2), extents, extents)
rounds = settings(deadline=None, max_examples=60, derandomize=True)


def check(kind: str, image: tuple[int, ...], weights: dict[str, np.ndarray], **attributes: Any) -> None:
    """That the network computes of one node what onnxruntime does, or refuses what that refuses."""
    x = np.random.default_rng(0).standard_normal(image).astype(np.float32)
    node = helper.make_node(kind, ["x", *weights], ["y"], "node", **attributes)
    for place, name in enumerate(weights):
        node.input[1 + place] = "" if name.startswith("none") else name
    tensors = [
        numpy_helper.from_array(own, name) for name, own in weights.items() if not name.startswith("none")
    ]
    made = helper.make_graph(
        [node],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, image)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        tensors,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    try:
        (expected,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    except Exception:
        assume(False)
    assume(expected.size)
    # onnxruntime copies an image that keeps its size, whatever the scales are.
    assume(kind != "Resize" or expected.shape != image)
    try:
        with torch.no_grad():
            own = OnnxNetwork(made, {"": 18})(torch.from_numpy(x))
    except InputError:
        assume(False)
    assert tuple(own.shape) == expected.shape
    np.testing.assert_allclose(own.numpy(), expected, atol=2e-5, rtol=1e-4)


def resampled(mode: str, coordinates: str, nearest: str) -> dict[str, Any]:
    rounding = {"nearest_mode": nearest} if mode == "nearest" else {}
    return {"mode": mode, "coordinate_transformation_mode": coordinates, **rounding}


resamplings = st.builds(
    resampled,
    mode=st.sampled_from(["nearest", "linear", "cubic"]),
    coordinates=st.sampled_from(["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"]),
    nearest=st.sampled_from(["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]),
)


@rounds
@given(
    image=images,
    resampling=resamplings,
    size=st.tuples(st.integers(1, 14), st.integers(1, 14)),
)
def test_resize_to_a_size(image: tuple[int, ...], resampling: dict[str, Any], size: tuple[int, int]) -> None:
    wanted = {"none_roi": np.empty(0), "none_scales": np.empty(0), "sizes": np.array([*image[:2], *size])}
    check(
        "Resize",
        image,
        wanted,
        **resampling,
    )


@rounds
@given(
    image=images,
    resampling=resamplings,
    scales=st.tuples(st.sampled_from([0.5, 1, 1.5, 2, 3]), st.sampled_from([0.5, 1, 1.25, 2, 4])),
)
def test_resize_by_scales(
    image: tuple[int, ...], resampling: dict[str, Any], scales: tuple[float, float]
) -> None:
    factors = np.array([1, 1, *scales], dtype=np.float32)
    check(
        "Resize",
        image,
        {"none_roi": np.empty(0), "scales": factors},
        **resampling,
    )


windows = st.tuples(st.integers(1, 4), st.integers(1, 4))
steps = st.tuples(st.integers(1, 3), st.integers(1, 3))
borders = st.tuples(*[st.integers(0, 3)] * 4)
automatic = st.sampled_from(["NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"])


def bordered(auto: str, pads: tuple[int, ...]) -> dict[str, Any]:
    return {"pads": pads} if auto == "NOTSET" else {"auto_pad": auto}


@rounds
@given(image=images, kernel=windows, strides=steps, dilations=steps, pads=borders, auto=automatic)
def test_convolution(
    image: tuple[int, ...],
    kernel: tuple[int, int],
    strides: tuple[int, int],
    dilations: tuple[int, int],
    pads: tuple[int, ...],
    auto: str,
) -> None:
    weight = np.random.default_rng(1).standard_normal((4, 1, *kernel)).astype(np.float32)
    check("Conv", image, {"w": weight}, group=2, strides=strides, dilations=dilations, **bordered(auto, pads))


@rounds
@given(
    image=images,
    kernel=windows,
    strides=steps,
    pads=borders,
    extra=st.tuples(st.integers(0, 2), st.integers(0, 2)),
)
def test_transposed_convolution(
    image: tuple[int, ...],
    kernel: tuple[int, int],
    strides: tuple[int, int],
    pads: tuple[int, ...],
    extra: tuple[int, int],
) -> None:
    weight = np.random.default_rng(1).standard_normal((2, 3, *kernel)).astype(np.float32)
    bias = np.arange(3, dtype=np.float32)
    output_padding = [min(own, step - 1) for own, step in zip(extra, strides, strict=True)]
    check(
        "ConvTranspose",
        image,
        {"w": weight, "b": bias},
        strides=strides,
        pads=pads,
        output_padding=output_padding,
    )


@rounds
@given(
    image=images,
    kernel=windows,
    strides=steps,
    pads=borders,
    auto=automatic,
    kind=st.sampled_from(["MaxPool", "AveragePool"]),
    counts=st.integers(0, 1),
)
def test_pools(
    image: tuple[int, ...],
    kernel: tuple[int, int],
    strides: tuple[int, int],
    pads: tuple[int, ...],
    auto: str,
    kind: str,
    counts: int,
) -> None:
    assume(all(pad < side for pad, side in zip(pads, [*kernel, *kernel], strict=True)))
    assume(all(side >= own for side, own in zip(image[2:], kernel, strict=True)))
    own = {"count_include_pad": counts} if kind == "AveragePool" else {}
    check(kind, image, {}, kernel_shape=kernel, strides=strides, **bordered(auto, pads), **own)


@rounds
@given(
    image=images,
    pads=st.tuples(*[st.integers(-2, 4)] * 8),
    mode=st.sampled_from(["constant", "reflect", "edge"]),
)
def test_pads(image: tuple[int, ...], pads: tuple[int, ...], mode: str) -> None:
    extent_left = [side + pads[axis] + pads[4 + axis] for axis, side in enumerate(image)]
    assume(
        min(extent_left) > 0 and all(pad > -side for pad, side in zip(pads, [*image, *image], strict=True))
    )
    assume(mode == "constant" or all(pad < side for pad, side in zip(pads, [*image, *image], strict=True)))
    assume(mode == "constant" or min(pads) >= 0)
    check("Pad", image, {"pads": np.array(pads)}, mode=mode)
