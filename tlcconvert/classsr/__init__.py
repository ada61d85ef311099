"""ClassSR as one graph: patches cover an image, each goes to the branch of its class, and all are merged."""

from __future__ import annotations

from tlcconvert.classsr.calibrate import measured_costs
from tlcconvert.classsr.convert import convert_classsr
from tlcconvert.classsr.costs import Costs, cost_text, multiply_adds, read_costs

__all__ = ["Costs", "convert_classsr", "cost_text", "measured_costs", "multiply_adds", "read_costs"]
