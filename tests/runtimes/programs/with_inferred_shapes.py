"""Writes shapes into a file with onnxruntime's symbolic_shape_infer.

python with_inferred_shapes.py MODEL OUTPUT
"""

import sys

import onnx
from onnxruntime.tools.symbolic_shape_infer import SymbolicShapeInference

model, output = sys.argv[1:]
onnx.save(SymbolicShapeInference.infer_shapes(onnx.load(model), auto_merge=True), output)
