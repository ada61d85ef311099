"""A plan: what tuning found, as a file that repeats the conversion without images, and that tuning goes on from."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tlcconvert.errors import InputError
from tlcconvert.shown_name import shown, shown_text

SCHEMA = 1
"""Goes up when a key goes or means something else."""
_LARGEST = 2**27
"""Bytes: the rows of some hundred thousand pairs."""


@dataclass(frozen=True)
class Plan:
    """What a plan says.

    Attributes:
        source_sha256: of the network it is for.
        train_size: (height, width) of its training crops.
        base_ratio: of windows to crops; None where statistics stay global.
        pairs: the rows of evidence, as they are stored.
    """

    source_sha256: str
    train_size: tuple[int, int]
    base_ratio: float | None
    pairs: tuple[dict[str, Any], ...]


def plan_text(facts: dict[str, Any]) -> bytes:
    """The content of a plan, of what tuning found."""
    return json.dumps({"schema": SCHEMA} | facts, indent=2).encode() + b"\n"


def read_plan(path: Path) -> Plan:
    """The plan at ``path``.

    Raises:
        InputError: it cannot be read, is none, or follows another schema.
    """
    name = shown(path)
    try:
        if path.stat().st_size > _LARGEST:
            raise InputError(f"{name} is too large for a plan.")
        facts = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name} is no plan of tlcconvert tune: {shown_text(error)}.") from error
    if not isinstance(facts, dict) or facts.get("schema") != SCHEMA:
        raise InputError(f"{name} is no plan of schema {SCHEMA}, as tlcconvert tune writes it.")
    try:
        return _plan(facts)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{name} is a damaged plan: {shown_text(repr(error))}.") from error


def _plan(facts: dict[str, Any]) -> Plan:
    height, width = facts["train_size"]
    ratio, pairs = facts["base_ratio"], facts["pairs"]
    if not isinstance(facts["source_sha256"], str) or not all(
        isinstance(side, int) for side in (height, width)
    ):
        raise TypeError("source_sha256 is text and train_size two whole numbers")
    if ratio is not None and not (isinstance(ratio, (int, float)) and ratio > 0 and math.isfinite(ratio)):
        raise TypeError("base_ratio is a positive number or null")
    if not isinstance(pairs, list) or not all(isinstance(pair, dict) for pair in pairs):
        raise TypeError("pairs is a list of objects")
    return Plan(
        facts["source_sha256"], (height, width), None if ratio is None else float(ratio), tuple(pairs)
    )


def refuse_other_network(plan: Plan, source_sha256: str) -> None:
    """Raises InputError where the plan is for another network."""
    if plan.source_sha256 != source_sha256:
        raise InputError(
            f"The plan is for another network (SHA-256 {plan.source_sha256[:12]}, not {source_sha256[:12]}): tune "
            "this one, or leave --plan out."
        )
