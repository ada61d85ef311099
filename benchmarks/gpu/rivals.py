"""What is timed: the global network and the converted one, as they run in PyTorch and in onnxruntime."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.gpu.program_file import read_program

GLOBAL, EXACT, FAST = "global", "exact", "fast"
KINDS = (GLOBAL, EXACT, FAST)
EAGER, COMPILED, ORT, TENSORRT = "PyTorch, eager", "torch.compile", "onnxruntime", "TensorRT in onnxruntime"
WAYS = (EAGER, COMPILED, ORT, TENSORRT)
FLOAT32, FLOAT16 = "float32", "float16"
DTYPES = (FLOAT32, FLOAT16)
FACTS = "network.json"
"""Beside the files of a network: its name and channels."""

Run = Callable[[], object]


@dataclass(frozen=True)
class Place:
    """Where rivals run.

    Attributes:
        device: PyTorch's name for it, ``"cuda"`` or ``"cpu"``.
        folder: of one network, with ``<kind>.program``, ``<kind>.file.onnx`` and ``<kind>.for_tensorrt.onnx``.
    """

    device: str
    folder: Path

    def ways(self) -> list[str]:
        """Those of ``WAYS`` that are installed for the device."""
        providers = _providers()
        found = [EAGER, COMPILED]
        if _PROVIDER[self.device] in providers:
            found.append(ORT)
        if self.device == "cuda" and _TENSORRT in providers:
            found.append(TENSORRT)
        return found

    def wait(self) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()

    def rival(self, way: str, kind: str, image: Tensor, dtype: str) -> Run | None:
        """A run on ``image`` that ends when its result is there; None where a way does not have the dtype."""
        if way in (EAGER, COMPILED):
            return self._in_pytorch(way, kind, image, dtype)
        if way == ORT and dtype == FLOAT16:
            return None
        return self._in_onnxruntime(way, kind, image, dtype)

    def _in_pytorch(self, way: str, kind: str, image: Tensor, dtype: str) -> Run:
        network: Any = read_program(self.folder / f"{kind}.program", self.device)
        if way == COMPILED:
            network = torch.compile(network, dynamic=False)
        half = torch.autocast(self.device, torch.float16) if dtype == FLOAT16 else contextlib.nullcontext()

        def run() -> object:
            with torch.inference_mode(), half:
                result = network(image)
            self.wait()
            return result

        return run

    def _in_onnxruntime(self, way: str, kind: str, image: Tensor, dtype: str) -> Run:
        import onnxruntime

        options: dict[str, Any] = {"trt_fp16_enable": dtype == FLOAT16} if way == TENSORRT else {}
        provider = _TENSORRT if way == TENSORRT else _PROVIDER[self.device]
        rest = [_PROVIDER[self.device]] if way == TENSORRT else []
        file = "for_tensorrt" if way == TENSORRT and kind != GLOBAL else "file"
        session = onnxruntime.InferenceSession(
            self.folder / f"{kind}.{file}.onnx", providers=[(provider, options), *rest]
        )
        binding = session.io_binding()
        image = image.contiguous()
        (given,) = session.get_inputs()
        binding.bind_input(given.name, self.device, 0, np.float32, tuple(image.shape), image.data_ptr())
        for output in session.get_outputs():
            binding.bind_output(output.name, self.device)

        def run() -> object:
            session.run_with_iobinding(binding)
            binding.synchronize_outputs()
            return image, binding

        return run


_TENSORRT = "TensorrtExecutionProvider"
_PROVIDER = {"cuda": "CUDAExecutionProvider", "cpu": "CPUExecutionProvider"}


def _providers() -> list[str]:
    try:
        import onnxruntime
    except ImportError:
        return []
    providers: list[str] = onnxruntime.get_available_providers()
    return providers
