"""The command line: ``tlcconvert MODEL --train-size N -o OUT.onnx``."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

from tlcconvert.cli.one_sentence_command import OneSentenceCommand
from tlcconvert.cli.parameters import filled, with_parameters_of
from tlcconvert.cli.plain_console import plain_console, printable
from tlcconvert.cli.request import Request
from tlcconvert.errors import ConversionError, InputError
from tlcconvert.machine import termination
from tlcconvert.machine.out_of_memory import OutOfMemory, is_out_of_memory
from tlcconvert.options import Options
from tlcconvert.output.output_paths import refuse_conflicts, refuse_taken_folder
from tlcconvert.shown_name import shown, shown_text

if TYPE_CHECKING:
    from tlcconvert.network.network import Network
    from tlcconvert.stages import Progress

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_UNEXPECTED = 1


@app.command(cls=OneSentenceCommand)
@with_parameters_of(Request, Options)
def convert(**values: Any) -> None:
    """Convert an image-restoration network to ONNX with local statistics (TLC) and folded branches.

    Exit codes: 0 done, 2 unusable input or options, 3 the network cannot be captured, 4 the file would not
    compute what the network does, 5 with --strict: a statistic stays global. Nothing but --dump is written unless 0.
    """
    errors = plain_console(stderr=True)
    try:
        run(filled(Request, values), filled(Options, values), errors)
    except typer.Exit:
        raise
    except BaseException as error:
        if values["debug"]:
            errors.print_exception()
        if isinstance(error, KeyboardInterrupt) or termination.was_stopped():
            raise KeyboardInterrupt from error
        message, code = _ending(error)
        errors.print(printable(message), style="red", highlight=False, soft_wrap=True)
        raise typer.Exit(code) from error


def _ending(error: BaseException) -> tuple[str, int]:
    """What is said of an error, and the exit code."""
    if isinstance(error, ConversionError):
        return str(error), error.exit_code
    if is_out_of_memory(error):  # before the conversion or after it
        return str(OutOfMemory(error)), OutOfMemory.exit_code
    text = shown_text(error) or "no message"
    return f"Unexpected {type(error).__name__}: {text} (--debug shows where).", _UNEXPECTED


def run(request: Request, options: Options, errors: Console) -> None:
    """Carries out ``request``; progress goes to ``errors``, the report to standard output.

    Raises:
        ConversionError: nothing was written.
    """
    outputs = {
        "-o": request.written,
        "--json": request.report,
        "--report": request.page,
        "--calibrate": options.routing.calibrate,
    }
    inputs = {
        "MODEL": request.model,
        "--weights": request.weights,
        "--costs": options.routing.costs,
        **{f"--image {number}": image for number, image in enumerate(request.images, 1)},
    }
    refuse_conflicts(outputs, inputs)
    refuse_taken_folder(options.dump)
    _refuse_missing(inputs)
    # Options are judged before torch is imported, which takes seconds.
    from tlcconvert.cli.console import live_progress, print_conversion, print_next
    from tlcconvert.convert import convert_network
    from tlcconvert.output.write import bytes_at, check_writable, write_together
    from tlcconvert.report.photograph import read_photograph
    from tlcconvert.report.provenance import provenance
    from tlcconvert.report.report_files import report_files

    for path in filter(None, outputs.values()):
        check_writable(path)
    photographs = [read_photograph(image) for image in request.images]
    with live_progress(errors, request.quiet) as show:

        def progress(text: str) -> None:
            termination.raise_if_stopped()
            show(text)

        network = _loaded(request, progress)
        _refuse_imported_code(outputs)
        conversion = convert_network(network, replace(options, progress=progress))
        files = [] if request.written is None else conversion.files(request.written)
        count = len(files)
        if request.report is not None or request.page is not None:
            progress("report")
            origin = provenance(sys.argv[1:], request.network, files)
            files += report_files(conversion, origin, photographs, request.report, request.page, progress)
    if conversion.cost_file and options.routing.calibrate is not None:
        files.append(bytes_at(options.routing.calibrate, conversion.cost_file.encode()))
    termination.raise_if_stopped()
    lengths = write_together(files, written=termination.work_is_done)
    if request.quiet:
        return
    try:
        console = plain_console()
        print_conversion(console, conversion, request.written, sum(lengths[:count]))
        print_next(console, request, conversion)
    except Exception as error:  # what was written stays written
        errors.print(f"The report cannot be printed: {type(error).__name__}: {shown_text(error)}.")


def _refuse_missing(inputs: Mapping[str, Path | None]) -> None:
    for path in filter(None, inputs.values()):
        if not os.path.lexists(path):
            raise InputError(f"{shown(path)} does not exist.")


def _refuse_imported_code(outputs: Mapping[str, Path | None]) -> None:
    """A factory's module is an input too, and so is whatever it imports."""
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    imported = {os.path.realpath(file) for file in files if isinstance(file, str)}
    for name, path in outputs.items():
        if path is not None and os.path.realpath(path) in imported:
            raise InputError(
                f"{name} {shown(path)} is code of the network: give the output a name of its own."
            )


def _loaded(request: Request, progress: Progress) -> Network:
    from tlcconvert.load import load_factory, load_network

    progress("load")
    if request.factory is not None:
        return load_factory(request.factory, request.weights, allow_pickle=request.allow_pickle)
    assert request.model is not None
    return load_network(request.model, allow_pickle=request.allow_pickle)
