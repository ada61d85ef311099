"""Trains samples/repsr.pth: a small RepSR that upscales by 2.

    python samples/train_repsr.py

Two phases: first batch norm uses the statistics of each mini-batch; for the last tenth of training they are
frozen at their running averages, as at inference, while the rest goes on learning. A copy that stays in the
first phase to the end shows what the second one is for. Finally the network is folded.

About ten minutes on one core of its own. Same machine and versions, same weights: the seed is fixed.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from compare_folding import print_upscaling_psnr, show_folding
from photographs import halved, psnr, random_crops, training_photographs
from rich.progress import Progress

from tlcconvert.architectures.repsr import RepSR

CHECKPOINT = Path(__file__).with_name("repsr.pth")
CROP_SIZE = 64  # of the large image; the network sees half of it
BATCH_SIZE = 16
STEPS = 4000
FROZEN_STEPS = STEPS // 10
FIRST_LEARNING_RATE, LAST_LEARNING_RATE = 2e-3, 2e-4
STEPS_PER_REPORT = 100


@dataclass
class Training:
    """A network under training, with everything the next step depends on."""

    network: RepSR
    optimizer: torch.optim.Optimizer
    generator: torch.Generator
    photographs: list[torch.Tensor]
    steps_done: int = 0

    def step(self) -> tuple[torch.Tensor, torch.Tensor]:
        """One gradient step; the upscaled mini-batch and what it should have been."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.steps_done / STEPS)
        truth = random_crops(self.photographs, CROP_SIZE, BATCH_SIZE, self.generator)
        upscaled = self.network(halved(truth))
        loss = torch.nn.functional.l1_loss(upscaled, truth)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.steps_done += 1
        return upscaled.detach(), truth


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = RepSR(channels=16, blocks=4, scale=2).train()
    optimizer = torch.optim.Adam(network.parameters())
    training = Training(network, optimizer, torch.Generator().manual_seed(0), training_photographs())

    with Progress() as progress:
        train(training, STEPS - FROZEN_STEPS, "Mini-batch statistics", progress)
        never_frozen = copy.deepcopy(training)
        training.network.freeze_statistics()
        train(training, FROZEN_STEPS, "Frozen statistics", progress)
        train(never_frozen, FROZEN_STEPS, "For comparison: mini-batch to the end", progress)

    torch.save(network.state_dict(), CHECKPOINT)
    print(f"Wrote {CHECKPOINT} ({CHECKPOINT.stat().st_size / 1000:.0f} kB)")
    print_upscaling_psnr(
        "PSNR in dB with and without the frozen phase",
        {"never frozen": never_frozen.network.eval(), "frozen at the end": network.eval()},
    )
    show_folding(network)


def train(training: Training, steps: int, phase: str, progress: Progress) -> None:
    task = progress.add_task(phase, total=steps)
    for _ in range(steps):
        upscaled, truth = training.step()
        progress.advance(task)
        if training.steps_done % STEPS_PER_REPORT == 0:
            quality = f"PSNR of the batch {psnr(upscaled, truth):.2f} dB"
            progress.console.print(f"{phase}, step {training.steps_done}: {quality}")


def learning_rate(done: float) -> float:
    """Half a cosine from the first to the last rate; ``done`` is the finished part of training, 0 to 1."""
    remaining = (1 + math.cos(math.pi * done)) / 2
    return LAST_LEARNING_RATE + remaining * (FIRST_LEARNING_RATE - LAST_LEARNING_RATE)


if __name__ == "__main__":
    main()
