"""Stores a file in float16 with onnxruntime.transformers.float16; images stay float32.

python halved_by_transformers.py MODEL OUTPUT
"""

import sys

import onnx
from onnxruntime.transformers.float16 import convert_float_to_float16

model, output = sys.argv[1:]
onnx.save(convert_float_to_float16(onnx.load(model), keep_io_types=True), output)
