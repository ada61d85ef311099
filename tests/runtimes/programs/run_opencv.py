"""Runs a file in OpenCV's DNN module.

python run_opencv.py MODEL INPUT.npy OUTPUT.npy [INPUT.npy OUTPUT.npy ...]
"""

import sys

import cv2
import numpy as np

model, *files = sys.argv[1:]
for source, made in zip(files[::2], files[1::2], strict=True):
    # Read again for each image: OpenCV plans its memory for the size of the first.
    network = cv2.dnn.readNetFromONNX(model)
    network.setInput(np.load(source))  # [N, C, H, W], float32
    np.save(made, network.forward())
