"""The latency comparison of ClassSR: the published class mix, and variants that take turns."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.classsr_latency import MIX, bias_for_mix, timed
from tlcconvert.architectures.classsr import FSRCNN, Classifier, ClassSR
from tlcconvert.classsr.parity import random_image
from tlcconvert.classsr.patches import Grid
from tlcconvert.classsr.routing import RoutedImage


@torch.no_grad()
def test_the_bias_gives_the_published_mix_of_classes() -> None:
    torch.manual_seed(0)
    network = ClassSR(Classifier(), [FSRCNN(width=16)] * 3)
    image = random_image((1, 270, 480), 3, seed=0)
    network.classifier.lastOut.bias += torch.from_numpy(bias_for_mix(network, image))
    _, class_map = RoutedImage(network, Grid(32, 28))(image)
    shares = np.bincount(class_map.flatten(), minlength=3) / class_map.numel()
    assert shares == pytest.approx(MIX, abs=0.01)


def test_variants_take_turns() -> None:
    ran: list[str] = []
    seconds = timed([lambda: ran.append("routed"), lambda: ran.append("whole")], rounds=3)
    assert ran == ["routed", "whole"] * 3
    assert [len(own) for own in seconds] == [3, 3]
