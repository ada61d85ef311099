"""Small ClassSR networks whose classifier uses every class."""

from __future__ import annotations

import torch

from tlcconvert.architectures.classsr import CARN, FSRCNN, RCAN, Classifier, ClassSR, SRResNet

WIDTHS = (8, 12, 16)
KINDS = ("FSRCNN", "CARN", "SRResNet", "RCAN")


def small_network(kind: str = "SRResNet", *, scale: int = 2, classes: int = 3, seed: int = 0) -> ClassSR:
    """A ClassSR of random weights; on random patches its classes are about equally frequent."""
    torch.manual_seed(seed)
    branches = [_branch(kind, width, scale) for width in WIDTHS[:classes]]
    network = ClassSR(Classifier(channels=16, features=8, classes=classes), branches).eval()
    balance(network, torch.rand(200, 3, 32, 32) * torch.rand(200, 1, 1, 1))
    return network


@torch.no_grad()
def balance(network: ClassSR, patches: torch.Tensor) -> None:
    """Spreads the logits over about -1..1 on ``patches``."""
    last = network.classifier.lastOut
    logits = network.classifier(patches)
    last.weight /= logits.std(0)[:, None]
    last.bias.sub_(logits.mean(0)).div_(logits.std(0))


def _branch(kind: str, width: int, scale: int) -> FSRCNN | CARN | SRResNet | RCAN:
    if kind == "FSRCNN":
        return FSRCNN(width=width, squeezed=4, mappings=2, scale=scale)
    if kind == "CARN":
        return CARN(channels=width, groups=4, scale=scale)
    if kind == "SRResNet":
        return SRResNet(channels=width, blocks=1, scale=scale)
    return RCAN(channels=width, squeezed=2, groups=2, blocks=2, scale=scale)
