"""A file in a runtime: every image, each output judged."""

from __future__ import annotations

import contextlib
import functools
import math
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor

from benchmarks.latency.subjects import Subject
from benchmarks.runtimes.files import STOCK, File, Kind
from benchmarks.runtimes.images import Image, images_for
from benchmarks.runtimes.runtimes import BFLOAT16, ENVIRONMENTS, FLOAT16, FLOAT32, PROGRAMS, Program, Runtime
from benchmarks.runtimes.verdict import Verdict, decibels, rounding_of, verdict

_SECONDS = 300
_LONGEST = 240
"""Characters of a failure."""
_ERROR = re.compile(r"[\w.]*(Error|Exception|Fail|error|NotImplemented|InvalidGraph|InvalidArgument)\b")
_PATH = re.compile(r"(Exception from |failed at )?/?[\w.-]+(/[\w.+=-]+)+(\.\w+)?(:\d+)*:?")
_PRINTED = {"f32": FLOAT32, "f16": FLOAT16, "bf16": BFLOAT16}


class CannotRun(Exception):
    """A program has failed; the message is the sentence it ended with."""


@dataclass
class Trials:
    """Trials of files in runtimes; each file is made once, in ``folder``."""

    folder: Path

    def __post_init__(self) -> None:
        self._file = functools.cache(self._made)
        self._rounding = functools.cache(lambda subject, image: rounding_of(subject, image.pixels()))
        self._exact = functools.cache(self._computed)
        self._halved = functools.cache(self._left_of_a_rounded_image)
        self.verdicts = functools.cache(self._verdicts)

    def _verdicts(self, runtime: Runtime, kind: Kind, subject: Subject) -> tuple[Verdict, ...]:
        """One per image."""
        images = images_for(subject, kind, one_at_a_time=runtime.one_at_a_time)
        folder = self.folder / "runs" / runtime.name / kind.name / subject.name
        try:
            model, precision = self._prepared(runtime, self._path(subject, kind), folder), runtime.precision
        except CannotRun as error:
            return tuple(
                Verdict(image.name, runtime.precision, failure=f"cannot be prepared: {error}")
                for image in images
            )
        outputs, printed = _outputs(runtime.run, model, images, folder)
        precision = _PRINTED.get(printed, precision)
        judged = []
        for image, output in zip(images, outputs, strict=True):
            if isinstance(output, CannotRun):
                judged.append(Verdict(image.name, precision, failure=str(output)))
                continue
            exact, rounding = self._exact(subject, kind, image), self._rounding(subject, image)
            stock = self._stock(runtime, kind, subject, image) if precision != FLOAT32 else None
            halved = self._halved(subject, kind, image) if precision == FLOAT16 else math.inf
            judged.append(verdict(image.name, precision, output, exact, rounding, stock, halved))
        return tuple(judged)

    def _stock(self, runtime: Runtime, kind: Kind, subject: Subject, image: Image) -> float | None:
        """Decibels the stock export keeps; of the image most like it where a static file has its own size."""
        if kind.is_stock:
            return None
        known = self.verdicts(runtime, STOCK, subject)
        alike = [own for own in known if own.image == image.name] or known[2:3]
        return alike[0].decibels

    def _made(self, subject: Subject, kind: Kind) -> tuple[File, Path]:
        file = kind.make(subject)
        path = self.folder / "files" / kind.name / f"{subject.name}.onnx"
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(file.model, path)
        return file, path

    def _path(self, subject: Subject, kind: Kind) -> Path:
        return self._file(subject, kind)[1]

    def _computed(self, subject: Subject, kind: Kind, image: Image) -> Tensor:
        file, _ = self._file(subject, kind)
        with torch.no_grad():
            return file.exact(image.pixels().double())

    def _left_of_a_rounded_image(self, subject: Subject, kind: Kind, image: Image) -> float:
        """Decibels that the network in float64 keeps where its image was in float16."""
        file, _ = self._file(subject, kind)
        with torch.no_grad():
            return decibels(file.exact(image.pixels().half().double()), self._exact(subject, kind, image))

    def _prepared(self, runtime: Runtime, model: Path, folder: Path) -> Path:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if runtime.prepare is None:
            return model
        prepared = folder / f"prepared{runtime.suffix}"
        _run([*runtime.prepare.command(), str(model), str(prepared)], folder)
        return prepared


def _outputs(
    program: Program, model: Path, images: Sequence[Image], folder: Path
) -> tuple[list[Tensor | CannotRun], str]:
    """What the program makes of each image, and the last line it prints.

    All images are run in one go. Those without an output after that are run again, each alone.
    """
    for number, image in enumerate(images):
        np.save(folder / f"{number}.in.npy", image.pixels().numpy())
    files = [
        (str(folder / f"{number}.in.npy"), str(folder / f"{number}.out.npy")) for number in range(len(images))
    ]
    command = [*_in_place(program).command(), str(model)]
    printed = ""
    with contextlib.suppress(CannotRun):
        printed = _run([*command, *(name for pair in files for name in pair)], folder)
    results: list[Tensor | CannotRun] = []
    for source, made in files:
        if failure := _same_failure(results):
            results.append(failure)
            continue
        try:
            if not Path(made).exists():
                printed = _run([*command, source, made], folder)
            results.append(torch.from_numpy(np.load(made)))
        except CannotRun as error:
            results.append(error)
    return results, printed


def _same_failure(results: Sequence[Tensor | CannotRun]) -> CannotRun | None:
    """That of the first two images, if it is one: the file does not load."""
    match results[:2]:
        case [CannotRun() as first, CannotRun() as second] if first.args == second.args:
            return first
    return None


def _in_place(program: Program) -> Program:
    """A program of Node finds its packages beside itself."""
    if not program.file.endswith(".mjs"):
        return program
    own, beside = PROGRAMS / program.file, ENVIRONMENTS / "web" / program.file
    if not beside.exists() or beside.read_bytes() != own.read_bytes():
        shutil.copy(own, beside)
    return replace(program, file=str(beside))


def _run(command: Sequence[str], folder: Path) -> str:
    """The last line that ``command`` prints.

    Raises:
        CannotRun: it fails, or takes too long.
    """
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise CannotRun(f"not done within {_SECONDS} s") from None
    if done.returncode:
        raise CannotRun(_sentence(done.stderr) or f"ends by signal or code {done.returncode}")
    return (done.stdout.strip().splitlines() or [""])[-1]


def _sentence(errors: str) -> str:
    """What an uncaught error says: from the line that names it to the end, without paths and line numbers.

    An error without words is followed by the line of the program that raised it.
    """
    lines = [line.strip() for line in errors.splitlines()]
    lines = [line for line in lines if line.strip("^~") and not line.startswith("at ")]
    named = [number for number, line in enumerate(lines) if _ERROR.match(line)]
    told = lines[named[-1] if named else -1 :]
    if len(told) == 1 and _ERROR.fullmatch(told[0]) and len(lines) > 1:
        told.append(f"`{lines[-2]}`")
    return " ".join(_PATH.sub("", " ".join(told)).split())[:_LONGEST]
