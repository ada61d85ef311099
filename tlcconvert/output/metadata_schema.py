"""The keys of a file's metadata, with their types; ``docs/metadata.md`` has what each means.

ONNX metadata is text: a key of type ``str`` is stored as it is, every other as JSON. The number of the schema goes up
when a key goes or means something else; one that is added leaves it as it is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NotRequired, TypedDict, cast, get_type_hints

import onnx

from tlcconvert.errors import InputError
from tlcconvert.shown_name import shown

SCHEMA = "1"


class Window(TypedDict):
    """A statistic that is local: where in the source, what it is, and its window in pixels of its feature map."""

    where: str
    kind: str
    window: list[int]


class AxisExtent(TypedDict):
    """floor((times * n + plus) / over) pixels of n; where there is a step, step times that plus shift."""

    times: int
    plus: int
    over: int
    step: NotRequired[int]
    shift: NotRequired[int]


class OutputExtents(TypedDict):
    """The size of an output that is an image."""

    height: AxisExtent
    width: AxisExtent


class DiagnosisSummary(TypedDict):
    """What images said of the network before it was converted; decibels are null where there is no difference."""

    verdict: str
    closer_db: float | None
    deviation_db: float | None
    images: int


class Metadata(TypedDict):
    """What a file says of itself."""

    schema: str
    tlcconvert_version: str
    source_sha256: str
    target: str
    dtype: NotRequired[str]
    io: NotRequired[str]
    input_channels: int
    output_channels: list[int]
    output_extents: list[OutputExtents | None]
    scale: NotRequired[int]
    value_range: NotRequired[list[float]]
    color_order: NotRequired[str]
    size_multiple: NotRequired[int]
    size_minimum: NotRequired[int]
    size_maximum: NotRequired[int]
    network_multiple: NotRequired[int]
    network_minimum: NotRequired[int]
    size_wrapper: NotRequired[bool]
    static_size: NotRequired[list[int]]
    train_size: NotRequired[list[int]]
    base_size: NotRequired[list[int]]
    base_ratio: NotRequired[float]
    fast: NotRequired[bool]
    windows: NotRequired[list[Window]]
    diagnosis: NotRequired[DiagnosisSummary]
    classes: NotRequired[int]
    patch_size: NotRequired[int]
    patch_step: NotRequired[int]
    cost_per_patch: NotRequired[list[int]]
    cost_unit: NotRequired[str]


def as_text(facts: Mapping[str, object]) -> dict[str, str]:
    """``facts`` and the schema they follow, as they are stored."""
    stored = {"schema": SCHEMA, **facts}
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in stored.items()}


def read_metadata(path: str | os.PathLike[str]) -> Metadata:
    """What the ONNX file at ``path`` says of itself; keys this version does not know are left out.

    Raises:
        InputError: it cannot be read, was not written by tlcconvert, or follows another schema.
    """
    name = shown(Path(path))
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:
        raise InputError(f"{name} cannot be read as an ONNX file: {str(error)[:200]}") from error
    stored = {entry.key: entry.value for entry in model.metadata_props}
    if "tlcconvert_version" not in stored:
        raise InputError(f"{name} says nothing of itself that tlcconvert wrote.")
    if stored.get("schema") != SCHEMA:
        found = shown(stored["schema"]) if "schema" in stored else "none"
        raise InputError(f"The metadata of {name} is of schema {found}; this version reads schema {SCHEMA}.")
    types = get_type_hints(Metadata)
    try:
        facts = {
            key: text if types[key] is str else json.loads(text)
            for key, text in stored.items()
            if key in types
        }
    except ValueError as error:
        raise InputError(f"The metadata of {name} is damaged: {str(error)[:200]}") from error
    return cast(Metadata, facts)
