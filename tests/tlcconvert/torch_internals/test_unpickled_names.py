"""The names a pickle may hold are those ``torch.load`` takes."""

from __future__ import annotations

import pytest
import torch
from torch.serialization import safe_globals

from tlcconvert.torch_internals.unpickled_names import (
    IMPORT_MAPPING,
    NAME_MAPPING,
    allowed_by_the_person,
    allowed_by_torch,
)


class Settings:
    pass


def test_a_class_a_person_added_is_one_of_theirs_alone() -> None:
    name = f"{__name__}.{Settings.__name__}"
    assert name not in allowed_by_the_person()
    with safe_globals([Settings]):
        assert name in allowed_by_the_person()
    assert name not in allowed_by_torch()


def test_what_every_state_dict_holds_is_allowed() -> None:
    assert {"torch._utils._rebuild_tensor_v2", "collections.OrderedDict"} <= allowed_by_torch()


def test_names_of_python_2_are_read_by_these_tables() -> None:
    assert IMPORT_MAPPING["__builtin__"] == "builtins"
    assert NAME_MAPPING[("__builtin__", "xrange")] == ("builtins", "range")


@pytest.mark.parametrize("name", ["get_allowed_globals", "get_default_safe_globals", "allowed_globals"])
def test_torch_does_not_list_its_own_by_itself(name: str) -> None:
    """Where this fails, PyTorch has a public name for it: use that."""
    assert not hasattr(torch.serialization, name)
