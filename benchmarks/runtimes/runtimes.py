"""The runtimes, and the programs of tests/runtimes that run a file in them: the rows of docs/runtimes.md."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAMS = ROOT / "tests" / "runtimes" / "programs"
ENVIRONMENTS = ROOT / "build" / "runtimes"
_SETTING_UP = "see tests/runtimes/README.md"

FLOAT32, FLOAT16, BFLOAT16 = "float32", "float16", "bfloat16"


@dataclass(frozen=True)
class Environment:
    """What runs programs.

    Attributes:
        command: in front of the program.
        missing: why it cannot be used here, or "".
    """

    command: Callable[[], list[str]]
    missing: Callable[[], str]


@dataclass(frozen=True)
class Program:
    """A program of tests/runtimes/programs, with its options."""

    environment: Environment
    file: str
    options: tuple[str, ...] = ()

    def command(self) -> list[str]:
        return [*self.environment.command(), str(PROGRAMS / self.file), *self.options]


@dataclass(frozen=True)
class Runtime:
    """A way to use a file.

    Attributes:
        name: its row.
        run: takes a model, and pairs of an image and where its output goes.
        prepare: takes a model and where what it makes of it goes, which is what runs.
        suffix: of what ``prepare`` makes.
        precision: what it computes in. ``run`` may print another one, which then counts.
        one_at_a_time: whether it takes no batches.
        chooses_precision: whether ``precision`` is a wish that the processor may not grant.
    """

    name: str
    run: Program
    prepare: Program | None = None
    suffix: str = ".onnx"
    precision: str = FLOAT32
    one_at_a_time: bool = False
    chooses_precision: bool = False

    def missing(self) -> str:
        """Why it is not there, or ""."""
        programs = [self.run] if self.prepare is None else [self.prepare, self.run]
        return next((reason for program in programs if (reason := program.environment.missing())), "")


def _importable(*modules: str) -> str:
    absent = [module for module in modules if importlib.util.find_spec(module) is None]
    return f"no module named {absent[0]}" if absent else ""


def _python_of(name: str) -> Environment:
    interpreter = ENVIRONMENTS / name / "bin" / "python"
    return Environment(
        lambda: [str(interpreter)],
        lambda: "" if interpreter.exists() else f"there is no {interpreter.relative_to(ROOT)}: {_SETTING_UP}",
    )


def _missing_web() -> str:
    if not shutil.which("node"):
        return f"no node is on the path: {_SETTING_UP}"
    web = ENVIRONMENTS / "web" / "node_modules" / "onnxruntime-web"
    return "" if web.exists() else f"there is no {web.relative_to(ROOT)}: {_SETTING_UP}"


def _missing_chromium() -> str:
    if not shutil.which("chromium"):
        return f"no chromium is on the path: {_SETTING_UP}"
    return _missing_web()


_OWN = Environment(lambda: [sys.executable], lambda: _importable("onnxruntime"))
_OPENVINO = Environment(lambda: [sys.executable], lambda: _importable("openvino"))
_OTHER = _python_of("python")
_VAPOURSYNTH = _python_of("vapoursynth")
_NODE = Environment(lambda: ["node"], _missing_web)
_CHROMIUM = Environment(lambda: [sys.executable], _missing_chromium)

_ONNXRUNTIME = Program(_OWN, "run_onnxruntime.py")


def _level(level: str) -> Runtime:
    return Runtime(
        f"onnxruntime, optimisations: {level}", Program(_OWN, "run_onnxruntime.py", ("--level", level))
    )


def _prepared(name: str, file: str, **facts: str) -> Runtime:
    return Runtime(name, _ONNXRUNTIME, Program(_OWN, file), **facts)  # type: ignore[arg-type]


def _openvino(name: str, *options: str, precision: str = "") -> Runtime:
    """In ``f32``, or in what OpenVINO comes to by itself or for another wish."""
    wish = ("--precision", precision) if precision else ()
    program = Program(_OPENVINO, "run_openvino.py", (*wish, *options))
    return Runtime(
        f"OpenVINO, {name}, {precision or 'default precision'}", program, chooses_precision=precision != "f32"
    )


def _vapoursynth(name: str, *options: str, precision: str = FLOAT32) -> Runtime:
    program = Program(_VAPOURSYNTH, "run_vapoursynth.py", options)
    return Runtime(f"VapourSynth, {name}", program, precision=precision, one_at_a_time=True)


def _chromium(name: str, *options: str) -> Runtime:
    return Runtime(f"onnxruntime-web, {name}, Chromium", Program(_CHROMIUM, "run_chromium.py", options))


RUNTIMES = (
    *(_level(level) for level in ("all", "extended", "basic", "none")),
    _prepared("onnxruntime, ORT format", "in_ort_format.py", suffix=".ort"),
    _prepared("onnxruntime.transformers.optimizer", "optimized_by_transformers.py"),
    _prepared("onnxruntime.transformers.float16", "halved_by_transformers.py", precision=FLOAT16),
    Runtime(
        "onnxconverter_common.float16",
        _ONNXRUNTIME,
        Program(_OTHER, "halved_by_onnxconverter.py"),
        precision=FLOAT16,
    ),
    Runtime(
        "bfloat16, rounded behind each operator",
        Program(_OWN, "run_onnxruntime.py", ("--level", "none")),
        Program(_OWN, "stored_in_bfloat16.py"),
        precision=BFLOAT16,
    ),
    _prepared("symbolic_shape_infer", "with_inferred_shapes.py"),
    _prepared("quant_pre_process", "prepared_for_quantization.py"),
    _openvino("dynamic", precision="f32"),
    _openvino("reshaped", "--reshaped", precision="f32"),
    _openvino("dynamic"),
    _openvino("reshaped", "--reshaped"),
    _openvino("dynamic", precision="f16"),
    Runtime("onnxruntime-web, wasm, Node", Program(_NODE, "run_node.mjs")),
    _chromium("wasm"),
    _chromium("WebGPU", "--provider", "webgpu"),
    _chromium(
        "WebGPU of the default build",
        "--provider",
        "webgpu",
        "--build",
        "ort.min.mjs",
    ),
    _vapoursynth("ort"),
    _vapoursynth("ort, fp16=1", "--fp16", precision=FLOAT16),
    _vapoursynth("ov", "--plugin", "ov"),
    _vapoursynth("ov, fp16=1", "--plugin", "ov", "--fp16", precision=FLOAT16),
    Runtime("OpenCV DNN", Program(_OTHER, "run_opencv.py")),
)
