"""The functions of PyTorch that networks call, by what they do to the axes of a tensor."""

from __future__ import annotations

POINTWISE = {
    "add", "sub", "rsub", "mul", "div", "true_divide", "multiply", "subtract", "divide", "pow", "neg",
    "negative", "abs", "absolute", "sqrt", "rsqrt", "square", "reciprocal", "exp", "log", "log2", "log1p",
    "expm1", "sin", "cos", "tanh", "sigmoid", "erf", "relu", "relu6", "leaky_relu", "prelu", "elu", "gelu",
    "silu", "selu", "celu", "mish", "hardswish", "hardsigmoid", "hardtanh", "softplus", "softsign",
    "softshrink", "hardshrink", "tanhshrink", "logsigmoid", "clamp", "clip", "clamp_min", "clamp_max",
    "maximum", "minimum", "where", "lerp", "addcmul", "addcdiv", "dropout", "dropout2d", "alpha_dropout",
    "feature_dropout", "floor", "ceil", "round", "trunc", "frac", "sign", "fmod", "remainder", "clone",
    "contiguous", "detach", "float", "double", "to", "type", "type_as", "nan_to_num", "threshold", "eq",
    "gt", "lt", "ge", "le", "ne", "bernoulli", "masked_fill", "atan2", "batch_norm", "logical_and",
    "logical_or", "logical_not", "__and__", "__or__", "rrelu", "alias", "requires_grad_", "cpu", "positive", "data",
    "real", "imag", "complex", "polar", "angle", "conj",
}  # fmt: skip
"""Element by element, by broadcasting."""
SAME_PLACE = {
    "conv2d", "conv_transpose2d", "max_pool2d", "avg_pool2d", "interpolate", "upsample", "pixel_shuffle",
    "pixel_unshuffle", "pad", "lp_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d",
    "local_response_norm", "chunk", "split", "narrow", "layer_norm", "group_norm", "instance_norm",
    "softmax", "log_softmax", "normalize", "channel_shuffle", "tensor_split", "split_with_sizes", "glu",
    "linear", "conv1d", "cumsum", "boolean_dispatch", "max_pool2d_with_indices", "softmin",
}  # fmt: skip
"""Every axis stays where it is; an axis of pixels may change its extent."""
IMAGE_ONLY = {
    "conv2d", "conv_transpose2d", "max_pool2d", "avg_pool2d", "interpolate", "upsample", "pixel_shuffle",
    "pixel_unshuffle", "boolean_dispatch", "max_pool2d_with_indices", "adaptive_avg_pool2d",
    "adaptive_max_pool2d",
}  # fmt: skip
"""Of those, what works on the last two axes and has to find pixels there."""
VIEWS = {
    "view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "view_as", "reshape_as", "ravel",
    "_unsafe_view",
}  # fmt: skip
"""Elements keep their order."""
MOVES = {
    "permute", "transpose", "swapaxes", "swapdims", "movedim", "moveaxis", "t", "mT", "T",
}  # fmt: skip
"""Axes change places."""
SPREADS = {
    "expand", "expand_as", "repeat", "interpolate", "upsample", "broadcast_to", "tile",
}  # fmt: skip
"""What can copy one element over a map."""
FACTS = {
    "dim", "ndimension", "size", "numel", "nelement", "is_contiguous", "element_size", "is_floating_point",
    "stride", "is_complex", "__len__", "get_device", "storage_offset", "__hash__", "data_ptr", "is_cuda",
    "__format__", "__repr__", "is_tensor", "is_inference", "_is_view", "is_same_size", "is_nested",
}  # fmt: skip
"""What is asked of a tensor and is no tensor."""
CONSTANTS = {
    "zeros_like", "ones_like", "empty_like", "full_like", "new_zeros", "new_ones", "new_full", "new_empty",
    "new_tensor",
}  # fmt: skip
"""A tensor of the size of another and without anything of its elements."""
PRODUCTS = {
    "matmul", "bmm", "__matmul__", "__rmatmul__",
}  # fmt: skip
"""Products of matrices."""
TRANSFORMS = {
    f"fft_{inverse}{real}fft{axes}" for inverse in ("", "i") for real in ("", "r") for axes in ("", "2", "n")
}
"""Between pixels and frequencies."""
ARITHMETIC = {
    name: operation
    for operation, names in {
        "add": "add __add__ __radd__ __iadd__",
        "sub": "sub subtract __sub__ __isub__",
        "mul": "mul multiply __mul__ __rmul__ __imul__",
        "div": "div divide true_divide __truediv__ __itruediv__",
        "square": "square",
        "neg": "neg",
    }.items()
    for name in names.split()
}
"""What keeps sums and products of pixels and values of their windows such."""


def plain_name(name: str) -> str:
    """``mul`` for ``mul_``, ``__imul__`` and ``__rmul__``."""
    if name.startswith("__") and name.endswith("__"):
        inner = name.strip("_")
        known = {"truediv": "div", "matmul": "matmul", "pow": "pow", "neg": "neg", "abs": "abs"}
        for start in ("", "r", "i"):
            if inner.startswith(start) and inner[len(start) :] in (*POINTWISE, *known):
                return known.get(inner[len(start) :], inner[len(start) :])
        return name
    return name.rstrip("_") if name.endswith("_") and not name.startswith("_") else name
