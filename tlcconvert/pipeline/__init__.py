"""The steps from a captured program to an ONNX model, as a value.

``steps.py`` is the list to read. ``Pipeline.run`` takes a :class:`Draft` through it and keeps a :class:`Journal`.
"""

from tlcconvert.pipeline.draft import Draft
from tlcconvert.pipeline.journal import Entry, Journal
from tlcconvert.pipeline.pipeline import Pipeline, Step, run_steps
from tlcconvert.pipeline.steps import FOLD, SIMPLIFY, NetworkFacts, pipeline

__all__ = [
    "FOLD",
    "SIMPLIFY",
    "Draft",
    "Entry",
    "Journal",
    "NetworkFacts",
    "Pipeline",
    "Step",
    "pipeline",
    "run_steps",
]
