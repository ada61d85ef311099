"""The command line: ``tlcconvert MODEL --train-size N -o OUT.onnx``."""

from __future__ import annotations

import json
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from tlcconvert.errors import ConversionError, InputError

if TYPE_CHECKING:
    from tlcconvert.conversion import Conversion
    from tlcconvert.convert import Progress

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_UNEXPECTED = 1
_INTERRUPTED = 130


@app.command()
def convert(
    model: Annotated[
        Path | None,
        typer.Argument(
            help="State dict (.pth .pt .ckpt .safetensors), exported program (.pt2) or pickled module."
        ),
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The ONNX file to write.")] = None,
    train_size: Annotated[
        str | None, typer.Option(metavar="N|HxW", help="Crop size the network was trained on, in pixels.")
    ] = None,
    base_ratio: Annotated[float, typer.Option(help="Window over training crop.")] = 1.5,
    opset: Annotated[int, typer.Option(help="ONNX opset, 18 to 24.")] = 18,
    output_index: Annotated[
        int | None, typer.Option(help="Which of several outputs to return; negative from the end.")
    ] = None,
    input_channels: Annotated[int | None, typer.Option(min=1, help="Channels of the image.")] = None,
    factory: Annotated[
        str | None,
        typer.Option(
            "--model", metavar="PACKAGE.MODULE:FACTORY", help="A function that returns the network."
        ),
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="State dict for --model.")] = None,
    localize: Annotated[bool, typer.Option("--localize/--no-localize", help="Make statistics local.")] = True,
    fold: Annotated[bool, typer.Option("--fold/--no-fold", help="Fold branches and batch norms.")] = True,
    fast: Annotated[
        bool,
        typer.Option("--fast", help="Approximate means and norms on a grid of windows; notes the deviation."),
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Fail if a statistic stays global.")] = False,
    allow_pickle: Annotated[
        bool, typer.Option("--allow-pickle", help="Let the model file run code, as a pickled module does.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Convert and verify, but write nothing.")
    ] = False,
    report: Annotated[Path | None, typer.Option("--json", help="Also write the report to this file.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Convert an image-restoration network to ONNX with local statistics (TLC) and folded branches.

    Exit codes: 0 done, 2 unusable input or options, 3 the network cannot be captured, 4 the file would not
    compute what the network does, 5 with --strict: a statistic stays global. Nothing is written unless 0.
    """
    errors = Console(stderr=True)
    request = Request(
        model, output, train_size, base_ratio, opset, output_index, input_channels, factory, weights, localize,
        fold, fast, strict, allow_pickle, dry_run, report, quiet,
    )  # fmt: skip
    try:
        run(request, errors)
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
    """The command line as it was typed."""

    model: Path | None
    output: Path | None
    train_size: str | None
    base_ratio: float
    opset: int
    output_index: int | None
    input_channels: int | None
    factory: str | None
    weights: Path | None
    localize: bool
    fold: bool
    fast: bool
    strict: bool
    allow_pickle: bool
    dry_run: bool
    report: Path | None
    quiet: bool


def run(request: Request, errors: Console) -> None:
    """Carries out ``request``; progress goes to ``errors``, the report to standard output.

    Raises:
        ConversionError: nothing was written.
    """
    size = _judged(request)
    # Options are judged before torch is imported, which takes seconds.
    from tlcconvert.console import live_progress, print_conversion
    from tlcconvert.convert import Options
    from tlcconvert.write import check_writable, write_bytes

    Options(
        size,
        request.base_ratio,
        request.output_index,
        request.localize,
        request.fold,
        request.opset,
        request.strict,
        request.fast,
    )
    for path in (None if request.dry_run else request.output, request.report):
        if path is not None:
            check_writable(path)
    with live_progress(errors, request.quiet) as progress:
        conversion = _converted(request, size, progress)
    written = 0 if request.dry_run or request.output is None else conversion.save(request.output)
    if request.report is not None:
        write_bytes(json.dumps(conversion.report(), indent=2).encode() + b"\n", request.report)
    if not request.quiet:
        print_conversion(Console(), conversion, None if request.dry_run else request.output, written)


def _judged(request: Request) -> tuple[int, int] | None:
    """The train size, once the options make sense together."""
    if (request.model is None) == (request.factory is None):
        raise InputError("Name one network: a model file, or --model package.module:factory.")
    if request.weights is not None and request.factory is None:
        raise InputError("--weights belongs to --model; a model file brings its own.")
    if request.output is None and not request.dry_run:
        raise InputError("Name the file to write with -o, or use --dry-run.")
    return None if request.train_size is None else _parsed_size(request.train_size)


def _converted(request: Request, size: tuple[int, int] | None, progress: Progress) -> Conversion:
    from tlcconvert.convert import convert as run_pipeline
    from tlcconvert.load import load_factory, load_network
    from tlcconvert.size_requirements import SizeRequirements

    progress("load")
    if request.factory is not None:
        network = load_factory(request.factory, request.weights, allow_pickle=request.allow_pickle)
    else:
        assert request.model is not None
        network = load_network(request.model, allow_pickle=request.allow_pickle)
    return run_pipeline(
        network.module,
        size,
        base_ratio=request.base_ratio,
        input_channels=request.input_channels or network.input_channels,
        extra_inputs=network.extra_inputs,
        output_index=network.output_index if request.output_index is None else request.output_index,
        localize_statistics=request.localize,
        fold_branches=request.fold,
        opset=request.opset,
        strict=request.strict,
        fast=request.fast,
        known_requirements=SizeRequirements(network.multiple, network.minimum, network.scale),
        source_sha256=network.sha256,
        progress=progress,
    )


def _parsed_size(text: str) -> tuple[int, int]:
    """``"256"`` or ``"256x384"`` as (height, width)."""
    match = re.fullmatch(r"(-?\d+)(?:x(-?\d+))?", text.strip())
    if match is None:
        raise InputError(
            f"A train size is a number of pixels such as 256, or HxW such as 256x384, not {text!r}."
        )
    height = int(match.group(1))
    return height, int(match.group(2) or height)


def main() -> None:
    # What libraries deprecate is nothing the person at the terminal can act on.
    warnings.simplefilter("ignore")
    app()


if __name__ == "__main__":
    main()
