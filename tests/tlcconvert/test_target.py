import logging

import pytest
import torch

from tlcconvert import Target, convert


class GatedNorm(torch.nn.Module):
    """A local mean, an instance norm and a transposed attention."""

    def forward(self, x):
        gated = torch.nn.functional.instance_norm(x) * x.mean((2, 3), keepdim=True).sigmoid()
        pixels = gated.flatten(2)
        scores = (
            torch.nn.functional.normalize(pixels, dim=-1) @ torch.nn.functional.normalize(pixels, dim=-1).mT
        )
        return (scores.softmax(-1) @ pixels).reshape(x.shape)


@pytest.mark.parametrize("target", [Target.ONNXRUNTIME, Target.OPENVINO])
def test_only_files_for_onnxruntime_have_loops_and_no_conversion_writes_to_the_log(target, caplog):
    conversion = convert(GatedNorm().eval(), 12, input_channels=4, target=target)
    loops = {node.op_type for node in conversion.model.graph.node} & {"Scan", "Loop", "If"}
    assert loops == ({"Scan", "Loop"} if target is Target.ONNXRUNTIME else set())
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
