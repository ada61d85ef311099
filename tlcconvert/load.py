"""From a file to a network: state dicts, exported programs and, on request, pickled modules.

What a file is, is read off its content, not its name. No code in a file runs unless ``allow_pickle`` says so.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from spandrel import MAIN_REGISTRY, ModelLoader, UnsupportedModelError
from torch import Tensor, nn
from torch.export import ExportedProgram

from tlcconvert.errors import InputError
from tlcconvert.exported_archive import is_program_archive, load_program
from tlcconvert.file_hash import sha256_of
from tlcconvert.input_channels import input_channels_of
from tlcconvert.near_architectures import near_architectures
from tlcconvert.network_inputs import ExtraInput
from tlcconvert.pixels import Pixels, registry_pixels
from tlcconvert.spandrel_network import network_of
from tlcconvert.unsafe_pickle import unsafe_globals

__all__ = ["Network", "input_channels_of", "load_factory", "load_network", "register_architectures"]

_FACTORY = "--model package.module:factory --weights FILE"
_WRAPPING_KEYS = ("model_state_dict", "state_dict", "params_ema", "params-ema", "params", "model", "net")
_PREFIXES = ("module.", "netG.", "_orig_mod.")


@dataclass(frozen=True)
class Network:
    """A network and what its file and the registry say about it.

    Attributes:
        module: the network in float32, in evaluation mode; or the exported program.
        architecture: its name in the registry, or ``""``.
        input_channels, output_channels: of the image, or None where nothing says.
        scale: output size over input size, or 0 where nothing says.
        multiple, minimum: what the registry says height and width must be a multiple of and at least; 1 and 0
            where it says nothing.
        output_index: which output is the restored image, or None where nothing says.
        pixels: what the image's values mean.
        extra_inputs: inputs after the image.
        stored_dtype: dtype of the weights in the file, e.g. ``"float16"``; they are upcast to float32.
        sha256: of the file, hexadecimal, or ``""`` if there is none.
    """

    module: nn.Module | ExportedProgram
    architecture: str = ""
    input_channels: int | None = None
    output_channels: int | None = None
    scale: int = 0
    multiple: int = 1
    minimum: int = 0
    output_index: int | None = None
    pixels: Pixels = field(default_factory=Pixels)
    extra_inputs: tuple[ExtraInput, ...] = field(default=())
    stored_dtype: str = "float32"
    sha256: str = ""


def load_network(path: str | Path, *, allow_pickle: bool = False) -> Network:
    """The network in the file at ``path``.

    Args:
        path: a state dict (``torch.save`` or safetensors) of an architecture that spandrel,
            spandrel_extra_arches (if installed) or this project knows; an exported program; a pickled module.
        allow_pickle: let the file run code, which a pickled module needs.

    Raises:
        InputError: the file cannot be read, or is none of these; the message says what to do.
    """
    path = Path(path)
    sha256 = _read_through(path)
    if _is_safetensors(path):
        return _network_of_state_dict(_load_safetensors(path), path, sha256)
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        if is_program_archive(names):
            return _network_of_program(load_program(path, trusted=allow_pickle), sha256)
        _refuse_torchscript(path, names)
    content = _load_checkpoint(path, allow_pickle)
    module = _module_in(content)
    if module is not None:
        return _network_of_module(module, sha256)
    return _network_of_state_dict(content, path, sha256)


def load_factory(target: str, weights: str | Path | None = None, *, allow_pickle: bool = False) -> Network:
    """The network that ``package.module:factory`` returns, with the state dict in ``weights`` loaded.

    Modules in the working directory can be named. The weights must fit exactly.

    Raises:
        InputError: the factory cannot be found or called, returns no module, or the weights do not fit it.
    """
    module = _made_by(target)
    if weights is None:
        return _network_of_module(module, "")
    path = Path(weights)
    sha256 = _read_through(path)
    content = _load_safetensors(path) if _is_safetensors(path) else _load_checkpoint(path, allow_pickle)
    found = _module_in(content)
    state_dict = found.state_dict() if found is not None else _tensors_by_name(content, path)
    try:
        module.load_state_dict(state_dict)
    except RuntimeError as error:
        raise InputError(
            f"The weights in {path} do not fit the module {target} returns: {_joined(error)}"
        ) from error
    return _network_of_module(module, sha256, _stored_dtype(state_dict))


def register_architectures() -> None:
    """Adds spandrel_extra_arches (if installed) and this project's architectures to spandrel's registry."""
    with contextlib.suppress(ImportError):
        import spandrel_extra_arches

        spandrel_extra_arches.install(ignore_duplicates=True)
    from tlcconvert import architectures

    architectures.register()


def _read_through(path: Path) -> str:
    """The file's sha256; every way a path can be no readable file is told apart here."""
    try:
        with path.open("rb") as stream:
            digest = sha256_of(stream)
            size = stream.tell()
    except FileNotFoundError:
        raise InputError(f"{path} does not exist.") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a directory; name the checkpoint file in it.") from None
    except PermissionError:
        raise InputError(f"{path} cannot be read: permission denied.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    if size == 0:
        raise InputError(f"{path} is empty.")
    return digest


def _is_safetensors(path: Path) -> bool:
    with path.open("rb") as stream:
        start = stream.read(9)
    header = int.from_bytes(start[:8], "little")
    has_header = start[8:9] == b"{" and header < path.stat().st_size
    return has_header or path.suffix.lower() == ".safetensors"


def _load_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except Exception as error:
        raise InputError(f"{path} is damaged or not a safetensors file: {_joined(error)}.") from error


def _refuse_torchscript(path: Path, names: list[str]) -> None:
    if any(name.endswith("/constants.pkl") for name in names):
        raise InputError(
            f"{path} is a TorchScript archive, which cannot be captured: save the state dict of the network "
            "it was made from (torch.save(module.state_dict(), path)) or export it with torch.export.save."
        )


def _load_checkpoint(path: Path, allow_pickle: bool) -> Any:
    """What ``torch.save`` wrote to ``path``: tensors and plain containers only, unless ``allow_pickle``."""
    is_zip = zipfile.is_zipfile(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=not allow_pickle, mmap=is_zip or None)
    except Exception as error:
        named = [] if allow_pickle else unsafe_globals(path)
        if named:
            raise InputError(
                f"{path} would run code to load ({', '.join(_shortened(named))}): if you trust it, pass "
                "--allow-pickle (allow_pickle=True), else save its state dict alone."
            ) from error
        if allow_pickle and isinstance(error, (ImportError, AttributeError)):
            raise InputError(
                f"{path} needs Python code that is not here ({_joined(error)}): run where that module can be "
                "imported."
            ) from error
        raise InputError(f"{path} is truncated, damaged or not a PyTorch checkpoint.") from error


def _module_in(content: Any) -> nn.Module | None:
    """A pickled module, itself or as the value of a checkpoint's usual key."""
    if isinstance(content, nn.Module):
        return content
    if isinstance(content, Mapping):
        for key in (*_WRAPPING_KEYS, "ema", "generator", "network"):
            if isinstance(content.get(key), nn.Module):
                return content[key]
    return None


def _network_of_module(module: nn.Module, sha256: str, stored_dtype: str = "") -> Network:
    stored_dtype = stored_dtype or _stored_dtype(dict(module.named_parameters()))
    module = module.cpu().float().eval()
    return Network(module, input_channels=input_channels_of(module), stored_dtype=stored_dtype, sha256=sha256)


def _network_of_program(program: ExportedProgram, sha256: str) -> Network:
    return Network(
        program,
        input_channels=input_channels_of(program),
        stored_dtype=_stored_dtype(program.state_dict),
        sha256=sha256,
    )


def _network_of_state_dict(content: Any, path: Path, sha256: str) -> Network:
    state_dict = _tensors_by_name(content, path)
    register_architectures()
    try:
        descriptor = ModelLoader(device="cpu").load_from_state_dict(state_dict)
    except UnsupportedModelError:
        raise InputError(_unknown(state_dict, path)) from None
    except Exception as error:
        near = [support.architecture.name for support in MAIN_REGISTRY if support.detect(state_dict)][:1]
        raise InputError(
            f"{path} looks like {near[0] if near else 'a known architecture'}, but its weights do not fit it "
            f"({_joined(error)}): convert it with {_FACTORY}."
        ) from error
    network = network_of(descriptor)
    return Network(
        module=network.module,
        architecture=descriptor.architecture.name,
        input_channels=network.input_channels,
        output_channels=descriptor.output_channels,
        scale=descriptor.scale,
        multiple=descriptor.size_requirements.multiple_of,
        minimum=descriptor.size_requirements.minimum,
        output_index=network.output_index,
        pixels=registry_pixels(descriptor.input_channels),
        extra_inputs=network.extra_inputs,
        stored_dtype=_stored_dtype(state_dict),
        sha256=sha256,
    )


def _unknown(state_dict: Mapping[str, Tensor], path: Path) -> str:
    near = near_architectures(state_dict, MAIN_REGISTRY)
    found = f"the nearest are {', '.join(near)}" if near else "none comes close"
    return f"The architecture in {path} is not known ({found}): convert it with {_FACTORY}."


def _tensors_by_name(content: Any, path: Path) -> dict[str, Any]:
    """The state dict inside a checkpoint: the registry's wrapping keys and prefixes are taken off."""
    for key in _WRAPPING_KEYS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    else:
        if isinstance(content, Mapping) and len(content) == 1:
            only = next(iter(content.values()))
            content = only if isinstance(only, Mapping) else content
    if not isinstance(content, Mapping) or not any(isinstance(value, Tensor) for value in content.values()):
        raise InputError(
            f"{path} holds no weights: it contains a {type(content).__name__}, not a state dict."
        )
    tensors = {str(name): value for name, value in content.items()}
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): value for name, value in tensors.items()}
    return tensors


