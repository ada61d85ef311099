"""From a file to a network: state dicts, ONNX files, exported programs and, on request, pickled modules.

What a file is, is read off its content, not its name. No code in a file runs unless ``allow_pickle`` says so, and a
damaged or hostile file ends in one sentence.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spandrel import MAIN_REGISTRY, ModelDescriptor, ModelLoader, UnsupportedModelError
from torch import Tensor, nn
from torch.export import ExportedProgram

from tlcconvert.errors import InputError
from tlcconvert.load.bounded_construction import bounded_construction
from tlcconvert.load.checkpoint_file import checkpoint_content
from tlcconvert.load.near_architectures import near_architectures
from tlcconvert.load.program_file import is_program_archive, program_content
from tlcconvert.load.safetensors_file import is_safetensors, safetensors_content
from tlcconvert.load.spandrel_network import RegistryRun, network_of, run_of
from tlcconvert.load.trial_process import TrialFailed, tried
from tlcconvert.load.zip_directory import ZipDirectory, starts_like_a_zip, zip_directory
from tlcconvert.machine.out_of_memory import is_out_of_memory
from tlcconvert.machine.regular_file import open_regular, sha256_of_file
from tlcconvert.network.input_channels import input_channels_of
from tlcconvert.network.network import Network
from tlcconvert.network.pixels import registry_pixels
from tlcconvert.onnx_input.file_network import built, network_in
from tlcconvert.onnx_input.reading.model_file import is_onnx, weight_bytes
from tlcconvert.process_state.silence import silence
from tlcconvert.shown_name import shown, shown_text

_FACTORY = "--model package.module:factory --weights FILE"
_WRAPPING_KEYS = ("model_state_dict", "state_dict", "params_ema", "params-ema", "params", "model", "net")
_SPARE_LAYERS = 1_000
_LAYERS_PER_TENSOR = 10
_MOST_DIGITS = 9
_PREFIXES = ("module.", "netG.", "_orig_mod.")


def load_network(
    path: str | Path, *, allow_pickle: bool = False, pinned: Mapping[str, float] | None = None
) -> Network:
    """The network in the file at ``path``.

    Args:
        path: a state dict (``torch.save`` or safetensors) of an architecture that spandrel,
            spandrel_extra_arches (if installed) or this project knows; an ONNX file; an exported program; a pickled
            module.
        allow_pickle: let the file run code, which an exported program and a pickled module need.
        pinned: numbers for inputs of an ONNX file, by name; the network then has no such inputs.

    Raises:
        InputError: the file cannot be read, or is none of these; the message says what to do.
    """
    path = Path(path)
    sha256 = sha256_of_file(path)
    if _is_onnx(path):
        return _network_of_onnx(path, sha256, pinned or {})
    if pinned:
        raise InputError(f"{shown(path)} is no ONNX file: it has no inputs to pin.")
    with silence():
        content = _content(path, allow_pickle)
        if isinstance(content, ExportedProgram):
            return _network_of_program(content, path, sha256)
        module = _module_in(content)
        if module is not None:
            return _network_of_module(module, path, sha256)
        return _network_of_state_dict(content, path, sha256)


def load_factory(target: str, weights: str | Path | None = None, *, allow_pickle: bool = False) -> Network:
    """The network that ``package.module:factory`` returns, with the state dict in ``weights`` loaded.

    Modules in the working directory can be named. The weights must fit exactly.

    Raises:
        InputError: the factory cannot be found or called, returns no module, or the weights do not fit it.
    """
    module = _made_by(target)
    if weights is None:
        return _network_of_module(module, target, "")
    path = Path(weights)
    sha256 = sha256_of_file(path)
    with silence():
        content = _content(path, allow_pickle)
    if isinstance(content, ExportedProgram):
        raise InputError(
            f"{shown(path)} is an exported program, which brings its own network: convert it without --model."
        )
    found = _module_in(content)
    state_dict = found.state_dict() if found is not None else _tensors_by_name(content, path)
    try:
        module.load_state_dict(state_dict)
    except Exception as error:
        raise InputError(
            f"The weights in {shown(path)} do not fit the module {target} returns: {shown_text(error)}"
        ) from error
    return _network_of_module(module, path, sha256)


def register_architectures() -> None:
    """Adds spandrel_extra_arches (if installed) and this project's architectures to spandrel's registry."""
    with contextlib.suppress(ImportError):
        import spandrel_extra_arches

        spandrel_extra_arches.install(ignore_duplicates=True)
    from tlcconvert import architectures

    architectures.register()


def _is_onnx(path: Path) -> bool:
    with open_regular(path) as stream:
        return not is_safetensors(path, stream) and is_onnx(path, stream)


def _network_of_onnx(path: Path, sha256: str, pinned: Mapping[str, float]) -> Network:
    def work() -> str:
        try:
            built(path, pinned)
        except InputError as error:
            return str(error)
        return ""

    try:
        refusal = tried(work, weight_bytes(path))
    except TrialFailed as failure:
        raise InputError(
            f"{shown(path)} asks for constants that cannot be computed from a file of its size: {failure}."
        ) from None
    if refusal:
        raise InputError(refusal)
    with silence():
        network = network_in(path, sha256, pinned)
    assert isinstance(network.module, nn.Module)
    _refuse_not_finite(dict(network.module.named_parameters()), {}, path)
    return network


def _content(path: Path, allow_pickle: bool) -> Any:
    """What the file holds: an exported program, a module, or whatever else was saved in it."""
    with open_regular(path) as stream:
        if is_safetensors(path, stream):
            return safetensors_content(path)
        archive = zip_directory(path, stream) if starts_like_a_zip(stream) else None
    if archive is not None and is_program_archive(archive):
        return program_content(path, allow_pickle=allow_pickle)
    if archive is not None:
        _refuse_torchscript(archive)
    return checkpoint_content(path, archive, allow_pickle=allow_pickle)


def _refuse_torchscript(archive: ZipDirectory) -> None:
    if any(name.endswith("/constants.pkl") for name in archive.members):
        raise InputError(
            f"{shown(archive.path)} is a TorchScript archive, which cannot be captured: save the state dict of the "
            "network it was made from (torch.save(module.state_dict(), path)) or export it with torch.export.save."
        )


def _module_in(content: Any) -> nn.Module | None:
    """A pickled module, itself or as the value of a checkpoint's usual key."""
    if isinstance(content, nn.Module):
        return content
    if isinstance(content, Mapping):
        for key in (*_WRAPPING_KEYS, "ema", "generator", "network"):
            if isinstance(content.get(key), nn.Module):
                return content[key]
    return None


