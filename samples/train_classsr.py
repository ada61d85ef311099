"""Trains samples/classsr.pth: a small ClassSR that upscales by 2 with three SRResNet branches.

    python samples/train_classsr.py

Three stages, as published. Branches: each drawn batch is divided into easy, medium and hard patches by what bicubic
interpolation makes of them, and each branch is trained on its third. Classifier: the branches are fixed, so what they
make of a pool of patches is computed once; the output is the sum of theirs, weighted by the classifier's
probabilities, and two more losses make it decide (class loss) and use all classes about equally (average loss).
Joint: everything is trained with the same three losses.

About seven minutes on one core of its own. Same machine and versions, same weights: the seed is fixed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from photographs import halved, random_crops, training_photographs
from rich.progress import Progress

from tlcconvert.architectures.classsr import Classifier, ClassSR, SRResNet

CHECKPOINT = Path(__file__).with_name("classsr.pth")
WIDTHS = (8, 14, 22)
BLOCKS = 3
SCALE = 2
PATCH_SIZE = 32  # of the small image
BATCH_SIZE = 24  # patches; a third of them per branch in the first stage
BRANCH_STEPS, CLASSIFIER_STEPS, JOINT_STEPS = 700, 1500, 80
POOL_SIZE = 768  # patches the classifier is trained on
POOL_BATCH_SIZE = 48
BRANCH_RATE, CLASSIFIER_RATE, JOINT_RATE = 2e-3, 1e-3, 2e-4
IMAGE_WEIGHT, CLASS_WEIGHT, AVERAGE_WEIGHT = 2000.0, 1.0, 6.0  # as published
STEPS_PER_REPORT = 50

Batch = tuple[torch.Tensor, torch.Tensor]  # small patches and what they were halved from


@dataclass(frozen=True)
class Pool:
    """Small patches [B, 3, P, P], what every branch makes of them [B, M, 3, 2P, 2P], and the truth."""

    small: torch.Tensor
    outputs: torch.Tensor
    truth: torch.Tensor


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    branches = [SRResNet(channels=width, blocks=BLOCKS, scale=SCALE) for width in WIDTHS]
    network = ClassSR(Classifier(channels=32, classes=len(WIDTHS)), branches)
    generator = torch.Generator().manual_seed(0)
    photographs = training_photographs()

    for branch in branches:
        with torch.no_grad():
            branch.conv_last.weight.mul_(0.1)  # begins near the interpolated input

    def draw(size: int = BATCH_SIZE) -> Batch:
        truth = random_crops(photographs, SCALE * PATCH_SIZE, size, generator)
        return halved(truth), truth

    def draw_from(pool: Pool) -> Pool:
        chosen = torch.randint(POOL_SIZE, (POOL_BATCH_SIZE,), generator=generator)
        return Pool(pool.small[chosen], pool.outputs[chosen], pool.truth[chosen])

    with Progress() as progress:
        trained = [parameter for branch in branches for parameter in branch.parameters()]
        train(trained, BRANCH_STEPS, BRANCH_RATE, lambda: branch_loss(network, draw()), "Branches", progress)
        pool = restored_pool(network, draw(POOL_SIZE))
        trained = list(network.classifier.parameters())
        loss = lambda: routing_loss(network.classifier, draw_from(pool))  # noqa: E731
        train(trained, CLASSIFIER_STEPS, CLASSIFIER_RATE, loss, "Classifier", progress)
        trained = list(network.parameters())
        loss = lambda: routing_loss(network.classifier, restored(network, draw()))  # noqa: E731
        train(trained, JOINT_STEPS, JOINT_RATE, loss, "Joint", progress)

    torch.save(network.state_dict(), CHECKPOINT)
    print(f"Wrote {CHECKPOINT} ({CHECKPOINT.stat().st_size / 1000:.0f} kB)")


def train(
    parameters: list[torch.nn.Parameter],
    steps: int,
    rate: float,
    loss_of_a_batch: Callable[[], torch.Tensor],
    stage: str,
    progress: Progress,
) -> None:
    """``steps`` of Adam on ``parameters`` alone, the learning rate falling to a twentieth along a cosine."""
    optimizer = torch.optim.Adam(parameters, lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, eta_min=rate / 20)
    task = progress.add_task(stage, total=steps)
    for step in range(1, steps + 1):
        loss = loss_of_a_batch()
        gradients = torch.autograd.grad(loss, parameters)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        optimizer.step()
        schedule.step()
        progress.advance(task)
        if step % STEPS_PER_REPORT == 0:
            progress.console.print(f"{stage}, step {step}: loss {float(loss):.5f}")


def branch_loss(network: ClassSR, batch: Batch) -> torch.Tensor:
    """Sum of each branch's mean absolute error on its share of the batch, the easiest for the first."""
    shares = by_difficulty(batch, len(network.branches))
    losses = [
        F.l1_loss(branch(small), truth)
        for branch, (small, truth) in zip(network.branches, shares, strict=True)
    ]
    return torch.stack(losses).sum()


def by_difficulty(batch: Batch, shares: int) -> list[Batch]:
    """``batch`` in equal shares, from the patches that bicubic interpolation restores best to the worst."""
    small, truth = batch
    bicubic = F.interpolate(small, scale_factor=SCALE, mode="bicubic")
    order = (bicubic - truth).square().mean((1, 2, 3)).argsort()
    return [(small[share], truth[share]) for share in order.chunk(shares)]


def restored(network: ClassSR, batch: Batch) -> Pool:
    """What each branch makes of each patch."""
    small, truth = batch
    return Pool(small, torch.stack([branch(small) for branch in network.branches], dim=1), truth)


@torch.no_grad()
def restored_pool(network: ClassSR, batch: Batch) -> Pool:
    """The same without gradients, a few patches at a time."""
    parts = [
        restored(network, part) for part in zip(*(tensor.split(BATCH_SIZE) for tensor in batch), strict=True)
    ]
    return Pool(batch[0], torch.cat([part.outputs for part in parts]), batch[1])


def routing_loss(classifier: Classifier, pool: Pool) -> torch.Tensor:
    """Image loss of the probability-weighted output, class loss and average loss, weighted as published."""
    probabilities = classifier(pool.small).softmax(1)
    blended = (probabilities[:, :, None, None, None] * pool.outputs).sum(1)
    return (
        IMAGE_WEIGHT * F.l1_loss(blended, pool.truth)
        + CLASS_WEIGHT * class_loss(probabilities)
        + AVERAGE_WEIGHT * average_loss(probabilities)
    )


def class_loss(probabilities: torch.Tensor) -> torch.Tensor:
    """-sum |P_i - P_j| over pairs of classes, averaged over patches: least where one class is certain; [B, M]."""
    pairs = itertools.combinations(probabilities.unbind(1), 2)
    return -torch.stack([(one - other).abs() for one, other in pairs]).sum(0).mean()


def average_loss(probabilities: torch.Tensor) -> torch.Tensor:
    """sum_i |sum_j P_i(x_j) - B / M|, as a fraction of B: zero where all classes are used equally; [B, M]."""
    patches, classes = probabilities.shape
    return (probabilities.sum(0) - patches / classes).abs().sum() / patches


if __name__ == "__main__":
    main()
