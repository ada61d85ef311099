"""``tlcconvert tune MODEL DEGRADED CLEAN --train-size N [-o OUT] [--plan PLAN]``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

from tlcconvert.cli.ending import one_sentence
from tlcconvert.cli.inputs import refuse_missing
from tlcconvert.cli.live_bar import live_bar
from tlcconvert.cli.one_sentence_command import OneSentenceCommand
from tlcconvert.cli.parameters import filled, with_parameters_of
from tlcconvert.cli.plain_console import plain_console
from tlcconvert.cli.tuning_request import TuningRequest
from tlcconvert.errors import InputError
from tlcconvert.images.image_file import require_image_libraries
from tlcconvert.images.image_files import image_files, refuse_no_images
from tlcconvert.images.unusable_image import UnusableImage
from tlcconvert.machine import termination
from tlcconvert.options import Options
from tlcconvert.output.output_paths import refuse_conflicts, refuse_taken_folder
from tlcconvert.shown_name import shown_text
from tlcconvert.tuning.pairs import Pair, pairs
from tlcconvert.tuning.plan import Plan, plan_text, read_plan, refuse_other_network

if TYPE_CHECKING:
    from tlcconvert.conversion import Conversion
    from tlcconvert.tuning.tuning import Tuning

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_DECIDED_BY_TUNING = ("base_ratio", "localize_statistics", "strict")
_OF_OTHER_NETWORKS = ("routing",)


@app.command(cls=OneSentenceCommand)
@with_parameters_of(TuningRequest, Options, besides=(*_DECIDED_BY_TUNING, *_OF_OTHER_NETWORKS))
def tune(**values: Any) -> None:
    """Find the best window for a network, on degraded images and their clean originals, or that none is.

    PSNR and SSIM of the original on whole images and on overlapping tiles, and of local statistics over windows of 1,
    1.5, 2, 3 and 4 training crops. With -o the best is converted; every other option is that of a conversion. Exit
    codes are those of a conversion.
    """
    errors = plain_console(stderr=True)
    with one_sentence(errors, debug=values["debug"]):
        run(filled(TuningRequest, values), filled(Options, values), errors)


def run(request: TuningRequest, options: Options, errors: Console) -> None:
    """Carries out ``request``; progress goes to ``errors``, the table to standard output.

    Raises:
        ConversionError: no file was written but the plan, which has the pairs that were run.
    """
    outputs = {"-o": request.output, "--plan": request.plan}
    inputs = {"MODEL": request.model, "--weights": request.weights}
    refuse_missing(inputs)
    refuse_taken_folder(options.dump)
    require_image_libraries()
    found, alone = _pairs_of(request)
    refuse_conflicts(outputs, inputs | _named(found))
    plan = read_plan(request.plan) if request.plan is not None and request.plan.exists() else None
    # Options are judged before torch is imported, which takes seconds.
    from tlcconvert.cli.two_stages import captured, converted
    from tlcconvert.diagnosis.subject import subject_of
    from tlcconvert.machine.out_of_memory import memory_named
    from tlcconvert.output.write import check_writable, write_bytes, write_together
    from tlcconvert.tuning.quality import require_quality_library
    from tlcconvert.tuning.tune_pairs import tune_pairs

    require_quality_library()
    for path in filter(None, outputs.values()):
        check_writable(path)

    def keep(tuning: Tuning) -> None:
        if request.plan is not None:
            write_bytes(plan_text(tuning.facts()), request.plan)

    with memory_named():
        begun, options = captured(request, options, outputs, errors, request.quiet)
        subject = subject_of(begun, options)
        rows = _known_rows(plan, begun.network.sha256, subject.localized.training.train_size)
        with live_bar(errors, "Tuning", request.quiet) as report:
            tuning = tune_pairs(subject, begun.network.sha256, found, alone, rows, report, keep)
        conversion, size = None, 0
        if request.output is not None:
            ratio = tuning.base_ratio
            chosen = replace(
                options, localize_statistics=ratio is not None, base_ratio=ratio or options.base_ratio
            )
            conversion = converted(begun, chosen, errors, request.quiet)
            termination.raise_if_stopped()
            files = conversion.files(request.output)
            size = sum(write_together(files, written=termination.work_is_done))
    if not request.quiet:
        _print(request, tuning, conversion, size, errors)


def _print(
    request: TuningRequest, tuning: Tuning, conversion: Conversion | None, size: int, errors: Console
) -> None:
    from tlcconvert.cli.console import print_conversion
    from tlcconvert.cli.print_tuning import print_tuning

    try:
        console = plain_console()
        print_tuning(console, tuning)
        if conversion is not None:
            print_conversion(console, conversion, request.output, size)
    except Exception as error:  # what was written stays written
        errors.print(f"The table cannot be printed: {type(error).__name__}: {shown_text(error)}.")


def _named(found: Sequence[Pair]) -> dict[str, Path | None]:
    """Every image by what a message calls it."""
    names: dict[str, Path | None] = {}
    for number, pair in enumerate(found, 1):
        names |= {f"degraded image {number}": pair.degraded, f"clean image {number}": pair.clean}
    return names


def _pairs_of(request: TuningRequest) -> tuple[Sequence[Pair], Sequence[UnusableImage]]:
    degraded, unusable = image_files([request.degraded])
    clean, unusable_originals = image_files([request.clean])
    found, alone = pairs(degraded, clean)
    reasons = [*unusable, *unusable_originals, *alone]
    refuse_no_images(found, reasons)
    return found, reasons


def _known_rows(plan: Plan | None, sha256: str, train_size: tuple[int, int]) -> Sequence[dict[str, Any]]:
    if plan is None:
        return ()
    refuse_other_network(plan, sha256)
    if plan.train_size != train_size:
        raise InputError(
            f"The plan is for a train size of {plan.train_size[0]}x{plan.train_size[1]}: name another with --plan."
        )
    return plan.pairs
