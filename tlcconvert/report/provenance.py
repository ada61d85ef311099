"""Where a report's output is from: the command, the files, and the versions of all that took part."""

from __future__ import annotations

import hashlib
import io
import platform
import shlex
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from tlcconvert.output.report_schema import NamedFile, Provenance
from tlcconvert.output.write import Output

_PACKAGES = ("tlcconvert", "torch", "onnx", "onnxruntime", "onnxscript", "spandrel")


def provenance(arguments: Sequence[str], network: str, outputs: Sequence[Output]) -> Provenance:
    """Of files that are about to be written.

    Args:
        arguments: of the command, as they were typed.
        network: the file or the factory the network is from.
        outputs: the files that hold the network; each is filled once more, to be hashed.
    """
    return {
        "command": shlex.join(["tlcconvert", *arguments]),
        "network": network,
        "outputs": [_named(output) for output in outputs],
        "versions": {
            "python": platform.python_version(),
            **{package: version(package) for package in _PACKAGES},
        },
    }


def _named(output: Output) -> NamedFile:
    stream = _Hashing()
    output.fill(stream)
    return {"name": Path(output.path).name, "bytes": stream.length, "sha256": stream.digest.hexdigest()}


class _Hashing(io.BytesIO):
    """A stream that keeps the hash of what is written to it, and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.digest = hashlib.sha256()
        self.length = 0

    def write(self, data: object) -> int:
        content = memoryview(data)  # type: ignore[arg-type]
        self.digest.update(content)
        self.length += content.nbytes
        return content.nbytes
