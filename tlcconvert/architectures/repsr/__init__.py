"""Detects and loads RepSR checkpoints."""

from __future__ import annotations

import math

from spandrel import Architecture, ImageModelDescriptor, StateDict
from spandrel.util import KeyCondition, get_seq_len

from tlcconvert.architectures.repsr.network import RepSR, RepSRBlock


class RepSRArch(Architecture[RepSR]):  # type: ignore[misc]  # spandrel is untyped
    def __init__(self) -> None:
        super().__init__(
            id="RepSR",
            detect=KeyCondition.has_all(
                "M_block.0.weight",
                "M_block.1.weight",
                "M_block.2.branch1.0.weight",
                "M_block.2.branch1.1.running_mean",
                "M_block.2.branch1.2.weight",
                "M_block.2.branch2.0.weight",
                "M_block.2.branch2.1.running_mean",
                "M_block.2.branch2.2.weight",
            ),
        )

    def load(self, state_dict: StateDict) -> ImageModelDescriptor[RepSR]:
        # Public training code stores the blur it prepares its targets with beside the network.
        state_dict = {name: tensor for name, tensor in state_dict.items() if name.startswith("M_block.")}
        channels, colors = state_dict["M_block.0.weight"].shape[:2]
        last = get_seq_len(state_dict, "M_block") - 1
        blocks = (last - 2) // 2
        scale = math.isqrt(state_dict[f"M_block.{last}.weight"].shape[0] // colors)
        return ImageModelDescriptor(
            RepSR(colors=colors, channels=channels, blocks=blocks, scale=scale),
            state_dict,
            architecture=self,
            purpose="SR",
            tags=[f"{channels}nf", f"{blocks}nb"],
            supports_half=True,
            supports_bfloat16=True,
            scale=scale,
            input_channels=colors,
            output_channels=colors,
        )


__all__ = ["RepSR", "RepSRArch", "RepSRBlock"]
