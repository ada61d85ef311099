"""Runs a file in onnxruntime on the CPU.

python run_onnxruntime.py [--level none|basic|extended|all] MODEL INPUT.npy OUTPUT.npy [INPUT.npy OUTPUT.npy ...]
"""

import argparse

import numpy as np
import onnxruntime

parser = argparse.ArgumentParser()
parser.add_argument("--level", choices=("none", "basic", "extended", "all"), default="all")
parser.add_argument("model")
parser.add_argument("files", nargs="+")
given = parser.parse_args()

levels = onnxruntime.GraphOptimizationLevel
options = onnxruntime.SessionOptions()
options.graph_optimization_level = {
    "none": levels.ORT_DISABLE_ALL,
    "basic": levels.ORT_ENABLE_BASIC,
    "extended": levels.ORT_ENABLE_EXTENDED,
    "all": levels.ORT_ENABLE_ALL,
}[given.level]
session = onnxruntime.InferenceSession(given.model, options, providers=["CPUExecutionProvider"])
(image,) = session.get_inputs()
for source, made in zip(given.files[::2], given.files[1::2], strict=True):
    # [N, C, H, W], float32, of any batch, height and width.
    np.save(made, session.run(None, {image.name: np.load(source)})[0])
