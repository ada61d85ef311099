"""The exporter decides relations between sizes that nothing depends on, unless it is told not to."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from passes.torch_internals.names import FakeTensorMode, ShapeEnv
from passes.torch_internals.undecided_sizes import undecided_sizes


class Windows(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        batch, channels, height, width = image.shape
        padded = nn.functional.pad(image, (0, -width % 8, 0, -height % 8))
        cells = padded.view(batch, channels, -(-height // 8), 8, -(-width // 8), 8).permute(0, 2, 4, 1, 3, 5)
        return cells.reshape(-1, channels, 64).transpose(1, 2) * 2


def exported() -> ExportedProgram:
    shapes = ({0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC},)
    return torch.export.export(Windows(), (torch.rand(2, 3, 37, 101),), dynamic_shapes=shapes)


def decisions(context: AbstractContextManager[None], monkeypatch: pytest.MonkeyPatch) -> int:
    """How often an export asks what holds for a relation at all sizes."""
    asked, original = [], ShapeEnv._maybe_evaluate_static

    def counted(*args, **kwargs):  # type: ignore[no-untyped-def]
        asked.append(args[1])
        return original(*args, **kwargs)

    with monkeypatch.context() as patch, context:
        patch.setattr(ShapeEnv, "_maybe_evaluate_static", counted)
        exported()
    return len(asked)


def test_without_it_more_is_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where this fails, the exporter leaves shortcuts undecided by itself: drop the first setting."""
    assert decisions(undecided_sizes(), monkeypatch) < 0.9 * decisions(nullcontext(), monkeypatch)


def cached_calls(context: AbstractContextManager[None]) -> int:
    FakeTensorMode.cache_clear()
    with context:
        exported()
    return sum((FakeTensorMode.cache_info().hits, FakeTensorMode.cache_info().misses))


def test_without_it_calls_are_compared_with_those_seen_before() -> None:
    """Where this fails, the exporter compares no symbolic sizes by itself: drop the second setting."""
    assert cached_calls(undecided_sizes()) == 0
    assert cached_calls(nullcontext()) > 0


def test_the_graph_is_the_same() -> None:
    with undecided_sizes():
        quick = exported()
    assert quick.graph_module.code == exported().graph_module.code


def test_other_threads_keep_their_settings() -> None:
    seen: list[bool] = []

    def look() -> None:
        seen.append(torch._dynamo.config.fake_tensor_cache_enabled)

    with undecided_sizes():
        other = threading.Thread(target=look)
        other.start()
        other.join()
        look()
    assert seen == [True, False]
