"""Fingerprints of the files the tool writes, to see whether a change to the code changes what it does.

    python -m benchmarks.written_files > before.txt
    python -m benchmarks.written_files > after.txt; diff before.txt after.txt

A line is the name of a network and the SHA-256 of its file without metadata: of every network whose latency is
measured, for each target that takes its size, and of the samples.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import onnx
import torch
import typer
from torch import nn
from torch.export import ExportedProgram

from benchmarks.latency.subjects import ABLATED, SUBJECTS
from tlcconvert import Target, convert
from tlcconvert.load import load_network

SAMPLES = Path(__file__).parents[1] / "samples"
_STATIC = (64, 96)
_VERIFIED = ((48, 64),)
"""One small image in the place of the sizes every conversion proves: the file is the same."""


def fingerprint(model: onnx.ModelProto) -> str:
    """The SHA-256 of ``model`` without its metadata, 16 hexadecimal digits of it."""
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    del bare.metadata_props[:]
    bare.producer_version = ""
    return hashlib.sha256(bare.SerializeToString(deterministic=True)).hexdigest()[:16]


def files(only: str) -> Iterator[tuple[str, onnx.ModelProto]]:
    """Name and file of every network whose name begins with ``only``."""
    for subject in [*SUBJECTS, *(subject for subject, _ in ABLATED)]:
        if not subject.name.startswith(only):
            continue
        network, channels = subject.network(), subject.channels
        for target in (Target.ONNXRUNTIME_CPU, Target.OPENVINO):
            yield (
                f"{subject.name} for {target.value}",
                _converted(network, subject.train_size, channels, target=target),
            )
        if subject.has_means:
            yield f"{subject.name}, fast", _converted(network, subject.train_size, channels, fast=True)
    for name, train_size in (("denoiser", 64), ("repsr", 48), ("classsr", 32)):
        if f"sample {name}".startswith(only):
            sample = load_network(SAMPLES / f"{name}.pth").module
            is_routed = name == "classsr"
            yield f"sample {name}", _converted(sample, train_size, None, is_routed=is_routed)
            if not is_routed:
                yield f"sample {name} for tensorrt", _static(sample, train_size)


def _converted(
    network: nn.Module | ExportedProgram,
    train_size: int | tuple[int, int],
    channels: int | None,
    *,
    target: Target = Target.ONNXRUNTIME_CPU,
    fast: bool = False,
    is_routed: bool = False,
) -> onnx.ModelProto:
    verified = () if is_routed else _VERIFIED
    return convert(
        network, train_size, input_channels=channels, target=target, fast=fast, verify_sizes=verified
    ).model


def _static(network: nn.Module | ExportedProgram, train_size: int) -> onnx.ModelProto:
    return convert(network, train_size, static_size=_STATIC, target=Target.TENSORRT).model


def main(only: Annotated[str, typer.Argument(help="Names to begin with.")] = "") -> None:
    """Print a line per file."""
    torch.set_num_threads(1)
    for name, model in files(only):
        print(f"{fingerprint(model)}  {name}", flush=True)


if __name__ == "__main__":
    typer.run(main)
