"""A captured network: where a conversion and a diagnosis both begin, and what they share if one follows the other."""

from __future__ import annotations

from dataclasses import dataclass

from tlcconvert.capture.capture import Captured
from tlcconvert.capture.guards_after_capture import GuardsAfterCapture
from tlcconvert.network.network import Network
from tlcconvert.stages import Stages


@dataclass(frozen=True)
class Begun:
    """A captured network, and what is known of it.

    Attributes:
        guards: what is taken for granted about sizes from here on, on copies of the program too.
        network: what is known of it; ``sha256`` is of its file, else of its state.
        stages: announced and timed.
    """

    captured: Captured
    guards: GuardsAfterCapture
    network: Network
    stages: Stages
