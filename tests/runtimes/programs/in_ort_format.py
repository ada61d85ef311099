"""Writes a file in onnxruntime's own format, optimised.

python in_ort_format.py MODEL OUTPUT
"""

import sys

import onnxruntime

model, output = sys.argv[1:]
options = onnxruntime.SessionOptions()
options.optimized_model_filepath = output
options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
options.add_session_config_entry("session.save_model_format", "ORT")
onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
