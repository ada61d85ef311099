"""From a state dict to a ClassSR: kind, number and widths of the branches are read off the tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from tlcconvert.architectures.classsr.carn import CARN, carn_of
from tlcconvert.architectures.classsr.fsrcnn import PUBLISHED_SCALE, fsrcnn_of
from tlcconvert.architectures.classsr.network import Classifier, ClassSR
from tlcconvert.architectures.classsr.rcan import RCAN, rcan_of
from tlcconvert.architectures.classsr.srresnet import SRResNet, srresnet_of

# A parameter that only branches of that kind have.
TELLING_PARAMETERS = {
    "FSRCNN": "head_conv.0.weight",
    "CARN": "entry.weight",
    "SRResNet": "recon_trunk.0.conv1.weight",
    "RCAN": "body.0.body.0.body.3.conv_du.0.weight",
}
_READ: dict[str, Callable[[Mapping[str, Tensor]], CARN | SRResNet | RCAN]] = {
    "CARN": carn_of,
    "SRResNet": srresnet_of,
    "RCAN": rcan_of,
}


def kind_of(state: Mapping[str, Tensor]) -> str:
    """``"FSRCNN"``, ``"CARN"``, ``"SRResNet"`` or ``"RCAN"``, by the first branch in ``state``."""
    return next(kind for kind, name in TELLING_PARAMETERS.items() if f"net1.{name}" in state)


def classsr_of(state: Mapping[str, Tensor], scale: int = PUBLISHED_SCALE) -> ClassSR:
    """The network of a state dict, with its weights loaded.

    Args:
        state: the published names, ``classifier.*`` and ``net1.*``, ``net2.*``, ...
        scale: of FSRCNN branches, whose weights do not tell it; the others' weights do.

    Raises:
        RuntimeError: names or shapes do not fit together.
    """
    channels, colors = state["classifier.CondNet.0.weight"].shape[:2]
    classes, features = state["classifier.lastOut.weight"].shape
    kind = kind_of(state)
    parts = [_below(state, f"net{number}.") for number in range(1, classes + 1)]
    branches = [fsrcnn_of(part, scale) if kind == "FSRCNN" else _READ[kind](part) for part in parts]
    classifier = Classifier(colors=colors, channels=channels, features=features, classes=classes)
    network = ClassSR(classifier, branches)
    network.load_state_dict(dict(state))
    return network


def _below(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
