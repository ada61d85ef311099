"""A damaged file is refused in one sentence, or it is the network its format's own library reads from it.

Where an archive has checksums, a network from a file whose bytes were damaged is the undamaged one.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from spandrel.architectures.NAFNet import NAFNet
from torch import nn

from tests.abuse.loading_process import weights_of
from tests.abuse.mutations import ARCHIVE, BYTES, SAFETENSORS, Change, mutated
from tests.abuse.strangers_files import LoadingProcess

FEW, MANY = 14, 1_000


@dataclass(frozen=True)
class Format:
    """A way to keep a network in a file, and who else reads it."""

    make: Callable[[nn.Module], bytes]
    suffix: str
    changes: list[Change]
    allow_pickle: bool = False


def _saved(content: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream, **options)
    return stream.getvalue()


def _program(network: nn.Module) -> bytes:
    stream = io.BytesIO()
    torch.export.save(torch.export.export(network, (torch.rand(1, 3, 16, 16),)), stream)
    return stream.getvalue()


FORMATS = {
    "zip": Format(lambda network: _saved(network.state_dict()), ".pth", [*BYTES, *ARCHIVE]),
    "plain": Format(
        lambda network: _saved(network.state_dict(), _use_new_zipfile_serialization=False), ".pth", BYTES
    ),
    "safetensors": Format(
        lambda network: save_safetensors(network.state_dict()), ".safetensors", [*BYTES, *SAFETENSORS * 2]
    ),
    "pickled module": Format(_saved, ".pt", [*BYTES, *ARCHIVE], allow_pickle=True),
    "plain pickled module": Format(
        lambda network: _saved(network, _use_new_zipfile_serialization=False), ".pt", BYTES, allow_pickle=True
    ),
    "program": Format(_program, ".pt2", [*BYTES, *ARCHIVE], allow_pickle=True),
}


def _network() -> nn.Module:
    torch.manual_seed(0)
    network = NAFNet(width=8, enc_blk_nums=[1], middle_blk_num=1, dec_blk_nums=[1]).eval()
    for parameter in network.parameters():
        nn.init.normal_(parameter)
    return network


def _read_by_its_library(content: bytes, kind: Format) -> str:
    """The weights that the format's own library reads, or "" where it reads none.

    What the tool must agree with: it has no part in this.
    """
    with contextlib.suppress(Exception), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind.suffix == ".safetensors":
            read: Any = load_safetensors(content)
        elif kind.suffix == ".pt2":
            read = dict(torch.export.load(io.BytesIO(content)).named_parameters())
        else:
            read = torch.load(io.BytesIO(content), weights_only=not kind.allow_pickle)
        named = dict(read.named_parameters()) if isinstance(read, nn.Module) else read
        return weights_of(named.items())
    return ""


def _judge(loading: LoadingProcess, folder: Path, name: str, numbers: range) -> Counter[str]:
    kind = FORMATS[name]
    content = kind.make(_network())
    path = folder / f"mutated{kind.suffix}"
    path.write_bytes(content)
    right = loading.load(path, allow_pickle=kind.allow_pickle)
    assert right.outcome == "loaded", right
    met: Counter[str] = Counter()
    for number in numbers:
        change, damaged = mutated(content, number, kind.changes)
        path.write_bytes(damaged)
        outcome = loading.load(path, allow_pickle=kind.allow_pickle)
        where = f"{name}, mutation {number} ({change}): {outcome}"
        assert outcome.outcome in ("loaded", "refused"), where
        outcome.assert_bounded(len(damaged))
        if outcome.outcome == "loaded" and outcome.weights != right.weights:
            assert kind.changes is not FORMATS["zip"].changes or change.startswith("member"), where
            assert outcome.weights == _read_by_its_library(damaged, kind), where
        met[outcome.outcome if damaged != content else "as before"] += 1
    return met


@pytest.mark.parametrize("name", FORMATS)
def test_a_few_mutations_are_refused_or_read_right(
    tmp_path: Path, loading: LoadingProcess, name: str
) -> None:
    met = _judge(loading, tmp_path, name, range(FEW))
    assert met["refused"] > FEW // 3, met


@pytest.mark.full
@pytest.mark.parametrize("name", FORMATS)
def test_a_thousand_mutations_are_refused_or_read_right(
    tmp_path: Path, loading: LoadingProcess, name: str, record_property: Callable[[str, object], None]
) -> None:
    met = _judge(loading, tmp_path, name, range(MANY))
    record_property("outcomes", dict(met))
    print(f"{name}: {dict(met)}")
    assert met["refused"] > MANY // 3, met
