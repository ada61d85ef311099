"""Every file a person may hand over becomes a network or one clear sentence, and none runs code by itself."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from spandrel.architectures.NAFNet import NAFNet
from torch import Tensor, nn

from tlcconvert.errors import InputError
from tlcconvert.load import Network, load_factory, load_network
from tlcconvert.network.input_channels import input_channels_of

_DYNAMIC = {0: torch.export.Dim.DYNAMIC, 2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}


def _nafnet() -> nn.Module:
    torch.manual_seed(0)
    network = NAFNet(width=8, enc_blk_nums=[1], middle_blk_num=1, dec_blk_nums=[1])
    for name, parameter in network.named_parameters():
        if name.endswith(("beta", "gamma")):
            nn.init.normal_(parameter)
    return network.eval()


def _module(network: Network) -> nn.Module:
    assert isinstance(network.module, nn.Module)
    return network.module


def _assert_computes_the_same(loaded: Network, original: nn.Module, tolerance: float = 0.0) -> None:
    image = torch.rand(1, 3, 17, 20)
    with torch.no_grad():
        torch.testing.assert_close(_module(loaded)(image), original(image), rtol=tolerance, atol=tolerance)


class RunsCode:
    """Creates a file when unpickled."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.witness),)


@pytest.mark.parametrize(
    "wrap", [lambda d: d, lambda d: {"params": d}, lambda d: {"state_dict": d, "epoch": 3}]
)
@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_state_dict_is_recognised_however_it_was_saved(tmp_path: Path, wrap: Any, prefix: str) -> None:
    network = _nafnet()
    path = tmp_path / "network.ckpt"
    torch.save(wrap({prefix + name: tensor for name, tensor in network.state_dict().items()}), path)
    loaded = load_network(path)
    assert (loaded.architecture, loaded.input_channels, loaded.output_channels) == ("NAFNet", 3, 3)
    assert (loaded.scale, loaded.output_index) == (1, 0)
    assert not _module(loaded).training
    _assert_computes_the_same(loaded, network)


def test_the_content_counts_and_not_the_extension(tmp_path: Path) -> None:
    network = _nafnet()
    save_file(network.state_dict(), tmp_path / "a.pth")
    torch.save(network.state_dict(), tmp_path / "b.weights")
    torch.save(network.state_dict(), tmp_path / "c.pt", _use_new_zipfile_serialization=False)
    for path in tmp_path.iterdir():
        _assert_computes_the_same(load_network(path), network)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_weights_are_upcast(tmp_path: Path, dtype: torch.dtype) -> None:
    network = _nafnet()
    path = tmp_path / "half.pth"
    torch.save({name: tensor.to(dtype) for name, tensor in network.state_dict().items()}, path)
    loaded = load_network(path)
    assert {parameter.dtype for parameter in _module(loaded).parameters()} == {torch.float32}
    _assert_computes_the_same(loaded, network.to(dtype).float(), 1e-6)


def test_the_hash_is_that_of_the_file(tmp_path: Path) -> None:
    import hashlib

    path = tmp_path / "network.pth"
    torch.save(_nafnet().state_dict(), path)
    assert load_network(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("new_format", [True, False])
def test_a_pickled_module_needs_permission_and_the_error_names_its_globals(
    tmp_path: Path, new_format: bool
) -> None:
    path = tmp_path / "pickled.pt"
    torch.save(_nafnet(), path, _use_new_zipfile_serialization=new_format)
    with pytest.raises(InputError, match=r"NAFNet.*--allow-pickle"):
        load_network(path)
    loaded = load_network(path, allow_pickle=True)
    assert loaded.input_channels == 3
    _assert_computes_the_same(loaded, _nafnet())


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("new_format", [True, False])
def test_looking_for_unsafe_globals_runs_nothing(tmp_path: Path, protocol: int, new_format: bool) -> None:
    witness = tmp_path / "ran"
    path = tmp_path / "hostile.pth"
    content = {"weight": torch.zeros(1), "evil": RunsCode(witness)}
    torch.save(content, path, pickle_protocol=protocol, _use_new_zipfile_serialization=new_format)
    with pytest.raises(InputError, match=r"posix\.mkdir|nt\.mkdir"):
        load_network(path)
    assert not witness.exists()


def test_a_plain_pickle_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    witness = tmp_path / "ran"
    (tmp_path / "hostile.pth").write_bytes(pickle.dumps(RunsCode(witness)))
    with pytest.raises(InputError, match="mkdir"):
        load_network(tmp_path / "hostile.pth")
    assert not witness.exists()


def _saved_program(path: Path) -> nn.Module:
    network = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.Upsample(scale_factor=2)).eval()
    program = torch.export.export(network, (torch.rand(2, 3, 8, 9),), dynamic_shapes=(_DYNAMIC,))
    torch.export.save(program, path)
    return network


