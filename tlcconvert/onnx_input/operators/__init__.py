"""One function an operator, in files by family; its docstring has what ONNX says of it.

Importing this package fills :data:`OPERATORS`.
"""

from tlcconvert.onnx_input.operators import (
    arrangement,
    attention,
    channels,
    convolution,
    creation,
    indexing,
    normalization,
    pointwise,
    pooling,
    products,
    reductions,
    resize,
    sampling,
    types,
)
from tlcconvert.onnx_input.operators.registry import OPERATORS, refusal_of

FAMILIES = (
    arrangement,
    attention,
    channels,
    convolution,
    creation,
    indexing,
    normalization,
    pointwise,
    pooling,
    products,
    reductions,
    resize,
    sampling,
    types,
)

__all__ = ["FAMILIES", "OPERATORS", "refusal_of"]
