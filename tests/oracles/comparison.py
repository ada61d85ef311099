"""A converted file against the eager localiser, on an image whose statistics differ from window to window."""

from __future__ import annotations

import json

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten

from tests.oracles.eager_localiser import EagerLocaliser
from tests.oracles.per_window import CannotRun


def uneven_image(channels: int, height: int, width: int, batch: int = 1) -> Tensor:
    """``[N, C, H, W]`` in 0 to 1: noise that grows towards one corner, and a bright block in another."""
    generator = torch.Generator().manual_seed(0)
    rows, columns = torch.linspace(0, 1, height)[:, None], torch.linspace(0, 1, width)
    noise = torch.rand(batch, channels, height, width, generator=generator)
    level = torch.rand(batch, channels, 1, 1, generator=generator)
    return 0.4 * noise * (rows * columns) ** 2 + 0.1 * level + 0.5 * (rows > 0.6) * (columns < 0.3)


def padded(image: Tensor, multiple: int, minimum: int) -> Tensor:
    """Reflected about the last row and column as far as that goes, then repeated."""
    for axis in (2, 3):
        extent = image.shape[axis]
        wanted = max(minimum, -(-extent // multiple) * multiple)
        source = [*range(extent), *range(extent - 2, -1, -1), *[0] * wanted][:wanted]
        image = image.index_select(axis, torch.tensor(source))
    return image


def distance_from_oracle(
    network: nn.Module,
    model: bytes,
    size: tuple[int, int],
    *,
    train_size: int,
    output_index: int = 0,
    batch: int = 1,
) -> float:
    """The file's largest error at an image of ``size``, over the largest value of the oracle's output.

    A size that is no multiple of those the network accepts is padded to what the file's metadata says it needs.

    Raises:
        CannotRun: the oracle does not know what the network computes.
        AssertionError: the file's output has another shape.
    """
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    needs = int(metadata.get("size_multiple", 1)), int(metadata.get("size_minimum", 1))
    given, *others = session.get_inputs()
    if others:
        raise CannotRun("it takes more than an image")
    image = uneven_image(given.shape[1], *size, batch=batch)
    crop = padded(torch.zeros(1, 1, train_size, train_size), *needs) if needs[0] > 1 else None
    trained = (train_size, train_size) if crop is None else (crop.shape[2], crop.shape[3])
    localiser = EagerLocaliser(network, trained)
    own = own_multiple(network, given.shape[1])
    is_own = all(extent % own == 0 for extent in size) and accepts(network, image)
    taken = image if is_own else padded(image, *needs)
    expected = [x for x in tree_flatten(localiser(taken))[0] if isinstance(x, Tensor)][output_index]
    if not localiser.local and json.loads(metadata.get("windows", "[]")):
        raise CannotRun("it finds no statistic where the file has windows")
    scale = round(expected.shape[2] / taken.shape[2])
    expected = expected[..., : scale * size[0], : scale * size[1]] if taken is not image else expected
    computed = np.asarray(session.run(None, {given.name: image.numpy()})[0], dtype=np.float64)
    assert computed.shape == tuple(expected.shape)
    return float(np.abs(computed - expected.numpy()).max() / expected.abs().max())


def own_multiple(network: nn.Module, channels: int) -> int:
    """The smallest power of two whose multiples the network runs on."""
    for multiple in (1, 2, 4, 8, 16, 32, 64):
        first = -(-64 // multiple)
        factors = ((first, first + 1), (first + 2, first), (first + 3, first + 5))
        if all(accepts(network, torch.zeros(1, channels, multiple * a, multiple * b)) for a, b in factors):
            return multiple
    return 128


def accepts(network: nn.Module, image: Tensor) -> bool:
    try:
        with torch.no_grad():
            network(image.clone())
    except (RuntimeError, ValueError, AssertionError):
        return False
    return True
