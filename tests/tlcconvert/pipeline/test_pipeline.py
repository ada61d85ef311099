"""A pipeline can be printed, cut short and watched; what it leaves out changes no number."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from spandrel.architectures.NAFNet import NAFNet
from torch import nn

import tlcconvert
from tlcconvert import Conversion, Dtype, InputError, Target
from tlcconvert.network.network_inputs import NetworkInputs
from tlcconvert.options import Options
from tlcconvert.pipeline import NetworkFacts, Pipeline, pipeline
from tlcconvert.sizes.output_extents import Extent, Extents
from tlcconvert.sizes.size_requirements import SizeRequirements

TRAIN_SIZE = 16


def network() -> nn.Module:
    """A NAFNet whose head has a batch norm to fold, and a PReLU of one slope."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 3, 3, padding=1),
        nn.BatchNorm2d(3),
        nn.PReLU(),
        NAFNet(width=8, enc_blk_nums=[1], middle_blk_num=1, dec_blk_nums=[1]),
    )
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)
    return module.eval()


def steps_of(**options: object) -> Pipeline:
    facts = NetworkFacts(
        SizeRequirements(8, 8, 1, 4096),
        [Extents(Extent(1), Extent(1))],
        NetworkInputs(3, ()),
        ["output"],
        network(),
    )
    return pipeline(Options(train_size=(TRAIN_SIZE, TRAIN_SIZE), **options), facts)  # type: ignore[arg-type]


PIPELINES = {
    "portable": steps_of(),
    "onnxruntime-cpu": steps_of(target=Target.ONNXRUNTIME_CPU),
    "openvino": steps_of(target=Target.OPENVINO),
    "tensorrt": steps_of(target=Target.TENSORRT, static_size=(32, 48)),
    "float16": steps_of(dtype=Dtype.FLOAT16),
    "nothing local": steps_of(localize_statistics=False),
    "nothing folded": steps_of(fold_branches=False),
}


@pytest.mark.parametrize("name", PIPELINES)
def test_every_step_has_a_name_of_its_own_and_a_reason(name: str) -> None:
    steps = PIPELINES[name].steps
    assert len({step.name for step in steps}) == len(steps)
    assert all(step.because for step in steps)


def test_a_printed_pipeline_tells_every_step_in_order() -> None:
    text = str(PIPELINES["portable"])
    names = [step.name for step in PIPELINES["portable"].steps]
    assert [line.split()[0].rstrip(":") for line in text.splitlines() if line.startswith(" ")] == names
    assert text.startswith("fold\n")


def test_no_option_leaves_a_step_behind_that_does_nothing_for_it() -> None:
    names = {kind: {step.name for step in steps.steps} for kind, steps in PIPELINES.items()}
    assert "fix_sizes" not in names["portable"]
    assert [kind for kind, steps in names.items() if "running_sums" in steps] == ["onnxruntime-cpu"]
    assert "localize" not in names["nothing local"]
    assert "affine_regions" not in names["nothing folded"]


@pytest.fixture(scope="module")
def whole() -> Conversion:
    return tlcconvert.convert(network(), TRAIN_SIZE)


def output_of(model: onnx.ModelProto) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    image = np.random.default_rng(0).random((2, 3, 37, 45), dtype=np.float32)
    return np.asarray(session.run(None, {"input": image})[0], dtype=np.float64)


def test_the_journal_has_an_entry_per_step_and_the_report_all_of_it(whole: Conversion) -> None:
    entries = {entry.name: entry for entry in whole.journal}
    assert entries["batch_norm"].result.rewrites
    assert entries["single_slope_prelu"].result.rewrites
    assert entries["localize"].result.rewrites
    assert entries["channel_mean"].result.rewrites
    assert entries["tidy"].nodes == len(whole.model.graph.node)
    assert whole.rewrites == tuple(change for entry in whole.journal for change in entry.result.rewrites)
    report = json.loads(json.dumps(whole.report()))
    assert [step["name"] for step in report["steps"]] == [entry.name for entry in whole.journal]
    assert sum(len(step["rewrites"]) for step in report["steps"]) == len(whole.rewrites)


OPTIONAL = [step.name for step in PIPELINES["portable"].steps if not step.is_required]


@pytest.mark.parametrize("names", [OPTIONAL, *([name] for name in OPTIONAL)], ids=lambda names: names[0])
@pytest.mark.full
def test_a_step_that_is_left_out_changes_no_number(names: list[str], whole: Conversion) -> None:
    conversion = tlcconvert.convert(network(), TRAIN_SIZE, without=names)
    assert {entry.name for entry in conversion.journal} == {entry.name for entry in whole.journal} - {*names}
    expected = output_of(whole.model)
    assert np.abs(output_of(conversion.model) - expected).max() <= 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize(
    ("name", "reason"), [("localize", "is required"), ("loop", "is no step of this conversion")]
)
def test_what_cannot_be_left_out_is_refused_by_name(name: str, reason: str) -> None:
    with pytest.raises(InputError, match=rf"^The step {name} {reason}; those that can be left out: .*gelu"):
        tlcconvert.convert(network(), TRAIN_SIZE, without=[name])


def test_a_dump_has_the_graph_after_every_step(tmp_path: Path, whole: Conversion) -> None:
    folder = tmp_path / "steps"
    tlcconvert.convert(network(), TRAIN_SIZE, dump=folder)
    files = sorted(path.name for path in folder.iterdir())
    names = ["capture", *(entry.name for entry in whole.journal)]
    assert files == [f"{number:02}-{name}.txt" for number, name in enumerate(names)]
    texts = {path.name.split("-")[1]: path.read_text() for path in folder.iterdir()}
    assert "tlc.local_mean" not in texts["capture.txt"]
    assert "tlc.local_mean" in texts["localize.txt"]
    assert "AveragePool" in texts["tidy.txt"]


def test_a_dump_of_a_conversion_that_fails_shows_how_far_it_came(tmp_path: Path) -> None:
    with pytest.raises(tlcconvert.StrictError):
        tlcconvert.convert(SpectralGate(), TRAIN_SIZE, dump=tmp_path / "steps", strict=True)
    assert any(path.name.endswith("localize.txt") for path in (tmp_path / "steps").iterdir())


class SpectralGate(nn.Module):
    """A gate on frequencies, which no window can be cut from."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        spectrum = torch.fft.rfft2(self.convolution(image)).abs()
        return image * spectrum.mean((2, 3), keepdim=True)


def test_a_folder_with_files_in_it_is_not_dumped_to(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match=r"has files in it: name an empty folder\.$"):
        tlcconvert.convert(network(), TRAIN_SIZE, dump=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
