"""Shows what a budget buys: PSNR and time of the small ClassSR at budgets from its smallest branch to its largest.

    python samples/classsr_budget.py

One ONNX file, its ``budget`` input varied. The held-out photographs are halved and upscaled again; time is the
processor time of the smallest of them, the median of rounds in which the budgets take turns. Prints a table and
writes classsr_budget.png: both against the budget, and the classifier's own class map over a photograph.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnxruntime
import torch
import torch.nn.functional as F
from classsr_picture import Line, chart, picture, with_class_map
from photographs import halved, held_out_photographs, psnr
from PIL import Image
from rich import box
from rich.console import Console
from rich.table import Table
from spandrel import ModelLoader

from tlcconvert.architectures import register
from tlcconvert.classsr import convert_classsr, multiply_adds

CHECKPOINT = Path(__file__).with_name("classsr.pth")
PICTURE = Path(__file__).with_name("classsr_budget.png")
TIMED = "motorcycle"
BUDGETS = (0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
MEDIUM_EVERYWHERE = np.array([0, 1e6, 0], np.float32)
ROUNDS = 5
PATCH_SIZE, PATCH_STEP = 32, 28


@dataclass
class Point:
    """What one setting of the controls came to.

    Attributes:
        controls: the inputs beside the image.
        costs: by photograph, as a fraction of the largest branch on every patch.
        decibels: PSNR by photograph.
        seconds: of every round, for one photograph.
    """

    name: str
    controls: dict[str, np.ndarray]
    costs: dict[str, float] = field(default_factory=dict)
    decibels: dict[str, float] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)


def main() -> None:
    register()
    network = ModelLoader("cpu").load_from_file(CHECKPOINT).model.eval()
    with Console().status("Converting"):
        model = convert_classsr(network, knobs=True, patch_size=PATCH_SIZE, patch_step=PATCH_STEP).model
    session = session_of(model.SerializeToString())
    photographs = {name: even(image) for name, image in held_out_photographs().items()}
    points = measure(session, photographs, np.array(multiply_adds(network, PATCH_SIZE).per_patch))
    Console(width=110).print(table(photographs, points))
    own, _, *within_budgets = points
    mapped = with_class_map(*upscaled(session, photographs[TIMED], own), 2 * PATCH_STEP)
    picture(charts(own, within_budgets), mapped, "The classifier's own choice:").save(PICTURE, optimize=True)
    print(f"Wrote {PICTURE}")


def even(image: torch.Tensor) -> torch.Tensor:
    """[3, H, W] -> [1, 3, H or H - 1, W or W - 1], which can be halved."""
    return image[None, :, : image.shape[1] // 2 * 2, : image.shape[2] // 2 * 2]


def session_of(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3  # it warns that optional inputs cannot be folded
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def measure(
    session: onnxruntime.InferenceSession, photographs: dict[str, torch.Tensor], costs: np.ndarray
) -> list[Point]:
    """The classifier's own choice, the medium branch everywhere, then every budget."""
    points = [
        Point("own choice", {}),
        Point("medium branch everywhere", {"class_bias": MEDIUM_EVERYWHERE}),
        *(Point(f"budget {budget:.2f}", {"budget": np.array(budget, np.float32)}) for budget in BUDGETS),
    ]
    for point in points:
        for name, truth in photographs.items():
            image, class_map = upscaled(session, truth, point)
            point.costs[name] = float(costs[class_map].mean() / costs[-1])
            point.decibels[name] = psnr(image, truth)
    for _ in range(ROUNDS):
        for point in points:
            start = time.process_time()
            upscaled(session, photographs[TIMED], point)
            point.seconds.append(time.process_time() - start)
    return points


def upscaled(
    session: onnxruntime.InferenceSession, truth: torch.Tensor, point: Point
) -> tuple[torch.Tensor, np.ndarray]:
    """``truth`` halved and upscaled again, and the class map."""
    image, class_map = session.run(None, {"input": halved(truth).numpy(), **point.controls})
    return torch.from_numpy(image), class_map[0]


def table(photographs: dict[str, torch.Tensor], points: Sequence[Point]) -> Table:
    """PSNR of each photograph, with the cost it came to in brackets; Markdown."""
    rows = Table("", *photographs, f"seconds, {TIMED}", box=box.MARKDOWN)
    interpolated = [
        psnr(F.interpolate(halved(truth), scale_factor=2, mode="bicubic"), truth)
        for truth in photographs.values()
    ]
    rows.add_row("bicubic interpolation", *(f"{decibels:.3f}" for decibels in interpolated), "")
    for point in points:
        cells = (f"{point.decibels[name]:.3f} ({point.costs[name]:.2f})" for name in photographs)
        rows.add_row(point.name, *cells, f"{statistics.median(point.seconds):.2f}")
    return rows


def charts(own: Point, within_budgets: Sequence[Point]) -> list[Image.Image]:
    """PSNR by photograph over that of the largest branch, and the time of one."""
    largest = within_budgets[-1].decibels
    gains = {
        name: Line(
            BUDGETS,
            [point.decibels[name] - largest[name] for point in within_budgets],
            own.costs[name],
            own.decibels[name] - largest[name],
        )
        for name in largest
    }
    seconds = [statistics.median(point.seconds) for point in within_budgets]
    times = Line(BUDGETS, seconds, own.costs[TIMED], statistics.median(own.seconds))
    return [
        chart(gains, "PSNR in dB over the largest branch on every patch"),
        chart({TIMED: times}, "seconds on one thread"),
    ]


if __name__ == "__main__":
    main()
