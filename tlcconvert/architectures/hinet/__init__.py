"""Detects and loads HINet checkpoints."""

from __future__ import annotations

from spandrel import Architecture, ImageModelDescriptor, SizeRequirements, StateDict
from spandrel.util import KeyCondition, get_seq_len

from tlcconvert.architectures.hinet.network import HINet


class HINetArch(Architecture[HINet]):  # type: ignore[misc]  # spandrel is untyped
    def __init__(self) -> None:
        super().__init__(
            id="HINet",
            detect=KeyCondition.has_all(
                "conv_01.weight",
                "conv_02.weight",
                "down_path_1.0.conv_1.weight",
                "down_path_1.0.identity.weight",
                "down_path_1.0.downsample.weight",
                "down_path_2.0.csff_enc.weight",
                "up_path_1.0.up.weight",
                "up_path_2.0.conv_block.conv_1.weight",
                "skip_conv_1.0.weight",
                "sam12.conv1.weight",
                "cat12.weight",
                "last.weight",
            ),
        )

    def load(self, state_dict: StateDict) -> ImageModelDescriptor[HINet]:
        channels, colors = state_dict["conv_01.weight"].shape[:2]
        depth = get_seq_len(state_dict, "down_path_1")
        normalized = [level for level in range(depth) if f"down_path_1.{level}.norm.weight" in state_dict]
        return ImageModelDescriptor(
            HINet(colors=colors, channels=channels, depth=depth, normalized_levels=normalized),
            state_dict,
            architecture=self,
            purpose="Restoration",
            tags=[f"{channels}nf"],
            supports_half=False,
            supports_bfloat16=True,
            scale=1,
            input_channels=colors,
            output_channels=colors,
            # An instance norm needs more than one pixel on the coarsest level.
            size_requirements=SizeRequirements(minimum=2**depth, multiple_of=2 ** (depth - 1)),
            call_fn=lambda network, image: network(image)[-1],
        )


__all__ = ["HINet", "HINetArch"]