def test_an_exported_program_needs_permission_and_is_loaded_with_its_symbols(tmp_path: Path) -> None:
    network = _saved_program(tmp_path / "program.pt2")
    with pytest.raises(InputError, match=r"exported program.*run code.*--allow-pickle.*--model"):
        load_network(tmp_path / "program.pt2")
    loaded = load_network(tmp_path / "program.pt2", allow_pickle=True)
    assert isinstance(loaded.module, torch.export.ExportedProgram)
    assert loaded.input_channels == 3
    image = torch.rand(3, 3, 11, 14)
    torch.testing.assert_close(loaded.module.module()(image), network(image))


@pytest.mark.parametrize("renamed", ["program.pth", "program.safetensors.pt", "program"])
def test_an_exported_program_by_another_name_is_one(tmp_path: Path, renamed: str) -> None:
    _saved_program(tmp_path / "program.pt2")
    (tmp_path / "program.pt2").rename(tmp_path / renamed)
    with pytest.raises(InputError, match=r"exported program.*--allow-pickle"):
        load_network(tmp_path / renamed)


@pytest.mark.parametrize("member", ["archive_format", "archive_version", "models/model.json"])
def test_an_exported_program_that_lacks_a_mark_runs_nothing(tmp_path: Path, member: str) -> None:
    witness = tmp_path / "ran"
    _saved_program(tmp_path / "good.pt2")
    hostile = _as_bytes(RunsCode(witness))
    with zipfile.ZipFile(tmp_path / "good.pt2") as old, zipfile.ZipFile(tmp_path / "bad.pt2", "w") as new:
        for name in old.namelist():
            if not name.endswith(member):
                new.writestr(name, hostile if name.endswith(".pt") else old.read(name))
    with pytest.raises(InputError):
        load_network(tmp_path / "bad.pt2")
    assert not witness.exists()


def _as_bytes(content: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()


def test_torchscript_is_refused_with_what_to_save_instead(tmp_path: Path) -> None:
    path = tmp_path / "script.pt"
    torch.jit.save(torch.jit.trace(nn.Conv2d(3, 3, 3), torch.rand(1, 3, 16, 16)), path)
    with pytest.raises(InputError, match=r"TorchScript.*state_dict"):
        load_network(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.pth does not exist"):
        load_network(tmp_path / "nowhere.pth")


def test_a_directory_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a directory"):
        load_network(tmp_path)


def test_an_unreadable_file_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "locked.pth"
    path.write_bytes(b"x")
    path.chmod(0)
    if os.access(path, os.R_OK):  # root reads everything

        def denied(*_: Any, **__: Any) -> Any:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "open", denied)
    with pytest.raises(InputError, match="permission denied"):
        load_network(path)


@pytest.mark.parametrize("name", ["a.pth", "a.pt", "a.safetensors", "a.pt2", "a.ckpt"])
@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "is empty"), (b"\x93kas\x01" * 999, "damaged"), (b"\x80\x02}q\x00(X", "damaged")],
    ids=["empty", "random", "pickle cut off"],
)
def test_bytes_that_are_no_checkpoint_are_one_clear_sentence(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        load_network(path)
    assert "\n" not in str(caught.value)
    assert "weights_only" not in str(caught.value)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.95])
@pytest.mark.parametrize("kind", ["zip", "plain", "safetensors", "program"])
def test_a_truncated_file_is_one_clear_sentence(tmp_path: Path, kind: str, share: float) -> None:
    path = tmp_path / "network.pth"
    if kind == "safetensors":
        save_file(_nafnet().state_dict(), path)
    elif kind == "program":
        _saved_program(path)
    else:
        torch.save(_nafnet().state_dict(), path, _use_new_zipfile_serialization=kind == "zip")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match="damaged") as caught:
        load_network(path)
    assert "\n" not in str(caught.value)


def test_an_unknown_architecture_lists_near_matches_and_the_way_out(tmp_path: Path) -> None:
    state_dict = {name: tensor for name, tensor in _nafnet().state_dict().items() if "ending" not in name}
    torch.save(state_dict, tmp_path / "near.pth")
    with pytest.raises(InputError, match=r"nearest are NAFNet.*--model package\.module:factory"):
        load_network(tmp_path / "near.pth")


def test_an_architecture_like_none_says_so(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1), "b": torch.zeros(1)}, tmp_path / "far.pth")
    with pytest.raises(InputError, match=r"none comes close.*--model package\.module:factory"):
        load_network(tmp_path / "far.pth")


