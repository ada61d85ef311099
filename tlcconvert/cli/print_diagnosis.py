"""What a person at a terminal sees of a diagnosis: the verdict first, then what it rests on, and what to do."""

from __future__ import annotations

import math

from rich import box
from rich.console import Console
from rich.table import Table

from tlcconvert.cli.diagnosis_request import DiagnosisRequest
from tlcconvert.diagnosis.diagnosis import Diagnosis, ImageEvidence
from tlcconvert.diagnosis.verdict import Verdict
from tlcconvert.shown_name import shown, shown_text

_LONGEST_TABLE = 40


def print_diagnosis(console: Console, diagnosis: Diagnosis) -> None:
    """Verdict, explanation, a row per image, and what was left out."""
    console.print(diagnosis.sentence, style="bold", highlight=False)
    for sentence in diagnosis.explanation:
        console.print(shown_text(sentence, 1000), highlight=False)
    if diagnosis.images:
        console.print(_images(diagnosis))
    for sentence in diagnosis.left_out:
        console.print(f"Left out: {shown_text(sentence)}", highlight=False)
    for note in diagnosis.notes:
        console.print(f"Note: {shown_text(note)}.", highlight=False)


def print_advice(console: Console, diagnosis: Diagnosis, request: DiagnosisRequest) -> None:
    """The last line: what to do next, or what was done."""
    keeps_global = diagnosis.verdict.keeps_global
    if request.output is not None:
        if keeps_global and not request.localize:
            console.print(
                "Statistics stayed global, as the verdict says; --localize makes them local nevertheless."
            )
        elif keeps_global:
            console.print("Statistics are local against the verdict, as --localize asks for.")
        if request.page is None:
            console.print("Next: add --report FILE to see on a page what changes on these images.")
        else:
            console.print(f"Next: open {shown(request.page)} in a browser.", highlight=False)
        return
    if diagnosis.verdict is Verdict.UNDECIDED:
        return
    model = f"--model {request.factory}" if request.model is None else shown(request.model)
    size = "x".join(map(str, dict.fromkeys(diagnosis.train_size)))
    how = "--no-localize" if keeps_global else f"--train-size {size}"
    console.print(f"Next: tlcconvert {model} {how} -o model.onnx", highlight=False, soft_wrap=True)


def _images(diagnosis: Diagnosis) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("image", overflow="fold")
    for column in ("pixels", "crops", "closer, dB", "change, dB"):
        table.add_column(column, justify="right", no_wrap=True)
    for image in diagnosis.images[:_LONGEST_TABLE]:
        table.add_row(shown_text(image.name), *_figures(image))
    if len(diagnosis.images) > 1:
        crops = sum(image.crops for image in diagnosis.images)
        totals = f"{diagnosis.closer:+.1f}", _decibels(diagnosis.deviation)
        table.add_row("all", "", str(crops), *totals, style="bold")
    more = len(diagnosis.images) - _LONGEST_TABLE
    table.caption = f"and {more} more: --json FILE lists all" if more > 0 else None
    return table


def _figures(image: ImageEvidence) -> tuple[str, str, str, str]:
    pixels = f"{image.size[0]}x{image.size[1]}"
    if image.is_within_window:
        return pixels, str(image.crops), "within", "a window"
    return pixels, str(image.crops), f"{image.closer:+.1f}", _decibels(image.deviation)


def _decibels(value: float) -> str:
    return f"{value:.1f}" if math.isfinite(value) else "none"
