"""Detects and loads SESR checkpoints that still have their expanded blocks."""

from __future__ import annotations

import math

from spandrel import Architecture, ImageModelDescriptor, StateDict
from spandrel.util import KeyCondition, get_seq_len

from tlcconvert.architectures.sesr.network import SESR, CollapsibleLinearBlock, ResidualCollapsibleLinearBlock


class SESRArch(Architecture[SESR]):  # type: ignore[misc]  # spandrel is untyped
    def __init__(self) -> None:
        super().__init__(
            id="SESR",
            detect=KeyCondition.has_all(
                "conv_first.conv_expand.weight",
                "conv_first.conv_squeeze.weight",
                "residual_block.0.conv_expand.weight",
                "residual_block.0.conv_squeeze.weight",
                "conv_last.conv_expand.weight",
                "conv_last.conv_squeeze.weight",
            ),
        )

    def load(self, state_dict: StateDict) -> ImageModelDescriptor[SESR]:
        expanded, colors = state_dict["conv_first.conv_expand.weight"].shape[:2]
        channels = state_dict["conv_first.conv_squeeze.weight"].shape[0]
        blocks = get_seq_len(state_dict, "residual_block")
        scale = math.isqrt(state_dict["conv_last.conv_squeeze.weight"].shape[0] // colors)
        slope = state_dict.get("conv_first.activation.weight")
        network = SESR(
            colors=colors,
            channels=channels,
            blocks=blocks,
            scale=scale,
            expanded=expanded,
            slopes=0 if slope is None else slope.numel(),
            concatenate=state_dict["conv_last.conv_expand.weight"].shape[1] == 2 * channels,
        )
        return ImageModelDescriptor(
            network,
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


__all__ = ["SESR", "CollapsibleLinearBlock", "ResidualCollapsibleLinearBlock", "SESRArch"]
