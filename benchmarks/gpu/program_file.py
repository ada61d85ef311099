"""A program as Python source and weights, which any version of PyTorch runs that has its operators.

An exported program is read by the version that wrote it and by later ones; the machine with the GPU may have an
earlier one.
"""

from __future__ import annotations

import operator
import re
from pathlib import Path
from typing import Any

import torch
from torch import fx, nn

_NAMES = ("inf", "nan", "device", "torch", "operator")


def write_program(module: fx.GraphModule, path: Path) -> None:
    """Stores ``module``, a graph of ATen's operators over its buffers.

    Raises:
        ValueError: its source reads a name that PyTorch does not define everywhere.
    """
    written = module.graph.python_code("self")
    foreign = [
        name
        for name in written.globals
        if name not in _NAMES and re.search(rf"\b{re.escape(name)}\b", written.src)
    ]
    if foreign:
        raise ValueError(f"The program reads {', '.join(foreign)}.")
    torch.save({"source": written.src, "weights": dict(module.named_buffers())}, path)


def read_program(path: Path, device: str) -> nn.Module:
    """The network in ``path`` on ``device``: images [N, C, H, W] float32 on it -> what the program returns."""
    stored = torch.load(path, weights_only=True)
    names: dict[str, Any] = {
        "inf": float("inf"),
        "nan": float("nan"),
        "torch": torch,
        "operator": operator,
        # Positions and counts are made where the images are, not where the program was written.
        "device": lambda *_, **__: torch.device(device),
    }
    exec(compile(stored["source"], str(path), "exec"), names)
    network = type("Program", (nn.Module,), {"forward": names["forward"]})()
    for name, tensor in stored["weights"].items():
        network.register_buffer(name, tensor)
    on_device: nn.Module = network.to(device).eval()
    return on_device
