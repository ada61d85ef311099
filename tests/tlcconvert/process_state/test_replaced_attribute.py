"""An attribute is what it was once no thread needs it replaced."""

from __future__ import annotations

from contextlib import ExitStack
from types import ModuleType

import pytest

from tlcconvert.process_state.replaced_attribute import replaced


class Base:
    name = "of the base"


class Derived(Base):
    pass


def test_it_is_what_it_was_after_an_error() -> None:
    def fail() -> None:
        with replaced(Base, "name", "replaced"):
            assert Base.name == "replaced"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert Base.name == "of the base"


def test_one_that_was_inherited_is_inherited_again() -> None:
    with replaced(Derived, "name", "replaced"):
        assert (Derived.name, Base.name) == ("replaced", "of the base")
    assert "name" not in vars(Derived)


def test_one_that_was_not_there_is_gone() -> None:
    module = ModuleType("module")
    with replaced(module, "int", float):
        assert vars(module)["int"] is float
    assert not hasattr(module, "int")


def test_the_first_to_come_may_be_the_first_to_leave() -> None:
    first, second = ExitStack(), ExitStack()
    first.enter_context(replaced(Base, "name", "replaced"))
    second.enter_context(replaced(Base, "name", "replaced"))
    first.close()
    assert Base.name == "replaced"
    second.close()
    assert Base.name == "of the base"


def test_what_someone_else_assigns_meanwhile_stays() -> None:
    module = ModuleType("module")
    with replaced(module, "number", 1):
        module.number = 2  # type: ignore[attr-defined]
    assert vars(module)["number"] == 2