def _network_of_module(module: nn.Module, source: Path | str, sha256: str) -> Network:
    try:
        module = module.cpu().float().eval()
        parameters, buffers = dict(module.named_parameters()), dict(module.named_buffers())
        input_channels = input_channels_of(module)
    except Exception as error:
        raise InputError(
            f"The module in {shown(source)} cannot be used: {type(error).__name__}: {shown_text(error)}."
        ) from error
    _refuse_not_finite(parameters, buffers, source)
    return Network(module, input_channels=input_channels, sha256=sha256)


def _network_of_program(program: ExportedProgram, path: Path, sha256: str) -> Network:
    try:
        parameters, buffers = dict(program.named_parameters()), dict(program.named_buffers())
        input_channels = input_channels_of(program)
    except Exception as error:
        raise InputError(
            f"The program in {shown(path)} cannot be used: {type(error).__name__}: {shown_text(error)}."
        ) from error
    _refuse_not_finite(parameters, buffers, path)
    return Network(program, input_channels=input_channels, sha256=sha256)


def _refuse_integers(parameters: Mapping[str, Tensor], stored: Mapping[str, Any], path: Path) -> None:
    """Names the first weight whose stored form would be taken for numbers it does not mean.

    Integers stand for weights where these were quantized, with scales that an architecture does not know of.
    """
    for name, parameter in parameters.items():
        value = stored.get(name)
        if isinstance(value, Tensor) and parameter.is_floating_point() and not value.is_floating_point():
            raise InputError(
                f"The weight {shown(name)} in {shown(path)} is stored as {str(value.dtype).removeprefix('torch.')}: "
                "quantized, complex and damaged weights are not read; save the network in floating point."
            )


