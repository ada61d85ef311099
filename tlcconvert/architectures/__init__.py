"""Architectures this project adds to spandrel, so that their checkpoints are detected like any other.

One folder each: ``network.py`` is the network as it is trained, under its published state-dict names;
``__init__.py`` recognises a state dict by its keys and reads the hyper-parameters off its tensor shapes.
"""

from __future__ import annotations

from spandrel import MAIN_REGISTRY, ArchSupport

from tlcconvert.architectures.classsr import ClassSRArch
from tlcconvert.architectures.ecbsr import ECBSRArch
from tlcconvert.architectures.hinet import HINetArch
from tlcconvert.architectures.repsr import RepSRArch
from tlcconvert.architectures.repvgg_sr import RepVGGSRArch
from tlcconvert.architectures.sesr import SESRArch


def register() -> None:
    """Adds these architectures to spandrel's main registry; calling it again changes nothing.

    They come last in detection order, and one whose id spandrel already knows is left to spandrel.
    """
    MAIN_REGISTRY.add(
        ArchSupport.from_architecture(RepSRArch()),
        ArchSupport.from_architecture(ECBSRArch()),
        ArchSupport.from_architecture(SESRArch()),
        ArchSupport.from_architecture(RepVGGSRArch()),
        ArchSupport.from_architecture(HINetArch()),
        ArchSupport.from_architecture(ClassSRArch()),
        ignore_duplicates=True,
    )


__all__ = ["ClassSRArch", "ECBSRArch", "HINetArch", "RepSRArch", "RepVGGSRArch", "SESRArch", "register"]
