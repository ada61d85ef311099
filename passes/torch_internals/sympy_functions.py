"""The functions and numbers that PyTorch adds to sympy for sizes, and the ranges of symbols.

A size in a captured graph is a sympy expression whose quotients are PyTorch's own functions: sympy's ``floor(a / b)``
has other rules. Who reads such an expression has to know them.

Stands on torch 2.14.1, ``torch/utils/_sympy``: ``functions.py``, ``interp.py``, ``numbers.py``, ``reference.py`` and
``value_ranges.py``.
"""

from __future__ import annotations

from torch.utils._sympy.functions import FloatTrueDiv, FloorDiv, IntTrueDiv, ToFloat
from torch.utils._sympy.interp import sympy_interp
from torch.utils._sympy.numbers import int_oo
from torch.utils._sympy.reference import PythonReferenceAnalysis
from torch.utils._sympy.value_ranges import ValueRanges

__all__ = [
    "FloatTrueDiv",
    "FloorDiv",
    "IntTrueDiv",
    "PythonReferenceAnalysis",
    "ToFloat",
    "ValueRanges",
    "int_oo",
    "sympy_interp",
]
