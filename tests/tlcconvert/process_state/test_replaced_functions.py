"""Functions are replaced where a rule takes the call, in one thread, and called as they are everywhere else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tlcconvert.process_state.replaced_functions import ReplacedFunctions


def doubled(x: Tensor, **_: Any) -> Tensor:
    return 2 * functional.relu(x)


ONES = torch.ones(2)


def test_a_call_is_what_its_rule_makes_of_it_and_the_rule_may_call_the_function() -> None:
    with ReplacedFunctions({functional.relu: doubled}):
        assert torch.equal(functional.relu(ONES), 2 * ONES)
        assert torch.equal(functional.relu6(ONES), ONES)
    assert torch.equal(functional.relu(ONES), ONES)


def test_a_call_that_no_rule_takes_keeps_its_arguments() -> None:
    with ReplacedFunctions({torch.clamp: lambda *args, **kwargs: NotImplemented}):
        assert torch.equal(torch.clamp(3 * ONES, max=2.0), 2 * ONES)


def test_a_rule_may_return_nothing() -> None:
    with ReplacedFunctions({torch.neg: lambda x: None}):
        assert torch.neg(ONES) is None


def test_other_threads_call_what_they_always_did() -> None:
    with ReplacedFunctions({functional.relu: doubled}), ThreadPoolExecutor() as pool:
        assert torch.equal(pool.submit(functional.relu, ONES).result(), ONES)
