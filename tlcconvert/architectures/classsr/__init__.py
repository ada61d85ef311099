"""Detects and loads ClassSR checkpoints with FSRCNN, CARN, SRResNet or RCAN branches."""

from __future__ import annotations

from spandrel import Architecture, ImageModelDescriptor, SizeRequirements, StateDict
from spandrel.util import KeyCondition

from tlcconvert.architectures.classsr.carn import CARN
from tlcconvert.architectures.classsr.checkpoint import TELLING_PARAMETERS, classsr_of, kind_of
from tlcconvert.architectures.classsr.fsrcnn import FSRCNN
from tlcconvert.architectures.classsr.network import CELL, Classifier, ClassSR
from tlcconvert.architectures.classsr.rcan import RCAN
from tlcconvert.architectures.classsr.srresnet import SRResNet


class ClassSRArch(Architecture[ClassSR]):  # type: ignore[misc]  # spandrel is untyped
    def __init__(self) -> None:
        super().__init__(
            id="ClassSR",
            detect=KeyCondition.has_all(
                "classifier.CondNet.0.weight",
                "classifier.CondNet.8.weight",
                "classifier.lastOut.weight",
                *(
                    KeyCondition.has_any(*(f"{branch}.{name}" for name in TELLING_PARAMETERS.values()))
                    for branch in ("net1", "net2")
                ),
            ),
        )

    def load(self, state_dict: StateDict) -> ImageModelDescriptor[ClassSR]:
        network = classsr_of(state_dict)
        return ImageModelDescriptor(
            network,
            state_dict,
            architecture=self,
            purpose="SR",
            tags=[kind_of(state_dict), f"{len(network.branches)} classes"],
            supports_half=False,
            supports_bfloat16=True,
            scale=network.scale,
            input_channels=network.colors,
            output_channels=network.colors,
            size_requirements=SizeRequirements(minimum=CELL),
        )


__all__ = ["CARN", "CELL", "FSRCNN", "RCAN", "ClassSR", "ClassSRArch", "Classifier", "SRResNet", "classsr_of"]
