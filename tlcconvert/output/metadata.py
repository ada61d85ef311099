"""What a converted file says about itself, as key and value pairs in its ONNX metadata."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.metadata import version

import torch
from torch import fx, nn
from torch.export import ExportedProgram

from passes.localize import Localized
from tlcconvert.capture.capture import Captured
from tlcconvert.diagnosis.diagnosis import Diagnosis
from tlcconvert.network.pixels import Pixels
from tlcconvert.options import Options
from tlcconvert.output.metadata_schema import as_text
from tlcconvert.sizes.output_extents import Extents


def describe(
    captured: Captured,
    program: ExportedProgram,
    options: Options,
    pixels: Pixels,
    localized: Localized | None,
    source_sha256: str,
    extents: Sequence[Extents | None],
    diagnosis: Diagnosis | None = None,
) -> dict[str, str]:
    """What :class:`tlcconvert.output.metadata_schema.Metadata` has for a network of one graph, as it is stored."""
    requirements = captured.requirements
    facts: dict[str, object] = {
        "tlcconvert_version": version("tlcconvert"),
        "source_sha256": source_sha256,
        "input_channels": captured.inputs.channels,
        "output_channels": _output_channels(program),
        "output_extents": [None if output is None else output.facts() for output in extents],
        "size_multiple": requirements.multiple,
        "size_minimum": requirements.minimum,
        "network_multiple": captured.accepted.multiple,
        "network_minimum": captured.accepted.minimum,
        "size_wrapper": options.size_wrapper,
        "target": options.target.value,
        "dtype": options.dtype.value,
        "io": options.io.value,
    }
    scale = next((output.scale for output in extents if output is not None), None)
    if scale is not None:
        facts["scale"] = scale
    if requirements.maximum is not None:
        facts["size_maximum"] = requirements.maximum
    if pixels.value_range is not None:
        facts["value_range"] = list(pixels.value_range)
    if pixels.color_order:
        facts["color_order"] = pixels.color_order
    if options.static_size is not None:
        facts["static_size"] = list(options.static_size)
    if localized is not None:
        facts |= {
            "train_size": list(localized.training.train_size),
            "base_size": list(localized.training.base_size),
            "base_ratio": options.base_ratio,
            "fast": options.fast,
            "windows": [
                {"where": site.where, "kind": site.kind, "window": site.map.window}
                for site in localized.sites
            ],
        }
    if diagnosis is not None:
        facts["diagnosis"] = diagnosis.summary()
    return as_text(facts)


def _output_channels(program: ExportedProgram) -> list[int]:
    """Channels of every output that is an image; 0 for others."""
    values = program.graph.output_node().args[0]
    assert isinstance(values, (tuple, list))
    shapes = [value.meta["val"].shape for value in values if isinstance(value, fx.Node)]
    return [shape[1] if len(shape) == 4 and isinstance(shape[1], int) else 0 for shape in shapes]


def state_sha256(network: nn.Module | ExportedProgram) -> str:
    """Hash of the names, shapes and values of a network's state, in the order of the names."""
    state = network.state_dict if isinstance(network, ExportedProgram) else network.state_dict()
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
