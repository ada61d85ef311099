"""PyTorch gives these parts no public name."""

from __future__ import annotations

import importlib.util

import pytest
import torch
import torch.fx
import torch.library
import torch.utils

from passes.torch_internals import names

ADD = torch.ops.aten.add.Tensor


PUBLIC = (torch, torch.fx, torch.library, torch.export, torch.utils, torch.types, torch.nn)
OWN = {"operation_name", "overload_name", "schema_of"}


@pytest.mark.parametrize("name", sorted({*names.__all__} - OWN - {"pytree"}))
def test_no_public_module_has_it(name: str) -> None:
    """Where this fails, import it from there."""
    assert [module.__name__ for module in PUBLIC if name in getattr(module, "__all__", ())] == []


def test_no_public_module_has_trees() -> None:
    assert importlib.util.find_spec("torch.utils.pytree") is None


@pytest.mark.parametrize("name", ["schema", "overload", "overload_name", "opname", "op_name"])
def test_an_operator_does_not_tell_its_schema_or_the_parts_of_its_name(name: str) -> None:
    assert not hasattr(ADD, name)


def test_they_are_what_they_are_called() -> None:
    assert (names.operation_name(ADD), names.overload_name(ADD)) == ("add", "Tensor")
    assert [argument.name for argument in names.schema_of(ADD).arguments] == ["self", "other", "alpha"]