def test_weights_that_do_not_fit_their_architecture_are_told(tmp_path: Path) -> None:
    state_dict = _nafnet().state_dict()
    state_dict["middle_blks.0.conv3.weight"] = torch.zeros(5, 5, 3, 3)
    torch.save(state_dict, tmp_path / "odd.pth")
    with pytest.raises(InputError, match=r"looks like NAFNet.*--model"):
        load_network(tmp_path / "odd.pth")


def test_a_checkpoint_without_weights_is_told(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "empty.pth")
    with pytest.raises(InputError, match="holds no weights"):
        load_network(tmp_path / "empty.pth")


def test_a_noise_level_read_from_a_channel_becomes_an_input_beside_the_image(tmp_path: Path) -> None:
    from spandrel.architectures.DRUNet import DRUNet

    torch.manual_seed(0)
    network = DRUNet(in_nc=4, out_nc=3, nc=[4, 4, 4, 4], nb=2)
    torch.save(network.state_dict(), tmp_path / "drunet.pth")
    loaded = load_network(tmp_path / "drunet.pth")
    assert (loaded.input_channels, [extra.name for extra in loaded.extra_inputs]) == (3, ["noise_level"])
    image, level = torch.rand(2, 3, 16, 24), torch.rand(2, 1, 16, 24)
    torch.testing.assert_close(_module(loaded)(image, level), network(torch.cat([image, level], 1)))


_FACTORY = """
import torch
from torch import nn

def make():
    return nn.Sequential(nn.Conv2d(5, 3, 3, padding=1))

def wrong():
    return "network"

def fails():
    raise ValueError("no such width")
"""


@pytest.fixture
def in_a_directory_with_a_factory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "my_networks_for_load.py").write_text(_FACTORY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("in_a_directory_with_a_factory")
def test_a_factory_makes_a_network_no_registry_knows() -> None:
    state_dict = {"module.0.weight": torch.rand(3, 5, 3, 3), "module.0.bias": torch.rand(3)}
    torch.save({"state_dict": state_dict}, "weights.pth")
    loaded = load_factory("my_networks_for_load:make", "weights.pth")
    assert (loaded.input_channels, len(loaded.sha256)) == (5, 64)
    weight: Tensor = _module(loaded).state_dict()["0.weight"]
    assert torch.equal(weight, state_dict["module.0.weight"])
    assert load_factory("my_networks_for_load:make").sha256 == ""


@pytest.mark.usefixtures("in_a_directory_with_a_factory")
@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("my_networks_for_load", "write package.module:factory"),
        ("not_here_at_all:make", "not_here_at_all"),
        ("my_networks_for_load:nothing", "nothing"),
        ("my_networks_for_load:wrong", "returned a str"),
        ("my_networks_for_load:fails", "no such width"),
    ],
)
def test_a_factory_that_cannot_be_used_is_one_clear_sentence(target: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        load_factory(target)


@pytest.mark.usefixtures("in_a_directory_with_a_factory")
def test_weights_that_do_not_fit_the_factory_are_told() -> None:
    torch.save({"0.weight": torch.rand(3, 4, 3, 3), "0.bias": torch.rand(3)}, "weights.pth")
    with pytest.raises(InputError, match=r"do not fit the module.*size mismatch"):
        load_factory("my_networks_for_load:make", "weights.pth")


def test_input_channels_are_those_of_the_first_convolution() -> None:
    assert input_channels_of(nn.Sequential(nn.ReLU(), nn.Conv2d(7, 3, 1), nn.Conv2d(3, 1, 1))) == 7
    assert input_channels_of(nn.ReLU()) == 3


def test_a_loaded_network_leaves_the_image_it_is_given_as_it_is(tmp_path: Path) -> None:
    from spandrel.architectures.RCAN import RCAN

    torch.manual_seed(0)
    torch.save(
        RCAN(n_resgroups=1, n_resblocks=1, n_feats=16, reduction=4).state_dict(), tmp_path / "rcan.pth"
    )
    network = _module(load_network(tmp_path / "rcan.pth"))
    image = torch.rand(1, 3, 16, 16)
    given = image.clone()
    with torch.no_grad():
        network(given)
    assert torch.equal(given, image)


def test_an_output_is_found_among_several_even_if_it_overflows(tmp_path: Path) -> None:
    network = _nafnet()
    with torch.no_grad():
        network.get_parameter("ending.weight").fill_(3e38)
    torch.save(network.state_dict(), tmp_path / "large.pth")
    assert type(_module(load_network(tmp_path / "large.pth"))) is NAFNet
