"""The page on metadata says of every key in every file what it is, and names none that no file has."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_type_hints

import onnx
import pytest
import torch
from torch import nn

import tlcconvert
from tests.tlcconvert.classsr.classsr_networks import small_network
from tests.tlcconvert.output.schema_fit import fits
from tlcconvert.classsr import convert_classsr
from tlcconvert.convert import as_asked, begin, convert_begun, known
from tlcconvert.diagnose import diagnose_begun
from tlcconvert.options import Options
from tlcconvert.output.metadata_schema import DiagnosisSummary, Metadata, OutputExtents, Window

PAGE = (Path(__file__).parents[3] / "docs" / "metadata.md").read_text()
ROWS = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|", PAGE, re.MULTILINE)
TYPES: dict[str, Any] = {
    "text": str,
    "whole number": int,
    "number": float,
    "true or false": bool,
    "list of whole numbers": list[int],
    "list of numbers": list[float],
    "list of extents": list[OutputExtents | None],
    "list of windows": list[Window],
    "diagnosis": DiagnosisSummary,
}
ALWAYS = {key for key, _, there in ROWS if there == "always"}
IN_A_CLASSSR = {key for key, _, there in ROWS if there.startswith("a ClassSR")}
LOCAL = ("wrapped", "fast", "static", "limited", "diagnosed")
WHERE_LOCAL = {key for key, _, there in ROWS if there == "statistics were made local"}


class Halved(nn.Module):
    """Half as large as the image, of even sizes only, with a channel attention."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 3, 3, stride=2, padding=1)
        self.second = nn.Conv2d(3, 3, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.first(image)
        rows = x.reshape(x.shape[0], 3, x.shape[2] // 2, 2, x.shape[3]).flatten(2, 3)
        return rows * self.second(x.mean((2, 3), keepdim=True))


class UpToAHundred(nn.Module):
    """A program of it is proven for images of up to 100 pixels on a side alone."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image * image.mean((2, 3), keepdim=True)


def limited() -> torch.export.ExportedProgram:
    sizes = {2: torch.export.Dim("height", min=4, max=100), 3: torch.export.Dim("width", min=4, max=100)}
    return torch.export.export(
        UpToAHundred(),
        (torch.rand(2, 3, 40, 48),),
        dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=4096), **sizes},),
    )


def diagnosed(network: nn.Module) -> tlcconvert.Conversion:
    asked, options = as_asked(known(network), Options(12, verify_sizes=[(16, 24)]))
    begun = begin(asked, options)
    images = [torch.rand(3, 32, 40, generator=torch.Generator().manual_seed(0))]
    return convert_begun(begun, options, diagnose_begun(begun, images, [], options))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    torch.manual_seed(0)
    network, small = Halved().eval(), {"verify_sizes": [(16, 24)]}
    pixels = tlcconvert.Pixels((0.0, 1.0), "RGB")
    converted = {
        "wrapped": tlcconvert.convert(network, 12, pixels=pixels, **small),
        "fast": tlcconvert.convert(network, 64, fast=True, size_wrapper=False, **small),
        "static": tlcconvert.convert(network, 12, static_size=(16, 24)),
        "global": tlcconvert.convert(UpToAHundred().eval(), localize_statistics=False, **small),
        "limited": tlcconvert.convert(limited(), 12, **small),
        "diagnosed": diagnosed(network),
        "ClassSR": convert_classsr(small_network()),
        "ClassSR with knobs": convert_classsr(small_network(), knobs=True),
    }
    folder = tmp_path_factory.mktemp("files")
    for name, conversion in converted.items():
        conversion.save(folder / f"{name}.onnx")
    return {name: folder / f"{name}.onnx" for name in converted}


def stored(path: Path) -> dict[str, str]:
    return {entry.key: entry.value for entry in onnx.load(path).metadata_props}


def test_the_page_has_the_keys_of_the_schema_and_their_types() -> None:
    assert {key: TYPES[kind] for key, kind, _ in ROWS} == get_type_hints(Metadata)


@pytest.mark.full
def test_every_key_of_a_file_is_on_the_page_and_every_key_on_the_page_is_in_a_file(
    files: dict[str, Path],
) -> None:
    found = {key for path in files.values() for key in stored(path)}
    assert found == {key for key, _, _ in ROWS}


@pytest.mark.full
def test_every_value_is_of_the_type_the_page_says(files: dict[str, Path]) -> None:
    kinds = {key: TYPES[kind] for key, kind, _ in ROWS}
    for path in files.values():
        for key, value in tlcconvert.read_metadata(path).items():
            assert fits(value, kinds[key]), (path.stem, key, value)


@pytest.mark.full
def test_a_key_is_there_when_the_page_says(files: dict[str, Path]) -> None:
    for name, path in files.items():
        keys = stored(path).keys()
        is_classsr, is_local = name.startswith("ClassSR"), name in LOCAL
        assert keys >= ALWAYS
        assert bool(keys & IN_A_CLASSSR) == is_classsr
        assert ("cost_unit" in keys) == ("cost_per_patch" in keys) == (name == "ClassSR with knobs")
        assert ("size_wrapper" in keys) == ("size_multiple" in keys) == (not is_classsr)
        assert (keys & WHERE_LOCAL == WHERE_LOCAL) if is_local else not keys & WHERE_LOCAL
        assert ("static_size" in keys) == (name == "static")
        assert ("size_maximum" in keys) == (name == "limited")
        assert ("diagnosis" in keys) == (name == "diagnosed")


@pytest.mark.full
def test_what_a_file_says_is_read_as_it_is(files: dict[str, Path]) -> None:
    facts = tlcconvert.read_metadata(files["wrapped"])
    assert (facts["schema"], facts["target"], facts["input_channels"]) == ("1", "portable", 3)
    assert (facts["size_wrapper"], facts["size_multiple"]) == (True, 4)
    assert facts["train_size"] == [12, 12]
    assert facts["value_range"] == [0.0, 1.0]
    assert facts["color_order"] == "RGB"
    assert not facts["fast"]
    assert tlcconvert.read_metadata(files["fast"])["fast"]
    (window,) = facts["windows"]
    assert window["window"] == [9, 9]
    assert tlcconvert.read_metadata(files["ClassSR with knobs"])["cost_unit"] == "multiply-adds"


@pytest.mark.full
def test_keys_of_a_later_version_are_left_out(files: dict[str, Path], tmp_path: Path) -> None:
    model = onnx.load(files["global"])
    model.metadata_props.add(key="a_key_to_come", value="not JSON")
    onnx.save(model, tmp_path / "later.onnx")
    assert tlcconvert.read_metadata(tmp_path / "later.onnx") == tlcconvert.read_metadata(files["global"])


@pytest.mark.full
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"schema": "2"}, "is of schema '2'; this version reads schema 1"),
        ({"schema": None}, "is of schema none"),
        ({"tlcconvert_version": None}, "says nothing of itself"),
        ({"input_channels": "three"}, "is damaged"),
    ],
)
def test_a_file_of_another_schema_is_refused(
    files: dict[str, Path], tmp_path: Path, changes: dict[str, str | None], reason: str
) -> None:
    model = onnx.load(files["global"])
    facts = stored(files["global"]) | changes
    del model.metadata_props[:]
    for key, value in facts.items():
        if value is not None:
            model.metadata_props.add(key=key, value=value)
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(tlcconvert.InputError, match=reason):
        tlcconvert.read_metadata(tmp_path / "other.onnx")


def test_what_is_no_onnx_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(tlcconvert.InputError, match=r"model\.onnx cannot be read as an ONNX file"):
        tlcconvert.read_metadata(tmp_path / "model.onnx")
    with pytest.raises(tlcconvert.InputError, match="cannot be read"):
        tlcconvert.read_metadata(tmp_path / "missing.onnx")
