"""What ClassSR's routing saves in onnxruntime, against its largest branch on all patches and on the whole image.

    python -m benchmarks.classsr_latency

Prints a row of the tables in docs/classsr.md per kind of branch. Weights are untrained: time does not depend on them.
A class bias sets the class mix published for test images.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import onnxruntime
import torch
import typer
from torch import nn

from benchmarks.interleaved import median_ratio
from tlcconvert.architectures.classsr import CARN, FSRCNN, RCAN, Classifier, ClassSR, SRResNet
from tlcconvert.classsr import convert_classsr, multiply_adds
from tlcconvert.classsr.parity import random_image
from tlcconvert.classsr.patches import Grid, crop
from tlcconvert.process_state.silence import silence

MIX = (0.61, 0.23, 0.16)  # easy, medium, hard; ClassSR, CVPR 2021, section 4
GRID = Grid(32, 28)
PATCHES = 32  # on which branches are timed alone


@dataclass(frozen=True)
class Subject:
    """Branches of the published widths, and rounds that give a steady median.

    RCAN has 3 groups of 6 blocks where 10 of 20 are published: time grows with their number alike at every width.
    """

    branch: Callable[[int], nn.Module]
    widths: tuple[int, int, int]
    rounds: int


SUBJECTS = {
    "FSRCNN": Subject(lambda width: FSRCNN(width=width), (16, 36, 56), 7),
    "CARN": Subject(lambda width: CARN(channels=width), (36, 52, 64), 2),
    "SRResNet": Subject(lambda width: SRResNet(channels=width), (36, 52, 64), 2),
    "RCAN": Subject(
        lambda width: RCAN(channels=width, squeezed=width // 16, groups=3, blocks=6), (36, 50, 64), 1
    ),
}


def main(
    size: Annotated[tuple[int, int], typer.Option(min=32, help="Height and width of the image.")] = (
        540,
        960,
    ),
    only: Annotated[str, typer.Option(help="Measure these branches only.")] = "",
) -> None:
    """Time routed, largest branch on all patches, largest branch on the whole image; processor time, one thread."""
    for kind, subject in SUBJECTS.items():
        if only in ("", kind):
            print(row(kind, subject, size), flush=True)


def row(kind: str, subject: Subject, size: tuple[int, int]) -> str:
    """Markdown: seconds routed, what the two rivals take over it, and what each branch costs over the largest."""
    torch.manual_seed(0)
    network = ClassSR(Classifier(), [subject.branch(width) for width in subject.widths]).eval()  # type: ignore[misc]
    image = random_image((1, *size), network.colors, seed=0)
    routed, everywhere, whole = timed(variants(network, image), subject.rounds)
    multiplied = multiply_adds(network, GRID.size).per_patch
    alone = [statistics.median(seconds) for seconds in timed(branches_alone(network), subject.rounds)]
    cells = [
        kind,
        "/".join(map(str, subject.widths)),
        f"{statistics.median(routed):.1f}",
        f"{median_ratio(everywhere, routed):.2f}",
        f"{median_ratio(whole, routed):.2f}",
        ", ".join(f"{cost / multiplied[-1]:.2f}" for cost in multiplied[:-1]),
        ", ".join(f"{seconds / alone[-1]:.2f}" for seconds in alone[:-1]),
    ]
    return "| " + " | ".join(cells) + " |"


def variants(network: ClassSR, image: torch.Tensor) -> list[Callable[[], object]]:
    """Routed, the largest branch on all patches, and the largest branch on the whole image."""
    model = convert_classsr(network, patch_size=GRID.size, patch_step=GRID.step, knobs=True).model
    routed = session_of(model.SerializeToString())
    mixed, largest = bias_for_mix(network, image), np.array([0, 0, 1e6], np.float32)
    whole = runner(network.branches[-1], image)
    run = releasing()
    return [
        lambda: routed.run(["output"], {"input": image.numpy(), "class_bias": mixed}, run),
        lambda: routed.run(["output"], {"input": image.numpy(), "class_bias": largest}, run),
        whole,
    ]


def branches_alone(network: ClassSR) -> list[Callable[[], object]]:
    patches = torch.rand(PATCHES, network.colors, GRID.size, GRID.size)
    return [runner(branch, patches) for branch in network.branches]


def runner(branch: nn.Module, images: torch.Tensor) -> Callable[[], object]:
    """Runs ``branch``, as PyTorch exports it for the size of ``images``, on ``images``."""
    with silence(), torch.no_grad():
        exported = torch.onnx.export(branch, (images,), input_names=["input"], dynamo=True, verbose=False)
    assert exported is not None
    session, run = session_of(exported.model_proto.SerializeToString()), releasing()
    return lambda: session.run(None, {"input": images.numpy()}, run)


def session_of(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def releasing() -> onnxruntime.RunOptions:
    """Gives memory back after each run: the variants need gigabytes, one at a time."""
    options = onnxruntime.RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


@torch.no_grad()
def bias_for_mix(network: ClassSR, image: torch.Tensor) -> np.ndarray:
    """The ``class_bias`` under which the classes of ``image`` are as frequent as MIX says, to a patch or two."""
    logits = network.classifier(crop(image, GRID).flatten(0, 2))
    bias = -logits.mean(0)
    spread = float(logits.std(0).max())
    for rate in np.geomspace(2, 1e-3, 2000):
        shares = (logits + bias).argmax(1).bincount(minlength=len(MIX)) / len(logits)
        bias += float(rate) * spread * (torch.tensor(MIX) - shares)
    assert (shares - torch.tensor(MIX)).abs().max() < 0.01, f"the class mix came to {shares.tolist()}"
    return bias.numpy()


def timed(runs: Sequence[Callable[[], object]], rounds: int) -> list[list[float]]:
    """Processor seconds of each of ``runs`` in each of ``rounds``, in which they take turns."""
    seconds: list[list[float]] = [[] for _ in runs]
    for _ in range(rounds):
        for run, own in zip(runs, seconds, strict=True):
            start = time.process_time()
            run()
            own.append(time.process_time() - start)
    return seconds


if __name__ == "__main__":
    typer.run(main)
