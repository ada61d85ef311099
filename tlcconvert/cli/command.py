"""The command line: ``tlcconvert MODEL --train-size N -o OUT.onnx``."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from tlcconvert.cli import options as cli_options
from tlcconvert.cli.numbers_on_command_line import PIXELS
from tlcconvert.cli.one_sentence_command import OneSentenceCommand
from tlcconvert.cli.plain_console import plain_console, printable
from tlcconvert.errors import ConversionError, InputError
from tlcconvert.machine import termination
from tlcconvert.machine.out_of_memory import OutOfMemory, is_out_of_memory
from tlcconvert.options import Options, Size
from tlcconvert.output.output_paths import refuse_conflicts, refuse_taken_folder
from tlcconvert.routing_options import RoutingOptions
from tlcconvert.shown_name import shown, shown_text
from tlcconvert.target import Target

if TYPE_CHECKING:
    from tlcconvert.conversion import Conversion
    from tlcconvert.network.network import Network
    from tlcconvert.stages import Progress

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_UNEXPECTED = 1


@app.command(cls=OneSentenceCommand)
def convert(
    model: cli_options.Model = None,
    output: cli_options.Output = None,
    train_size: cli_options.TrainSize = None,
    base_ratio: cli_options.BaseRatio = 1.5,
    localize: cli_options.Localize = True,
    fold: cli_options.Fold = True,
    fast: cli_options.Fast = False,
    strict: cli_options.Strict = False,
    factory: cli_options.Factory = None,
    weights: cli_options.Weights = None,
    input_channels: cli_options.InputChannels = None,
    allow_pickle: cli_options.AllowPickle = False,
    output_index: cli_options.OutputIndex = None,
    all_outputs: cli_options.AllOutputs = False,
    size_wrapper: cli_options.WrapSizes = True,
    static: cli_options.Static = None,
    accept_multiple: cli_options.AcceptMultiple = None,
    accept_minimum: cli_options.AcceptMinimum = None,
    target: cli_options.Runtime = Target.ONNXRUNTIME,
    opset: cli_options.Opset = 18,
    verify_sizes: cli_options.VerifySizes = None,
    dry_run: cli_options.DryRun = False,
    report: cli_options.Report = None,
    dump: cli_options.Dump = None,
    quiet: cli_options.Quiet = False,
    debug: cli_options.Debug = False,
    patch_size: cli_options.PatchSize = None,
    patch_step: cli_options.PatchStep = None,
    knobs: cli_options.Knobs = False,
    costs: cli_options.Costs = None,
    calibrate: cli_options.Calibrate = None,
    scale: cli_options.Scale = None,
) -> None:
    """Convert an image-restoration network to ONNX with local statistics (TLC) and folded branches.

    Exit codes: 0 done, 2 unusable input or options, 3 the network cannot be captured, 4 the file would not
    compute what the network does, 5 with --strict: a statistic stays global. Nothing but --dump is written unless 0.
    """
    errors = plain_console(stderr=True)
    try:
        request = Request(
            model=model,
            output=output,
            factory=factory,
            weights=weights,
            input_channels=input_channels,
            allow_pickle=allow_pickle,
            dry_run=dry_run,
            report=report,
            quiet=quiet,
        )
        options = Options(
            train_size=None if train_size is None else _train_size(train_size),
            base_ratio=base_ratio,
            output_index=output_index,
            all_outputs=all_outputs,
            localize_statistics=localize,
            fold_branches=fold,
            size_wrapper=size_wrapper,
            static_size=None if static is None else _static_size(static),
            accept_multiple=accept_multiple,
            accept_minimum=accept_minimum,
            verify_sizes=() if verify_sizes is None else tuple(map(_size, verify_sizes.split(","))),
            opset=opset,
            target=target,
            strict=strict,
            fast=fast,
            exported_program=output is not None and output.suffix == ".pt2",
            routing=RoutingOptions(patch_size, patch_step, knobs, costs, calibrate, scale),
            dump=dump,
        )
        run(request, options, errors)
    except typer.Exit:
        raise
    except BaseException as error:
        if debug:
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


@dataclass(frozen=True)
class Request:
    """What to read and what to write.

    Raises:
        InputError: the options do not make sense together.
    """

    model: Path | None
    output: Path | None
    factory: str | None
    weights: Path | None
    input_channels: int | None
    allow_pickle: bool
    dry_run: bool
    report: Path | None
    quiet: bool

    def __post_init__(self) -> None:
        if (self.model is None) == (self.factory is None):
            raise InputError("Name one network: a model file, or --model package.module:factory.")
        if self.weights is not None and self.factory is None:
            raise InputError("--weights belongs to --model; a model file brings its own.")
        if self.output is None and not self.dry_run:
            raise InputError("Name the file to write with -o, or use --dry-run.")

    @property
    def written(self) -> Path | None:
        """Where the converted network goes, if anywhere."""
        return None if self.dry_run else self.output


def run(request: Request, options: Options, errors: Console) -> None:
    """Carries out ``request``; progress goes to ``errors``, the report to standard output.

    Raises:
        ConversionError: nothing was written.
    """
    outputs = {"-o": request.written, "--json": request.report, "--calibrate": options.routing.calibrate}
    inputs = {"MODEL": request.model, "--weights": request.weights, "--costs": options.routing.costs}
    refuse_conflicts(outputs, inputs)
    refuse_taken_folder(options.dump)
    _refuse_missing(inputs)
    # Options are judged before torch is imported, which takes seconds.
    from tlcconvert.cli.console import live_progress, print_conversion
    from tlcconvert.output.write import bytes_at, check_writable, write_together

    for path in filter(None, outputs.values()):
        check_writable(path)
    with live_progress(errors, request.quiet) as show:

        def progress(text: str) -> None:
            termination.raise_if_stopped()
            show(text)

        network = _loaded(request, progress)
        _refuse_imported_code(outputs)
        conversion = _converted(network, request, options, progress)
    files = [] if request.written is None else conversion.files(request.written)
    count = len(files)
    if conversion.cost_file and options.routing.calibrate is not None:
        files.append(bytes_at(options.routing.calibrate, conversion.cost_file.encode()))
    if request.report is not None:
        files.append(bytes_at(request.report, json.dumps(conversion.report(), indent=2).encode() + b"\n"))
    termination.raise_if_stopped()
    lengths = write_together(files, written=termination.work_is_done)
    if request.quiet:
        return
    try:
        print_conversion(plain_console(), conversion, request.written, sum(lengths[:count]))
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


def _converted(network: Network, request: Request, options: Options, progress: Progress) -> Conversion:
    from tlcconvert.convert import convert_network

    if options.output_index is None and not options.all_outputs:
        options = replace(options, output_index=network.output_index)
    channels = request.input_channels or network.input_channels
    return convert_network(replace(network, input_channels=channels), options, progress)


def _train_size(text: str) -> tuple[int, int]:
    """``"256"`` or ``"256x384"`` as (height, width)."""
    match = re.fullmatch(rf"(-?{PIXELS})(?:x(-?{PIXELS}))?", text.strip())
    if match is None:
        raise InputError(
            f"A train size is a number of pixels such as 256, or HxW such as 256x384, not {shown(text)}."
        )
    height = int(match.group(1))
    return height, int(match.group(2) or height)


def _static_size(text: str) -> tuple[int, int]:
    """``"720x1280"`` as (height, width)."""
    size = _size(text)
    if len(size) != 2:
        raise InputError(f"A static size is HxW such as 720x1280, not {shown(text)}: its batch is 1.")
    return size


def _size(text: str) -> Size:
    """``"720x1280"`` or, with a batch, ``"2x720x1280"`` as numbers."""
    match = re.fullmatch(rf"(?:({PIXELS})x)?({PIXELS})x({PIXELS})", text.strip())
    if match is None:
        raise InputError(f"A size is HxW such as 720x1280, or NxHxW such as 2x720x1280, not {shown(text)}.")
    batch, height, width = match.groups()
    return (int(height), int(width)) if batch is None else (int(batch), int(height), int(width))
