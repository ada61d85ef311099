"""Where an output is from: hashes are those of the files that are written, and a command can be typed again."""

from __future__ import annotations

import hashlib
import shlex
from importlib.metadata import version
from pathlib import Path

from tlcconvert.output.write import bytes_at, write_together
from tlcconvert.report.provenance import provenance


def test_hash_and_length_are_those_of_the_file_that_is_written(tmp_path: Path) -> None:
    output = bytes_at(tmp_path / "out.onnx", b"content")
    (named,) = provenance([], "model.pth", [output])["outputs"]
    write_together([output])
    written = (tmp_path / "out.onnx").read_bytes()
    assert named == {"name": "out.onnx", "bytes": len(written), "sha256": hashlib.sha256(written).hexdigest()}


def test_a_command_with_odd_names_can_be_typed_again() -> None:
    arguments = ["my model's.pth", "-o", "$(touch x).onnx"]
    assert shlex.split(provenance(arguments, "m", [])["command"]) == ["tlcconvert", *arguments]


def test_versions_are_those_that_are_installed() -> None:
    versions = provenance([], "m", [])["versions"]
    assert versions["torch"] == version("torch") and versions["onnxruntime"] == version("onnxruntime")
