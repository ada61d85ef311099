"""Exact simplifications by algebra alone: constants, frozen statistics, one-slope PReLU, norms of tokens, pools."""

from __future__ import annotations

from torch.export import ExportedProgram

from passes.result import PassResult
from passes.simplify.constant_numbers import constant_numbers
from passes.simplify.fold_constants import fold_constants
from passes.simplify.frozen_instance_norm import frozen_instance_norm
from passes.simplify.known_bins import known_bins
from passes.simplify.metadata_assertions import drop_metadata_assertions
from passes.simplify.single_slope_prelu import single_slope_prelu
from passes.simplify.token_norm import token_norm


def simplify(program: ExportedProgram) -> PassResult:
    """Drops assertions, folds constants, then rewrites what they decide; changes ``program`` in place."""
    drop_metadata_assertions(program)
    numbers = constant_numbers(program)
    result = numbers + fold_constants(program) + frozen_instance_norm(program) + single_slope_prelu(program)
    return result + token_norm(program) + known_bins(program)
