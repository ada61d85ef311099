"""Runs an operator's ONNX form in ONNX Runtime."""

from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from tlcconvert.lower.forms import ON_A_CPU, PORTABLE
from tlcconvert.lower.lower import lower

Runner = Callable[..., list[np.ndarray]]


@pytest.fixture(autouse=True)
def _same_random_numbers_every_run():
    torch.manual_seed(0)


@pytest.fixture(scope="session", params=[ON_A_CPU, PORTABLE], ids=["on_a_cpu", "portable"])
def table(request):
    """Both forms of every operator."""
    return request.param


@pytest.fixture(scope="session")
def in_onnxruntime(table) -> Callable[..., Runner]:
    """Exports ``function`` of [N, C, H, W] maps once and returns a function of tensors that runs the file.

    Every file is checked on the way: standard operators only, full checker, strict shape inference.
    """

    def export(function, channels=(3,), dynamic=True, example=(2, 11, 13), opset=18) -> Runner:
        class Operator(torch.nn.Module):
            def forward(self, *maps):
                return function(*maps)

        batch, height, width = example
        maps = tuple(torch.zeros(batch, c, height, width) for c in channels)
        names = [f"map_{index}" for index in range(len(maps))]
        axes = dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC)
        program = torch.export.export(
            Operator(), maps, dynamic_shapes=((axes,) * len(maps),) if dynamic else None
        )
        outputs = list(program.graph_signature.user_outputs)
        model = lower(program, opset, names, outputs, translations=table).model
        assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", opset)]
        assert not model.functions
        onnx.checker.check_model(model, full_check=True)
        onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        return lambda *tensors: session.run(
            None, {name: tensor.numpy() for name, tensor in zip(names, tensors, strict=True)}
        )

    return export
