"""How many channels the image a network takes has, found by handing it images without values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import nn
from torch.export import ExportedProgram

from passes.program import user_inputs
from tlcconvert.network.eager_reference import evaluation_copy
from tlcconvert.network.network_inputs import ExtraInput, NetworkInputs
from tlcconvert.network.shape_run import ShapeRun

_USUAL_CHANNELS = (3, 1, 4, 6)
"""Colours, grey, colours with a mask or a Bayer pattern, a stereo pair."""
_SIDES = (64, 48, 224, 256, 512)  # pixels


def input_channels_of(
    module: nn.Module | ExportedProgram, extra_inputs: Sequence[ExtraInput] = ()
) -> int | None:
    """Channels of the image ``module`` takes, or None where nothing tells.

    Those of a program are its first input's. A module is run on shapes with the channels of each of its convolutions
    and with the usual ones: the layer that sees the image refuses another number than its own, wherever it is
    registered. Of several numbers that run, the first registered convolution's is preferred, then 3. Where none
    does, as in a network that reads values, it is the first registered convolution's.
    """
    if isinstance(module, ExportedProgram):
        shape = user_inputs(module)[0].meta["val"].shape
        return shape[1] if len(shape) == 4 and isinstance(shape[1], int) else None
    registered = list(dict.fromkeys(_channels_of_convolutions(module)))
    tried = list(dict.fromkeys([*registered[:1], *_USUAL_CHANNELS, *registered]))
    try:
        copied = evaluation_copy(module)
        for channels in tried:
            run = ShapeRun(copied, NetworkInputs(channels, tuple(extra_inputs)))
            if any(run(side, side, 1) for side in _SIDES):
                return channels
    except Exception:
        # What cannot be copied is refused by capture, with the reason.
        pass
    return next(iter(registered), None)


def _channels_of_convolutions(module: nn.Module) -> Iterator[int]:
    for part in module.modules():
        if isinstance(part, (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d)):
            yield part.in_channels
