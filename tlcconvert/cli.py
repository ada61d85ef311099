"""The command line: ``tlcconvert MODEL --train-size N -o OUT.onnx``."""

from __future__ import annotations

import json
import re
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from tlcconvert import cli_options
from tlcconvert.errors import ConversionError, InputError
from tlcconvert.options import Options, Size
from tlcconvert.routing_options import RoutingOptions
from tlcconvert.target import Target

if TYPE_CHECKING:
    from tlcconvert.conversion import Conversion
    from tlcconvert.stages import Progress

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_UNEXPECTED = 1
_INTERRUPTED = 130


@app.command()
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
    compute what the network does, 5 with --strict: a statistic stays global. Nothing is written unless 0.
    """
    errors = Console(stderr=True)
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
        )
        run(request, options, errors)
    except ConversionError as error:
        _stop(errors, str(error), error.exit_code, debug)
    except KeyboardInterrupt:
        _stop(errors, "Interrupted; nothing was written.", _INTERRUPTED, debug)
    except Exception as error:
        message = (
            f"Unexpected {type(error).__name__}: {str(error).strip() or 'no message'} (--debug shows where)."
        )
        _stop(errors, message, _UNEXPECTED, debug)


def _stop(errors: Console, message: str, code: int, debug: bool) -> None:
    if debug:
        errors.print_exception()
    errors.print(message, style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(code)


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


def run(request: Request, options: Options, errors: Console) -> None:
    """Carries out ``request``; progress goes to ``errors``, the report to standard output.

    Raises:
        ConversionError: nothing was written.
    """
    # Options are judged before torch is imported, which takes seconds.
    from tlcconvert.console import live_progress, print_conversion
    from tlcconvert.write import check_writable, write_bytes

    for path in (None if request.dry_run else request.output, request.report):
        if path is not None:
            check_writable(path)
    with live_progress(errors, request.quiet) as progress:
        conversion = _converted(request, options, progress)
    written = 0 if request.dry_run or request.output is None else conversion.save(request.output)
    if request.report is not None:
        write_bytes(json.dumps(conversion.report(), indent=2).encode() + b"\n", request.report)
    if not request.quiet:
        print_conversion(Console(), conversion, None if request.dry_run else request.output, written)


def _converted(request: Request, options: Options, progress: Progress) -> Conversion:
    from tlcconvert.convert import Known, convert_network
    from tlcconvert.load import load_factory, load_network
    from tlcconvert.size_requirements import SizeRequirements

    progress("load")
    if request.factory is not None:
        network = load_factory(request.factory, request.weights, allow_pickle=request.allow_pickle)
    else:
        assert request.model is not None
        network = load_network(request.model, allow_pickle=request.allow_pickle)
    if options.output_index is None and not options.all_outputs:
        options = replace(options, output_index=network.output_index)
    known = Known(
        request.input_channels or network.input_channels,
        network.extra_inputs,
        SizeRequirements(network.multiple, network.minimum, network.scale),
        network.pixels,
        network.sha256,
    )
    return convert_network(network.module, options, known, progress)


def _train_size(text: str) -> tuple[int, int]:
    """``"256"`` or ``"256x384"`` as (height, width)."""
    match = re.fullmatch(r"(-?\d+)(?:x(-?\d+))?", text.strip())
    if match is None:
        raise InputError(
            f"A train size is a number of pixels such as 256, or HxW such as 256x384, not {text!r}."
        )
    height = int(match.group(1))
    return height, int(match.group(2) or height)


def _static_size(text: str) -> tuple[int, int]:
    """``"720x1280"`` as (height, width)."""
    size = _size(text)
    if len(size) != 2:
        raise InputError(f"A static size is HxW such as 720x1280, not {text!r}: its batch is 1.")
    return size


def _size(text: str) -> Size:
    """``"720x1280"`` or, with a batch, ``"2x720x1280"`` as numbers."""
    match = re.fullmatch(r"(?:(\d+)x)?(\d+)x(\d+)", text.strip())
    if match is None:
        raise InputError(f"A size is HxW such as 720x1280, or NxHxW such as 2x720x1280, not {text!r}.")
    batch, height, width = match.groups()
    return (int(height), int(width)) if batch is None else (int(batch), int(height), int(width))


def main() -> None:
    # What libraries deprecate is nothing the person at the terminal can act on.
    warnings.simplefilter("ignore")
    app()


if __name__ == "__main__":
    main()
