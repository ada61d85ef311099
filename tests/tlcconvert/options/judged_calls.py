"""Calls of ``convert`` that mypy judges: it accepts the right ones and refuses the wrong ones.

Nothing here runs. An error that mypy no longer finds makes its ``type: ignore`` unused, which mypy reports.
"""

from __future__ import annotations

from torch import nn
from torch.export import ExportedProgram

from tlcconvert import Conversion, Dtype, ExtraInput, Pixels, RoutingOptions, Target, convert
from tlcconvert.load import Network


def right(module: nn.Module, program: ExportedProgram, network: Network) -> None:
    conversion: Conversion = convert(module, 256)
    conversion.save("model.onnx")
    convert(program, train_size=(256, 384), base_ratio=1, target=Target.OPENVINO)
    convert(module, 256, dtype=Dtype.FLOAT16, io=Dtype.FLOAT16)
    convert(network=network, localize_statistics=False, verify_sizes=[(64, 64), (2, 31, 40)])
    convert(module, 32, input_channels=4, extra_inputs=[ExtraInput("noise_level")], progress=print)
    convert(
        module, 32, pixels=Pixels((0.0, 1.0), "RGB"), without=["gelu"], routing=RoutingOptions(knobs=True)
    )


def wrong(module: nn.Module) -> None:
    convert("model.pth", 256)  # type: ignore[arg-type]
    convert(module, "256")  # type: ignore[arg-type]
    convert(module, (1, 2, 3))  # type: ignore[arg-type]
    convert(module, 256, 1.5)  # type: ignore[call-arg]
    convert(module, trainsize=256)  # type: ignore[call-arg]
    convert(module, 256, strict="yes")  # type: ignore[arg-type]
    convert(module, 256, verify_sizes=[(64,)])  # type: ignore[list-item]
    convert(module, 256, dtype="float16")  # type: ignore[arg-type]
    convert(module, 256, target="openvino")  # type: ignore[arg-type]
    convert(module, 256, progress=3)  # type: ignore[arg-type]
    convert(module, 256).no_such_attribute()  # type: ignore[attr-defined]
    convert()  # type: ignore[call-arg]
