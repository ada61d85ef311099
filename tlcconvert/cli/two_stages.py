"""Capture and conversion apart, for commands that decide in between how to convert."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from tlcconvert.begun import Begun
from tlcconvert.cli.console import live_progress
from tlcconvert.cli.inputs import AsksForNetwork, loaded, refuse_imported_code
from tlcconvert.cli.live_bar import obeying_signals
from tlcconvert.conversion import Conversion
from tlcconvert.convert import as_asked, begin, convert_begun
from tlcconvert.diagnose import refuse_routing
from tlcconvert.diagnosis.diagnosis import Diagnosis
from tlcconvert.machine.out_of_memory import refuse_left_out
from tlcconvert.options import Options


def captured(
    request: AsksForNetwork,
    options: Options,
    outputs: Mapping[str, Path | None],
    errors: Console,
    is_quiet: bool,
) -> tuple[Begun, Options]:
    """The network of ``request``, and ``options`` with what its file says.

    Raises:
        ConversionError: as :func:`tlcconvert.convert.begin`.
    """
    with live_progress(errors, is_quiet) as show:
        progress = obeying_signals(show)
        network, options = as_asked(loaded(request, progress), replace(options, progress=progress))
        refuse_imported_code(outputs)
        refuse_routing(network)
        return begin(network, options), options


def converted(
    begun: Begun, options: Options, errors: Console, is_quiet: bool, diagnosis: Diagnosis | None = None
) -> Conversion:
    """What is captured, converted.

    Raises:
        ConversionError: as :func:`tlcconvert.convert.convert_begun`.
    """
    with live_progress(errors, is_quiet) as show:
        begun.stages.report = obeying_signals(show)
        conversion = convert_begun(begun, options, diagnosis)
    refuse_left_out(conversion.parity.notes)
    return conversion
