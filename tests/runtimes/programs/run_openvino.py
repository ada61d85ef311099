"""Runs a file in OpenVINO on the CPU.

python run_openvino.py [--precision f32|bf16|f16] [--reshaped] MODEL INPUT.npy OUTPUT.npy [INPUT.npy OUTPUT.npy ...]

Prints the precision that OpenVINO computes in, which is its own choice where none is given.
"""

import argparse

import numpy as np
import openvino

parser = argparse.ArgumentParser()
parser.add_argument("--precision", choices=("f32", "bf16", "f16"))
parser.add_argument(
    "--reshaped", action="store_true", help="compile for the size of the image, anew for each"
)
parser.add_argument("model")
parser.add_argument("files", nargs="+")
given = parser.parse_args()

core = openvino.Core()
config = {"INFERENCE_PRECISION_HINT": given.precision} if given.precision else {}
compiled = None if given.reshaped else core.compile_model(given.model, "CPU", config)
for source, made in zip(given.files[::2], given.files[1::2], strict=True):
    image = np.load(source)  # [N, C, H, W], float32
    if given.reshaped:
        model = core.read_model(given.model)
        model.reshape(image.shape)
        compiled = core.compile_model(model, "CPU", config)
    np.save(made, compiled([image])[0])
print(compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name())
