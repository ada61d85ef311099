"""Files for OpenVINO compute in OpenVINO what the converted network does, and the page has ratios within a round."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from spandrel.architectures.NAFNet import NAFNet
from torch import nn

from benchmarks.latency.files import GLOBAL
from benchmarks.latency.subjects import Subject
from benchmarks.openvino.document import FOR_OPENVINO, Row, document
from benchmarks.openvino.session import openvino_run
from tlcconvert import Target, convert


def test_a_file_for_openvino_runs_there_at_every_size(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = NAFNet(width=8, middle_blk_num=1, enc_blk_nums=[1], dec_blk_nums=[1])
    conversion = convert(network, 24, target=Target.OPENVINO)
    onnx.save(conversion.model, tmp_path / "model.onnx")
    run = openvino_run(tmp_path / "model.onnx")
    for shape in [(1, 3, 20, 31), (2, 3, 61, 45), (1, 3, 1, 1)]:
        image = torch.rand(shape)
        with torch.no_grad():
            expected = conversion.module(image).numpy()
        assert np.abs(run(image.numpy()) - expected).max() <= 1e-5 * np.abs(expected).max()


def test_the_page_has_ratios_within_a_round() -> None:
    seconds = {GLOBAL: [1.0, 2.0], FOR_OPENVINO: [0.9, 1.8]}
    page = document([Row(Subject("Net", nn.Identity, 64, (96, 128), "half of it"), seconds, "onnxsim")])
    assert "| Net | 96x128 | 1500 | 0.90 |" in page
    assert "- Net: half of it; trained at 64; fastest export: onnxsim." in page
    assert "Median over 2 rounds" in page