def _refuse_not_finite(
    parameters: Mapping[str, Tensor], buffers: Mapping[str, Tensor], source: Path | str
) -> None:
    """Names the first weight that makes everything computed with it NaN.

    A buffer may hold infinities: masks do.
    """
    for name, tensor in (*parameters.items(), *buffers.items()):
        if not (tensor.is_floating_point() or tensor.is_complex()) or tensor.is_meta:
            continue
        finite = tensor.isfinite().all() if name in parameters else ~tensor.isnan().any()
        if not finite:
            raise InputError(
                f"The weight {shown(name)} in {shown(source)} is not finite: it holds NaN or infinity, and so would "
                "every image. The training diverged, or the file is damaged."
            )


def _network_of_state_dict(content: Any, path: Path, sha256: str) -> Network:
    state_dict = _tensors_by_name(content, path)
    _refuse_absurd_numbers(state_dict, path)
    register_architectures()
    run = _run_in_trial(state_dict, path)
    descriptor = _descriptor(state_dict, path)
    network = network_of(descriptor, run)
    parameters, buffers = dict(descriptor.model.named_parameters()), dict(descriptor.model.named_buffers())
    _refuse_integers(parameters, state_dict, path)
    _refuse_not_finite(parameters, buffers, path)
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
        sha256=sha256,
    )


def _run_in_trial(state_dict: Mapping[str, Any], path: Path) -> RegistryRun:
    """Builds and runs the network where that can be stopped, and says what running it showed."""

    def work() -> str:
        try:
            return json.dumps(asdict(run_of(_descriptor(state_dict, path))))
        except InputError as error:
            return json.dumps(str(error))

    weights = 4 * sum(value.numel() for value in state_dict.values() if isinstance(value, Tensor))
    try:
        answer = json.loads(tried(work, weights))
    except TrialFailed as failure:
        raise InputError(
            f"{shown(path)} asks for a network that cannot be built from a file of its size: {failure}."
        ) from None
    if isinstance(answer, str):
        raise InputError(answer)
    return RegistryRun(**answer)


def _descriptor(state_dict: Mapping[str, Any], path: Path) -> ModelDescriptor[Any]:
    """The network the registry finds in ``state_dict``, which is left as it is.

    Raises:
        MemoryError: or a RuntimeError that says so, if there is not enough memory for it.
    """
    try:
        with bounded_construction(len(state_dict)):
            return ModelLoader(device="cpu").load_from_state_dict(dict(state_dict))
    except UnsupportedModelError:
        raise InputError(_unknown(state_dict, path)) from None
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise InputError(
            f"{shown(path)} looks like {_detected(state_dict)}, but its weights do not fit it ({shown_text(error)}): "
            f"convert it with {_FACTORY}."
        ) from error


def _detected(state_dict: Mapping[str, Any]) -> str:
    for support in MAIN_REGISTRY:
        with contextlib.suppress(Exception):
            if support.detect(dict(state_dict)):
                return support.architecture.name
    return "a known architecture"


def _refuse_absurd_numbers(state_dict: Mapping[str, Any], path: Path) -> None:
    """Registries build as many layers as the largest number in a name says, with or without weights for them."""
    most = _SPARE_LAYERS + _LAYERS_PER_TENSOR * len(state_dict)
    for name in state_dict:
        for part in name.split("."):
            if part.isdecimal() and (len(part) > _MOST_DIGITS or int(part) > most):
                raise InputError(
                    f"{shown(path)} names layer {shown(name)} but holds only {len(state_dict)} tensors: it is "
                    "damaged or no checkpoint of an image-restoration network."
                )


def _unknown(state_dict: Mapping[str, Tensor], path: Path) -> str:
    near = near_architectures(state_dict, MAIN_REGISTRY)
    found = f"the nearest are {', '.join(near)}" if near else "none comes close"
    return f"The architecture in {shown(path)} is not known ({found}): convert it with {_FACTORY}."


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
            f"{shown(path)} holds no weights: it contains a {type(content).__name__}, not a state dict."
        )
    nameless = [name for name in content if not isinstance(name, str)]
    if nameless:
        raise InputError(f"{shown(path)} holds no state dict: {shown(nameless[0])} is no name of a weight.")
    tensors = dict(content)
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): value for name, value in tensors.items()}
    return tensors


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
        raise InputError(f"{target} cannot be used: {type(error).__name__}: {shown_text(error)}") from error
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
