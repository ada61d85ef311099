"""Stores a file in float16 with onnxconverter-common; images stay float32.

python halved_by_onnxconverter.py MODEL OUTPUT
"""

import sys

import onnx
from onnxconverter_common.float16 import convert_float_to_float16

model, output = sys.argv[1:]
onnx.save(convert_float_to_float16(onnx.load(model), keep_io_types=True), output)
