"""Runs a file in VapourSynth with vs-mlrt, on a frame in RGB of float32.

python run_vapoursynth.py [--plugin ort|ov] [--fp16] MODEL INPUT.npy OUTPUT.npy [INPUT.npy OUTPUT.npy ...]

In a script of VapourSynth the one line that counts is core.ort.Model(clip, network_path="model.onnx").
"""

import argparse

import numpy as np
import vapoursynth

parser = argparse.ArgumentParser()
parser.add_argument("--plugin", choices=("ort", "ov"), default="ort")
parser.add_argument("--fp16", action="store_true")
parser.add_argument("model")
parser.add_argument("files", nargs="+")
given = parser.parse_args()
core = vapoursynth.core


def clip_of(image: np.ndarray) -> vapoursynth.VideoNode:
    """One frame of planes ``[3, H, W]``."""
    _, height, width = image.shape
    clip = core.std.BlankClip(width=width, height=height, format=vapoursynth.RGBS, length=1)

    def filled(n: int, f: vapoursynth.VideoFrame) -> vapoursynth.VideoFrame:
        frame = f.copy()
        for plane in range(3):
            np.asarray(frame[plane])[:] = image[plane]
        return frame

    return clip.std.ModifyFrame(clips=clip, selector=filled)


for source, made in zip(given.files[::2], given.files[1::2], strict=True):
    clip = clip_of(np.load(source)[0])  # of [1, 3, H, W], float32
    model = getattr(core, given.plugin).Model
    restored = model([clip], network_path=given.model, fp16=given.fp16)
    frame = restored.get_frame(0)
    np.save(made, np.stack([np.array(frame[plane]) for plane in range(3)])[None])
