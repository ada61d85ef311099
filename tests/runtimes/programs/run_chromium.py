"""Runs a file in onnxruntime-web in a headless Chromium, by what the page in samples/web computes with.

python run_chromium.py [--provider wasm|webgpu] [--build BUILD] MODEL INPUT.npy OUTPUT.npy [INPUT.npy OUTPUT.npy ...]

BUILD is a module of onnxruntime-web, such as ort.min.mjs. WebGPU has a software adapter.
"""

import argparse
import base64
from pathlib import Path

import numpy as np
from chromium import Page
from web_server import served

parser = argparse.ArgumentParser()
parser.add_argument("--provider", choices=("wasm", "webgpu"), default="wasm")
parser.add_argument("--build")
parser.add_argument("model", type=Path)
parser.add_argument("files", nargs="+")
given = parser.parse_args()

SESSION = """(async () => {
  const { opened, restored } = await import("/restoring.mjs");
  const file = await fetch("/model.onnx");
  globalThis.network = await opened(await file.arrayBuffer(), ...GIVEN);
  globalThis.restored = restored;
})()"""
RESTORED = """(async () => {
  const bytes = Uint8Array.from(atob(DATA), (character) => character.charCodeAt(0));
  const { data, shape } = await restored(network, new Float32Array(bytes.buffer), SHAPE);
  let text = "";
  for (const byte of new Uint8Array(data.buffer, data.byteOffset, data.byteLength)) text += String.fromCharCode(byte);
  return [btoa(text), shape];
})()"""

with served({"/model.onnx": given.model}) as address, Page(given.provider == "webgpu") as page:
    page.open(address)
    choices = [given.provider, *([f"./ort/{given.build}"] if given.build else [])]
    page.evaluate(SESSION.replace("GIVEN", str(choices)))
    for source, made in zip(given.files[::2], given.files[1::2], strict=True):
        image = np.load(source)
        data = base64.b64encode(image.astype("<f4").tobytes()).decode()
        text, shape = page.evaluate(
            RESTORED.replace("DATA", repr(data)).replace("SHAPE", str([*image.shape]))
        )
        np.save(made, np.frombuffer(base64.b64decode(text), "<f4").reshape(shape))
