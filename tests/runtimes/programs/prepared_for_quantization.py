"""Prepares a file for onnxruntime's quantisation with quant_pre_process.

python prepared_for_quantization.py MODEL OUTPUT
"""

import sys

from onnxruntime.quantization.shape_inference import quant_pre_process

model, output = sys.argv[1:]
# Without auto_merge it gives up where two lengths are equal by arithmetic only.
quant_pre_process(model, output, auto_merge=True)
