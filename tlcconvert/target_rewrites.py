"""The rewrites that make a file faster in the runtime it is made for, and the forms its operators take."""

from __future__ import annotations

from collections.abc import Callable

from torch.export import ExportedProgram

from passes.result import PassResult
from passes.speed.channel_mean import channel_mean
from passes.speed.channel_prelu import channel_prelu
from passes.speed.gate_product import gate_product
from passes.speed.gelu import gelu
from passes.speed.pixel_shuffle import pixel_shuffle
from passes.speed.split_convolution import split_convolution
from passes.speed.square import square
from passes.speed.squeeze_first import squeeze_first
from passes.speed.whole_channel_blocks import whole_channel_blocks
from tlcconvert.lowering import IN_LOOPS, LOOPLESS, Translations
from tlcconvert.target import Target

SPEED_PASSES: dict[Target, tuple[Callable[[ExportedProgram], PassResult], ...]] = {
    Target.ONNXRUNTIME: (
        channel_mean,
        square,
        split_convolution,
        whole_channel_blocks,
        squeeze_first,
        channel_prelu,
        gelu,
        pixel_shuffle,
        gate_product,
    ),
    Target.OPENVINO: (split_convolution, squeeze_first),
    Target.TENSORRT: (squeeze_first,),
}
"""In the order they run; what a runtime would lose by is left out (``python -m benchmarks.openvino``)."""

TRANSLATIONS: dict[Target, Translations] = {
    Target.ONNXRUNTIME: IN_LOOPS,
    Target.OPENVINO: LOOPLESS,
    Target.TENSORRT: LOOPLESS,
}
"""The ONNX forms of the operators of ``tlc::``."""
