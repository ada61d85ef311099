"""Rewrites a file with onnxruntime's transformers optimiser.

python optimized_by_transformers.py MODEL OUTPUT
"""

import sys

from onnxruntime.transformers.optimizer import optimize_model

model, output = sys.argv[1:]
optimize_model(model).save_model_to_file(output)
