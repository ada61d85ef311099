"""Whether what was read from JSON is what a typed dictionary says."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict


def fits(value: Any, kind: Any) -> bool:
    """Whether a value read from JSON is of a type of the schema."""
    if is_typeddict(kind):
        hints = get_type_hints(kind, include_extras=True)
        required = {key for key, hint in hints.items() if get_origin(hint) is not NotRequired}
        plain = get_type_hints(kind)
        return (
            isinstance(value, Mapping)
            and required <= value.keys() <= plain.keys()
            and all(fits(part, plain[key]) for key, part in value.items())
        )
    if get_origin(kind) is list:
        return isinstance(value, list) and all(fits(part, get_args(kind)[0]) for part in value)
    if get_origin(kind) is dict:
        return isinstance(value, dict) and all(fits(part, get_args(kind)[1]) for part in value.values())
    if isinstance(kind, UnionType) or get_origin(kind) is Union:
        return any(fits(value, part) for part in get_args(kind))
    if kind is NoneType:
        return value is None
    return type(value) in ({int, float} if kind is float else {kind})
