"""How many channels the image a network takes has, read off the network itself."""

from __future__ import annotations

from torch import nn
from torch.export import ExportedProgram

from passes.program import user_inputs


def input_channels_of(module: nn.Module | ExportedProgram) -> int | None:
    """Channels of the image ``module`` takes: a program's first input's, a module's first convolution's."""
    if isinstance(module, ExportedProgram):
        shape = user_inputs(module)[0].meta["val"].shape
        return shape[1] if len(shape) == 4 and isinstance(shape[1], int) else None
    for part in module.modules():
        if isinstance(part, (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d)):
            return part.in_channels
    return None
