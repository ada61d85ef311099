"""Settings of the exporter that spare it symbolic arithmetic nothing depends on.

Most of an export is spent deciding relations between sizes. Two kinds of them may be left undecided:

- what operators ask for only to take a shortcut (is this tensor contiguous for every size?): both answers are
  right, so the general one is taken at once;
- whether a call has been seen before with the same symbolic sizes: comparing them costs more than the call.

The graph computes the same; what it relies on is still recorded as guards. Other threads keep their settings:
PyTorch holds each in a context variable.

Stands on torch 2.14.1: ``aggressive_guard_free_semantics`` (``torch/fx/experimental/_config.py``, lines 120 to 142)
and ``fake_tensor_cache_enabled`` (``torch/_dynamo/config.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch._dynamo.config
import torch.fx.experimental._config

_TAKE_THE_GENERAL_ANSWER = torch.fx.experimental._config.AggressiveGuardFreeMode.SKIP_RANGE_ANALYSIS


@contextmanager
def undecided_sizes() -> Iterator[None]:
    """While active, exports and decompositions run with these settings."""
    settings = {"aggressive_guard_free_semantics": int(_TAKE_THE_GENERAL_ANSWER)}
    general = torch.fx.experimental._config.patch(settings)  # type: ignore[attr-defined]
    uncached = torch._dynamo.config.patch(fake_tensor_cache_enabled=False)
    with general, uncached:
        yield
