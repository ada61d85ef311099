"""``tlcconvert diagnose MODEL IMAGES... --train-size N [-o OUT]``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

from tlcconvert.cli.diagnosis_request import DiagnosisRequest
from tlcconvert.cli.ending import one_sentence
from tlcconvert.cli.inputs import network_name, refuse_missing
from tlcconvert.cli.live_bar import live_bar
from tlcconvert.cli.one_sentence_command import OneSentenceCommand
from tlcconvert.cli.parameters import filled, with_parameters_of
from tlcconvert.cli.plain_console import plain_console
from tlcconvert.images.image_file import require_image_libraries
from tlcconvert.images.image_files import image_files, refuse_no_images
from tlcconvert.machine import termination
from tlcconvert.options import Options
from tlcconvert.output.output_paths import refuse_conflicts, refuse_taken_folder
from tlcconvert.shown_name import shown, shown_text

if TYPE_CHECKING:
    from tlcconvert.conversion import Conversion
    from tlcconvert.diagnosis.diagnosis import Diagnosis
    from tlcconvert.output.write import Output

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_DECIDED_BY_THE_VERDICT = ("localize_statistics", "strict")
_OF_OTHER_NETWORKS = ("routing",)
_SHOWN = 4
"""Photographs on a page."""


@app.command(cls=OneSentenceCommand)
@with_parameters_of(DiagnosisRequest, Options, besides=(*_DECIDED_BY_THE_VERDICT, *_OF_OTHER_NETWORKS))
def diagnose(**values: Any) -> None:
    """Say from images alone whether local statistics help a network, and why.

    No clean images are needed: what the network does on whole images is compared with what it does on crops of the
    size it was trained on. With -o the verdict decides whether statistics become local; every other option is that of
    a conversion. Exit codes are those of a conversion, and 0 whatever the verdict.
    """
    errors = plain_console(stderr=True)
    with one_sentence(errors, debug=values["debug"]):
        run(filled(DiagnosisRequest, values), filled(Options, values), errors)


def run(request: DiagnosisRequest, options: Options, errors: Console) -> None:
    """Carries out ``request``; progress goes to ``errors``, the diagnosis to standard output.

    Raises:
        ConversionError: nothing was written.
    """
    outputs = {"-o": request.output, "--json": request.report, "--report": request.page}
    inputs = {"MODEL": request.model, "--weights": request.weights}
    refuse_taken_folder(options.dump)
    refuse_missing(inputs)
    images, unusable = image_files(request.images)
    refuse_no_images(images, unusable)
    named = {f"image {number}": image for number, image in enumerate(images, 1)}
    refuse_conflicts(outputs, inputs | named)
    require_image_libraries()
    # Options are judged before torch is imported, which takes seconds.
    from tlcconvert.cli.two_stages import captured, converted
    from tlcconvert.diagnose import diagnose_begun
    from tlcconvert.machine.out_of_memory import memory_named
    from tlcconvert.output.write import check_writable

    for path in filter(None, outputs.values()):
        check_writable(path)
    with memory_named():
        begun, options = captured(request, options, outputs, errors, request.quiet)
        with live_bar(errors, "Diagnosing", request.quiet) as report:
            diagnosis = diagnose_begun(begun, images, unusable, options, report)
        conversion = None
        if request.output is not None:
            is_local = request.localize or not diagnosis.verdict.keeps_global
            chosen = replace(options, localize_statistics=is_local)
            conversion = converted(begun, chosen, errors, request.quiet, diagnosis)
    size = _written(request, diagnosis, conversion, images, errors)
    if not request.quiet:
        _print(request, diagnosis, conversion, size, errors)


def _written(
    request: DiagnosisRequest,
    diagnosis: Diagnosis,
    conversion: Conversion | None,
    images: Sequence[Path],
    errors: Console,
) -> int:
    """Writes all that was asked for, or nothing; returns the bytes of the network's files."""
    from tlcconvert.output.write import bytes_at, write_together

    files = [] if conversion is None or request.output is None else conversion.files(request.output)
    count = len(files)
    if conversion is not None and request.page is not None:
        files.append(_page(request.page, request, diagnosis, conversion, files, images, errors))
    if request.report is not None:
        facts = diagnosis.facts() | ({} if conversion is None else {"conversion": conversion.report()})
        files.append(bytes_at(request.report, json.dumps(facts, indent=2).encode() + b"\n"))
    termination.raise_if_stopped()
    lengths = write_together(files, written=termination.work_is_done) if files else []
    return sum(lengths[:count])


def _page(
    path: Path,
    request: DiagnosisRequest,
    diagnosis: Diagnosis,
    conversion: Conversion,
    files: Sequence[Output],
    images: Iterable[Path],
    errors: Console,
) -> Output:
    """The report of the conversion, with the images that local statistics change most."""
    from tlcconvert.cli.console import live_progress
    from tlcconvert.cli.live_bar import obeying_signals
    from tlcconvert.report.photograph import read_photograph
    from tlcconvert.report.provenance import provenance
    from tlcconvert.report.report_files import report_files

    paths = {shown(image): image for image in images}
    told = [image for image in diagnosis.images if image.name in paths]
    telling = sorted(told, key=lambda image: -image.deviation)[:_SHOWN]
    photographs = [read_photograph(paths[image.name]) for image in telling]
    origin = provenance(sys.argv[1:], network_name(request), files)
    with live_progress(errors, request.quiet) as show:
        progress = obeying_signals(show)
        progress("report")
        (page,) = report_files(conversion, origin, photographs, None, path, progress)
    return page


def _print(
    request: DiagnosisRequest,
    diagnosis: Diagnosis,
    conversion: Conversion | None,
    size: int,
    errors: Console,
) -> None:
    from tlcconvert.cli.console import print_conversion
    from tlcconvert.cli.print_diagnosis import print_advice, print_diagnosis

    try:
        console = plain_console()
        print_diagnosis(console, diagnosis)
        if conversion is not None:
            print_conversion(console, conversion, request.output, size)
        print_advice(console, diagnosis, request)
    except Exception as error:  # what was written stays written
        errors.print(f"The diagnosis cannot be printed: {type(error).__name__}: {shown_text(error)}.")
