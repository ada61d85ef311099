"""State dicts that ask for networks out of all proportion, or whose numbers mean nothing, are refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from spandrel.architectures.NAFNet import NAFNet
from spandrel.architectures.RCAN import RCAN
from spandrel.architectures.SwinIR import SwinIR

from tests.abuse.strangers_files import LoadingProcess


def _nafnet() -> dict[str, Any]:
    torch.manual_seed(0)
    return dict(NAFNet(width=8, enc_blk_nums=[1], middle_blk_num=1, dec_blk_nums=[1]).state_dict())


def _rcan() -> dict[str, Any]:
    return dict(RCAN(n_resgroups=1, n_resblocks=1, n_feats=8, reduction=4).state_dict())


def _layers(number: int | str) -> dict[str, Any]:
    return {**_nafnet(), f"middle_blks.{number}.beta": torch.zeros(1, 8, 1, 1)}


def _layers_of_layers() -> dict[str, Any]:
    one = torch.zeros(1)
    return {**_rcan(), "body.900.x": one, "body.0.body.900.x": one}


def _large_window() -> dict[str, Any]:
    state = dict(
        SwinIR(img_size=8, window_size=8, embed_dim=12, depths=[2], num_heads=[2], upsampler="").state_dict()
    )
    for name in state:
        if name.endswith("relative_position_index"):
            state[name] = torch.zeros(40_000, 1, dtype=torch.int64)
    return state


def _upscaled() -> dict[str, Any]:
    state = _rcan()
    for number in range(0, 10, 2):
        state[f"tail.0.{number}.weight"] = torch.zeros(8 * 64, 8, 3, 3)
        state[f"tail.0.{number}.bias"] = torch.zeros(8 * 64)
    return state


COSTLY: dict[str, Callable[[], dict[str, Any]]] = {
    "a billionth layer": lambda: _layers(10**9),
    "a layer of a number of a thousand digits": lambda: {
        **_nafnet(),
        f"middle_blks.{'9' * 1000}.beta": torch.zeros(1),
    },
    "a layer of a number in other digits": lambda: {**_nafnet(), "middle_blks.٩٩٩٩٩٩٩.beta": torch.zeros(1)},
    "a thousand layers without weights": lambda: _layers(1_000),
    "layers of layers": _layers_of_layers,
    "a window of 200 pixels": _large_window,
    "an output of 32,768 times the image": _upscaled,
    "no channels": lambda: {**_nafnet(), "intro.weight": torch.zeros(0, 3, 3, 3)},
    "a width of no elements": lambda: {**_nafnet(), "intro.weight": torch.zeros(8, 0, 3, 3)},
    "a number instead of a weight": lambda: {**_nafnet(), "intro.weight": 3},
    "a text instead of a weight": lambda: {**_nafnet(), "intro.weight": "x" * 10_000},
    "a weight without axes": lambda: {**_nafnet(), "intro.weight": torch.tensor(1.0)},
    "a weight of 30 axes": lambda: {**_nafnet(), "intro.weight": torch.zeros([1] * 30)},
    "a name that is no text": lambda: {**_nafnet(), 3: torch.zeros(1)},
    "a name of control characters": lambda: {**_nafnet(), "\x1b[2J\n\x07": torch.zeros(1)},
    "a name of a megabyte": lambda: {**_nafnet(), "x" * 1_000_000: torch.zeros(1)},
    "a name of dots": lambda: {**_nafnet(), "." * 10_000: torch.zeros(1)},
    "three thousand weights too many": lambda: {
        **_nafnet(),
        **{f"x.{i}": torch.zeros(1) for i in range(3_000)},
    },
}


@pytest.mark.parametrize("kind", COSTLY)
def test_a_state_dict_out_of_all_proportion_is_refused(
    tmp_path: Path, loading: LoadingProcess, kind: str
) -> None:
    path = tmp_path / "state.pth"
    torch.save(COSTLY[kind](), path)
    outcome = loading.load(path)
    outcome.assert_refused(path.stat().st_size)
    assert outcome.children < (1 << 30) + 3 * path.stat().st_size, outcome


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_weight_that_is_not_finite_is_named(
    tmp_path: Path, loading: LoadingProcess, number: float, suffix: str
) -> None:
    state, path = _nafnet(), tmp_path / f"state{suffix}"
    state["middle_blks.0.conv3.bias"][3] = number
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    outcome = loading.load(path)
    outcome.assert_refused(path.stat().st_size)
    assert "'middle_blks.0.conv3.bias'" in outcome.said and "not finite" in outcome.said


@pytest.mark.parametrize("dtype", [torch.int8, torch.int64, torch.bool, torch.complex64])
def test_a_weight_that_is_no_real_number_is_named(
    tmp_path: Path, loading: LoadingProcess, dtype: torch.dtype
) -> None:
    state = _nafnet()
    state["middle_blks.0.conv3.bias"] = state["middle_blks.0.conv3.bias"].to(dtype)
    torch.save(state, tmp_path / "state.pth")
    outcome = loading.load(tmp_path / "state.pth")
    outcome.assert_refused(0)
    assert "'middle_blks.0.conv3.bias'" in outcome.said and str(dtype).removeprefix("torch.") in outcome.said


def test_a_training_checkpoint_with_everything_in_it_is_read(tmp_path: Path, loading: LoadingProcess) -> None:
    network = NAFNet(width=8, enc_blk_nums=[1], middle_blk_num=1, dec_blk_nums=[1])
    optimizer = torch.optim.AdamW(network.parameters())
    sum(parameter.sum() for parameter in network.parameters()).backward()
    optimizer.step()
    tagged = torch.nn.Parameter(torch.ones(2))
    tagged.tag = "attributes are saved"  # type: ignore[attr-defined]
    content = {
        "state_dict": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "schedule": torch.optim.lr_scheduler.MultiStepLR(optimizer, [10, 20, 20]).state_dict(),
        "random": torch.get_rng_state(),
        "log": [0.1] * 20_000,
        "views of one storage": [network.intro.weight, network.intro.weight[:2], network.intro.weight.mT],
        "expanded": torch.zeros(1).expand(50),
        "empty": torch.zeros(0, 3),
        "others": [
            torch.Size([1]),
            torch.device("cpu"),
            torch.float16,
            1 + 2j,
            b"abc",
            bytearray(b"x"),
            {1},
            None,
        ],
        "tagged": tagged,
        "deep": {"a": [({"b": (1, (2, (3,)))},)]},
    }
    for zipped in (True, False):
        torch.save(content, tmp_path / "training.pth", _use_new_zipfile_serialization=zipped)
        outcome = loading.load(tmp_path / "training.pth")
        assert outcome.outcome == "loaded", outcome