def _stored_dtype(state_dict: Mapping[str, Any]) -> str:
    """The dtype most weights have, without ``torch.``."""
    counts: dict[str, int] = {}
    for value in state_dict.values():
        if isinstance(value, Tensor) and value.is_floating_point():
            name = str(value.dtype).removeprefix("torch.")
            counts[name] = counts.get(name, 0) + value.numel()
    return max(counts, key=lambda name: counts[name], default="float32")


def _made_by(target: str) -> nn.Module:
    module_name, _, attribute = target.partition(":")
    if not module_name or not attribute:
        raise InputError(f"{target!r} does not name a factory: write package.module:factory.")
    try:
        with _working_directory_importable():
            factory: Any = importlib.import_module(module_name)
        for name in attribute.split("."):
            factory = getattr(factory, name)
        made = factory()
    except Exception as error:
        raise InputError(f"{target} cannot be used: {type(error).__name__}: {_joined(error)}") from error
    if not isinstance(made, nn.Module):
        raise InputError(f"{target} returned a {type(made).__name__}, not an nn.Module.")
    return made


@contextlib.contextmanager
def _working_directory_importable() -> Iterator[None]:
    sys.path.insert(0, "")
    try:
        yield
    finally:
        sys.path.remove("")


def _shortened(names: list[str], most: int = 5) -> list[str]:
    return names if len(names) <= most else [*names[:most], f"and {len(names) - most} more"]


def _joined(error: BaseException, most: int = 300) -> str:
    """An error's text as one line of bounded length."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= most else text[: most - 1] + "…"
