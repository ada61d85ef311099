"""Programs and files of the networks that are timed: the one step that needs the converter."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import torch
from torch.export import Dim

from benchmarks.gpu.program_file import write_program
from benchmarks.gpu.rivals import EXACT, FACTS, FAST, GLOBAL
from benchmarks.latency.subjects import ABLATED, RCAN, SE_BLOCK, Subject
from benchmarks.peer_exports import stock_export
from passes.program import runnable
from tlcconvert import Target, convert
from tlcconvert.capture.capture import functional

SUBJECTS = (ABLATED[0][0], RCAN, SE_BLOCK)
_VERIFIED = ((48, 64),)
_EXAMPLE = (2, 80, 96)


def prepare(subject: Subject, folder: Path) -> None:
    """Writes the programs and files of ``subject`` to ``folder``; what they compute was verified by conversion."""
    folder.mkdir(parents=True, exist_ok=True)
    network = subject.network()
    batch, height, width = _EXAMPLE
    sizes = {0: Dim.AUTO, 2: Dim.AUTO, 3: Dim.AUTO}
    example = torch.rand(batch, subject.channels, height, width)
    captured = functional(torch.export.export(network, (example,), dynamic_shapes=(sizes,)))
    write_program(runnable(captured), folder / f"{GLOBAL}.program")
    onnx.save(stock_export(network, subject.channels, (height, width)), folder / f"{GLOBAL}.file.onnx")
    for kind in (EXACT, FAST):
        for target, name in ((Target.PORTABLE, "file"), (Target.TENSORRT, "for_tensorrt")):
            conversion = convert(
                network,
                subject.train_size,
                input_channels=subject.channels,
                fast=kind == FAST,
                target=target,
                exported_program=target is Target.PORTABLE,
                verify_sizes=_VERIFIED,
            )
            conversion.save(folder / f"{kind}.{name}.onnx")
            if conversion.program is not None:
                write_program(runnable(conversion.program), folder / f"{kind}.program")
    facts = {"name": subject.name, "channels": subject.channels, "note": subject.note}
    (folder / FACTS).write_text(json.dumps(facts))
