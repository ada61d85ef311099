"""Detects and loads ECBSR checkpoints with PReLU, the activation of every published one.

Whether the blocks had an identity path is not in a state dict; the published configurations have none.
"""

from __future__ import annotations

import math

from spandrel import Architecture, ImageModelDescriptor, StateDict
from spandrel.util import KeyCondition, get_seq_len

from tlcconvert.architectures.ecbsr.network import ECB, ECBSR


class ECBSRArch(Architecture[ECBSR]):  # type: ignore[misc]  # spandrel is untyped
    def __init__(self) -> None:
        super().__init__(
            id="ECBSR",
            detect=KeyCondition.has_all(
                "backbone.0.act.weight",
                "backbone.0.conv3x3.weight",
                "backbone.0.conv1x1_3x3.k0",
                "backbone.0.conv1x1_3x3.k1",
                "backbone.0.conv1x1_sbx.mask",
                "backbone.0.conv1x1_sby.mask",
                "backbone.0.conv1x1_lpl.mask",
            ),
        )

    def load(self, state_dict: StateDict) -> ImageModelDescriptor[ECBSR]:
        channels, colors = state_dict["backbone.0.conv3x3.weight"].shape[:2]
        expansion = state_dict["backbone.0.conv1x1_3x3.k0"].shape[0] / channels
        last = get_seq_len(state_dict, "backbone") - 1
        scale = math.isqrt(state_dict[f"backbone.{last}.conv3x3.weight"].shape[0] // colors)
        return ImageModelDescriptor(
            ECBSR(colors=colors, channels=channels, blocks=last - 1, scale=scale, expansion=expansion),
            state_dict,
            architecture=self,
            purpose="SR",
            tags=[f"{channels}nf", f"{last - 1}nb"],
            supports_half=True,
            supports_bfloat16=True,
            scale=scale,
            input_channels=colors,
            output_channels=colors,
        )


__all__ = ["ECB", "ECBSR", "ECBSRArch"]
