"""Time of local means and norms on a grid against exact ones and the published subsampling.

    python -m benchmarks.fast_statistics

ONNX Runtime, one thread. All variants of a row run in turn, again and again; the fastest run of each counts, in
units of the time to add a number to the map. ``subsampled`` is written for the one size it runs at, the others
are files for any size. A block is a mean, a squeeze path C -> C/4 -> C and a multiplication with the map.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import onnxruntime
import torch
from torch import nn

import passes.statistics  # noqa: F401  registers torch.ops.tlc
from tests.subsampled_mean import strides, subsampled_mean
from tlcconvert.lower.forms import ON_A_CPU

tlc = torch.ops.tlc

RATIO = 12
ROUNDS = 7
MAPS = [
    # channels, height, width, window, downscale
    (32, 720, 1280, 384, 1),
    (64, 360, 640, 192, 2),
    (64, 360, 640, 187, 2),
    (128, 180, 320, 96, 4),
    (256, 90, 160, 48, 8),
    (512, 45, 80, 24, 16),
    (8, 2160, 3840, 384, 1),
]

Operation = Callable[[torch.Tensor], torch.Tensor]


class Network(nn.Module):
    def __init__(self, operation: Operation) -> None:
        super().__init__()
        self.operation = operation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.operation(x)


def session(operation: Operation, x: torch.Tensor, is_dynamic: bool = True) -> onnxruntime.InferenceSession:
    axes = ({0: torch.export.Dim.DYNAMIC, 2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC},)
    example = x.expand(2, -1, -1, -1) if is_dynamic else x
    program = torch.export.export(
        Network(operation).eval(), (example,), dynamic_shapes=axes if is_dynamic else None
    )
    exported = torch.onnx.export(
        program.run_decompositions({}),
        dynamo=True,
        input_names=["x"],
        opset_version=18,
        custom_translation_table=ON_A_CPU,
        verbose=False,
    )
    assert exported is not None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        exported.model_proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def exact_mean(x: torch.Tensor, window: int) -> torch.Tensor:
    return tlc.replicate(tlc.local_mean(x, window, window), x.shape[2], x.shape[3])


def grid_mean(x: torch.Tensor, window: int) -> torch.Tensor:
    grid = tlc.grid_mean(x, window, window, RATIO)
    return tlc.grid_spread(grid, x.shape[2], x.shape[3], window, window, RATIO)


def squeeze_path(channels: int) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(channels, channels // 4, 1), nn.ReLU(), nn.Conv2d(channels // 4, channels, 1), nn.Sigmoid()
    ).requires_grad_(False)


def operations(
    channels: int, window: int, row_stride: int, column_stride: int
) -> dict[str, dict[str, Operation]]:
    """For each statistic, how each variant computes it."""
    path = squeeze_path(channels)

    def exact_block(x: torch.Tensor) -> torch.Tensor:
        return x * tlc.replicate(path(tlc.local_mean(x, window, window)), x.shape[2], x.shape[3])

    def grid_block(x: torch.Tensor) -> torch.Tensor:
        scales = path(tlc.grid_mean(x, window, window, RATIO))
        return x * tlc.grid_spread(scales, x.shape[2], x.shape[3], window, window, RATIO)

    def subsampled(x: torch.Tensor) -> torch.Tensor:
        return subsampled_mean(x, window, window, row_stride, column_stride)

    return {
        "mean": {
            "exact": lambda x: exact_mean(x, window),
            "grid": lambda x: grid_mean(x, window),
            "subsampled": subsampled,
        },
        "block": {"exact": exact_block, "grid": grid_block, "subsampled": lambda x: x * path(subsampled(x))},
        "norm": {
            "exact": lambda x: tlc.local_normalize(x, window, window, channels, 1e-5),
            "grid": lambda x: tlc.grid_normalize(x, window, window, channels, 1e-5, RATIO),
        },
    }


def fastest(sessions: dict[str, onnxruntime.InferenceSession], x: np.ndarray) -> dict[str, float]:
    """Seconds of each session's fastest run, all taking turns."""
    times: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in range(ROUNDS):
        for name, each in sessions.items():
            start = time.perf_counter()
            each.run(None, {"x": x})
            times[name].append(time.perf_counter() - start)
    return {name: min(runs) for name, runs in times.items()}


def main() -> None:
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    print(f"{'map':>14} {'window':>6} {'stride':>6} {'':6} {'exact':>7} {'grid':>7} {'subsampled':>10}")
    for channels, height, width, window, downscale in MAPS:
        x = torch.randn(1, channels, height, width)
        stride = strides(height, width, downscale)
        for statistic, variants in operations(channels, window, *stride).items():
            sessions = {name: session(of, x, name != "subsampled") for name, of in variants.items()}
            sessions["add"] = session(lambda map_: map_ + 1, x)
            times = fastest(sessions, x.numpy())
            columns = [f"{times[name] / times['add']:.1f}" if name in times else "-" for name in
                       ("exact", "grid", "subsampled")]  # fmt: skip
            size = f"{channels}x{height}x{width}"
            print(
                f"{size:>14} {window:>6} {stride[0]}x{stride[1]:<4} {statistic:6} "
                f"{columns[0]:>7} {columns[1]:>7} {columns[2]:>10}",
                flush=True,
            )


if __name__ == "__main__":
    main()
