"""The command line: ``tlcconvert MODEL --train-size N -o OUT.onnx``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import typer
from rich.console import Console

from tlcconvert.cli.ending import one_sentence
from tlcconvert.cli.inputs import loaded, network_name, refuse_imported_code, refuse_missing
from tlcconvert.cli.one_sentence_command import OneSentenceCommand
from tlcconvert.cli.parameters import filled, with_parameters_of
from tlcconvert.cli.plain_console import plain_console
from tlcconvert.cli.request import Request
from tlcconvert.cli.subcommands import SUBCOMMANDS
from tlcconvert.errors import InputError
from tlcconvert.machine import termination
from tlcconvert.options import Options
from tlcconvert.options.sizes_as_text import as_train_size
from tlcconvert.output.output_paths import refuse_conflicts, refuse_taken_folder
from tlcconvert.shown_name import shown_text
from tlcconvert.tuning.plan import Plan, read_plan, refuse_other_network

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class _MainCommand(OneSentenceCommand):
    """Its help names the other commands too."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        super().format_help(ctx, formatter)
        with formatter.section("Other commands of tlcconvert"):
            formatter.write_dl(
                [(f"{name} {other.usage}", other.summary) for name, other in SUBCOMMANDS.items()]
            )


@app.command(cls=_MainCommand)
@with_parameters_of(Request, Options)
def convert(**values: Any) -> None:
    """Convert an image-restoration network to ONNX with local statistics (TLC) and folded branches.

    Exit codes: 0 done, 2 unusable input or options, 3 the network cannot be captured, 4 the file would not
    compute what the network does, 5 with --strict: a statistic stays global. Nothing but --dump is written unless 0.
    """
    errors = plain_console(stderr=True)
    with one_sentence(errors, debug=values["debug"]):
        if values["plan"] is not None:
            values |= planned(read_plan(values["plan"]), values)
        run(filled(Request, values), filled(Options, values), errors)


def planned(plan: Plan, values: Mapping[str, Any]) -> dict[str, Any]:
    """What a plan says of options, as it would be typed.

    Args:
        values: what was typed.

    Raises:
        InputError: another train size was typed.
    """
    train_size = "x".join(map(str, plan.train_size))
    typed = values["train_size"]
    if typed is not None and as_train_size(typed) != plan.train_size:
        raise InputError(f"The plan is for a train size of {train_size}: leave out --train-size, or --plan.")
    if plan.base_ratio is None:
        return {"train_size": train_size, "localize_statistics": False}
    return {"train_size": train_size, "base_ratio": plan.base_ratio}


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
        "--plan": request.plan,
        "--weights": request.weights,
        "--costs": options.routing.costs,
        **{f"--image {number}": image for number, image in enumerate(request.images, 1)},
    }
    refuse_conflicts(outputs, inputs)
    refuse_taken_folder(options.dump)
    refuse_missing(inputs)
    # Options are judged before torch is imported, which takes seconds.
    from tlcconvert.cli.console import live_progress, print_conversion, print_next
    from tlcconvert.cli.live_bar import obeying_signals
    from tlcconvert.convert import convert_network
    from tlcconvert.output.metadata import state_sha256
    from tlcconvert.output.write import bytes_at, check_writable, write_together
    from tlcconvert.report.photograph import read_photograph
    from tlcconvert.report.provenance import provenance
    from tlcconvert.report.report_files import report_files

    for path in filter(None, outputs.values()):
        check_writable(path)
    photographs = [read_photograph(image) for image in request.images]
    with live_progress(errors, request.quiet) as show:
        progress = obeying_signals(show)
        network = loaded(request, progress, request.pinned)
        refuse_imported_code(outputs)
        if request.plan is not None:
            refuse_other_network(read_plan(request.plan), network.sha256 or state_sha256(network.module))
        conversion = convert_network(network, replace(options, progress=progress))
        files = [] if request.written is None else conversion.files(request.written)
        count = len(files)
        if request.report is not None or request.page is not None:
            progress("report")
            origin = provenance(sys.argv[1:], network_name(request), files)
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
