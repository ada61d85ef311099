"""A process that converts, or fails to, is afterwards what it was; its other threads notice nothing meanwhile."""

from __future__ import annotations

import builtins
import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, fx, nn
from torch.onnx._internal.fx.passes import type_promotion

from tlcconvert.convert import convert
from tlcconvert.errors import CaptureError


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        features: Tensor = self.conv(image)
        return features * torch.sigmoid(features.mean((2, 3), keepdim=True))


class BranchesOnPixels(nn.Module):
    """Fails in every way of capturing it, the one that traces bytecode too."""

    def forward(self, image: Tensor) -> Tensor:
        return image if image.mean() > 0 else -image


def converted() -> None:
    convert(Attention(), train_size=32)


def refused() -> None:
    with pytest.raises(CaptureError, match="depends on pixel values"):
        convert(BranchesOnPixels(), train_size=32, input_channels=3)


class CompiledModel:
    """A model that counts how often it is compiled."""

    def __init__(self) -> None:
        self.compilations = 0
        self.run = torch.compile(nn.Conv2d(3, 3, 1).eval(), backend=self._compiled)

    def _compiled(self, graph: fx.GraphModule, _: Any) -> Callable[..., Any]:
        self.compilations += 1
        return graph.forward

    @torch.no_grad()
    def __call__(self) -> None:
        self.run(torch.rand(1, 3, 8, 8))


@pytest.fixture
def compiled() -> Iterator[CompiledModel]:
    model = CompiledModel()
    model()
    yield model
    torch.compiler.reset()


def state_of_the_process() -> dict[str, Any]:
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    known = {logger.name: logger for logger in loggers if isinstance(logger, logging.Logger)}
    handlers = {handler for logger in known.values() for handler in logger.handlers} | {logging.lastResort}
    return {
        "disabled": logging.root.manager.disable,
        "handlers": {
            (id(handler), handler.level, *map(id, handler.filters)) for handler in handlers if handler
        },
        "warnings": (list(warnings.filters), warnings.showwarning),
        "int": (builtins.int, globals().get("int")),
        "grad": torch.is_grad_enabled(),
        "torch": (torch._dynamo.reset, type_promotion._TypePromotionInterpreter.run_node),
    }


@pytest.mark.parametrize("work", [converted, refused])
def test_nothing_is_left_of_a_conversion_and_no_model_is_compiled_again(
    work: Callable[[], None], compiled: CompiledModel
) -> None:
    before = state_of_the_process()
    work()
    assert state_of_the_process() == before
    compiled()
    assert compiled.compilations == 1


@pytest.mark.parametrize("work", [converted, refused])
def test_another_thread_logs_warns_and_calls_int_meanwhile(
    work: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    done, said = threading.Event(), 0

    def serve() -> None:
        nonlocal said
        while not done.wait(0.005):
            assert int("12") == 12 and isinstance(int(2.5), int)
            logging.getLogger("torch.of_a_server").warning("request")
            warnings.warn("request", UserWarning, stacklevel=1)
            said += 1

    server = threading.Thread(target=serve)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        server.start()
        try:
            work()
        finally:
            done.set()
            server.join()
    assert said > 5
    assert [record.getMessage() for record in caplog.records].count("request") == said
    assert [str(warning.message) for warning in warned].count("request") == said
