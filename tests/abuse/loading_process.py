"""Loads files, one a line of its input, in a process that can crash or hang without taking the tests with it.

Each line is a JSON object with ``path`` and ``allow_pickle``, each answer one with

    outcome    "loaded", "refused", or the name of an exception that must not come out of loading
    said       the sentence
    weights    sha256 of the network's parameters, where it was loaded
    seconds    of the wall clock
    peak       bytes of memory beyond what was in use before, the processes it starts included
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import torch

from tlcconvert.errors import InputError
from tlcconvert.load.network_file import load_network, register_architectures


def weights_of(named: Any) -> str:
    """A digest of float32 tensors by name, for one to compare with another."""
    digest = hashlib.sha256()
    for name, tensor in sorted(named, key=lambda each: each[0]):
        digest.update(name.encode(errors="replace"))
        digest.update(tensor.detach().float().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _outcome(path: Path, allow_pickle: bool) -> dict[str, Any]:
    try:
        network = load_network(path, allow_pickle=allow_pickle)
    except InputError as error:
        return {"outcome": "refused", "said": str(error)}
    except BaseException as error:
        return {"outcome": type(error).__name__, "said": str(error)[:500]}
    return {"outcome": "loaded", "said": "", "weights": weights_of(network.module.named_parameters())}


def _memory(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) << 10


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    Path("/proc/self/clear_refs").write_text("5")
    before, start = _memory("VmRSS:"), time.monotonic()
    answer = _outcome(Path(request["path"]), request["allow_pickle"])
    answer["seconds"] = time.monotonic() - start
    answer["peak"] = _memory("VmHWM:") - before
    answer["children"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10
    return answer


def main() -> None:
    # What libraries print must not be taken for an answer, and is one of the things judged.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    torch.set_num_threads(1)
    register_architectures()
    torch.export.export(torch.nn.Conv2d(3, 3, 3), (torch.rand(1, 3, 8, 8),))  # its imports, once
    for line in sys.stdin:
        answers.write(json.dumps(_answer(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
