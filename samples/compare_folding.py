"""Shows that folding a RepSR changes its cost and not its output.

    python samples/compare_folding.py

The network is trained with two normalised branches per block and deployed with one convolution in their
place. Prints PSNR on the held-out photographs, shrunk to half and upscaled again, before and after.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from photographs import halved, held_out_photographs, psnr
from rich.console import Console
from rich.table import Table
from spandrel import ModelLoader
from torch.export import Dim, ExportedProgram

from passes.program import runnable
from tlcconvert.architectures import register
from tlcconvert.pipeline import FOLD, SIMPLIFY, run_steps

CHECKPOINT = Path(__file__).with_name("repsr.pth")

Upscaler = Callable[[torch.Tensor], torch.Tensor]


def main() -> None:
    register()
    show_folding(ModelLoader("cpu").load_from_file(CHECKPOINT).model.eval())


def show_folding(network: torch.nn.Module) -> None:
    """Prints the convolutions and the PSNR of ``network`` (x2, in eval mode) before and after folding."""
    program = captured(network)
    before = convolutions(program)
    run_steps(SIMPLIFY + FOLD, program)
    columns: dict[str, Upscaler] = {
        "bicubic": lambda image: F.interpolate(image, scale_factor=2, mode="bicubic"),
        f"trained, {before} convolutions": network,
        f"folded, {convolutions(program)} convolutions": runnable(program),
    }
    print_upscaling_psnr("PSNR in dB before and after folding", columns)


def captured(network: torch.nn.Module) -> ExportedProgram:
    """``network`` as a graph of ATen operations with symbolic batch, height and width."""
    sizes = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    program = torch.export.export(network, (torch.rand(2, 3, 24, 32),), dynamic_shapes=(sizes,))
    return program.run_decompositions({})


def convolutions(program: ExportedProgram) -> int:
    return sum(node.target is torch.ops.aten.conv2d.default for node in program.graph.nodes)


@torch.no_grad()
def print_upscaling_psnr(title: str, upscalers: dict[str, Upscaler]) -> None:
    """One row per held-out photograph, one column per upscaler, which is given the photograph halved."""
    table = Table("photograph", *upscalers, title=title)
    for name, photograph in held_out_photographs().items():
        truth = photograph[None, :, : photograph.shape[1] // 2 * 2, : photograph.shape[2] // 2 * 2]
        small = halved(truth)
        table.add_row(name, *(f"{psnr(upscale(small), truth):.3f}" for upscale in upscalers.values()))
    Console().print(table)


if __name__ == "__main__":
    main()
