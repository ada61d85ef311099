"""Detects and loads checkpoints of the RepVGG-style super-resolution network."""

from __future__ import annotations

import math

from spandrel import Architecture, ImageModelDescriptor, StateDict
from spandrel.util import KeyCondition, get_seq_len

from tlcconvert.architectures.repvgg_sr.network import RepVGGBlock, RepVGGSR


class RepVGGSRArch(Architecture[RepVGGSR]):  # type: ignore[misc]  # spandrel is untyped
    def __init__(self) -> None:
        super().__init__(
            id="RepVGGSR",
            detect=KeyCondition.has_all(
                "head.weight",
                "body.0.rbr_dense.conv.weight",
                "body.0.rbr_dense.bn.running_mean",
                "body.0.rbr_1x1.conv.weight",
                "body.0.rbr_1x1.bn.running_mean",
                "body.0.rbr_identity.running_mean",
                "tail.weight",
            ),
        )

    def load(self, state_dict: StateDict) -> ImageModelDescriptor[RepVGGSR]:
        channels, colors = state_dict["head.weight"].shape[:2]
        blocks = get_seq_len(state_dict, "body")
        scale = math.isqrt(state_dict["tail.weight"].shape[0] // colors)
        return ImageModelDescriptor(
            RepVGGSR(colors=colors, channels=channels, blocks=blocks, scale=scale),
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


__all__ = ["RepVGGBlock", "RepVGGSR", "RepVGGSRArch"]
