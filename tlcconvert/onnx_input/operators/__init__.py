"""One function an operator, in files by family; its docstring has what ONNX says of it.

Importing this package fills :data:`OPERATORS`.
"""

from tlcconvert.onnx_input.operators import (  # noqa: F401, each registers its operators
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

__all__ = ["OPERATORS", "refusal_of"]
