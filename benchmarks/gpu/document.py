"""docs/gpu.md, written from what was measured, or saying that nothing was."""

from __future__ import annotations

import statistics
from pathlib import Path

from benchmarks.gpu.measurement import Cell, Measured
from benchmarks.gpu.rivals import EXACT, FAST, GLOBAL
from benchmarks.latency.cells import cell, size
from benchmarks.markdown_table import table

DOCUMENT = Path(__file__).parents[2] / "docs" / "gpu.md"
RESULTS = DOCUMENT.with_suffix(".json")


def document(measured: Measured | None) -> str:
    return f"""\
# On a GPU

Written by `python -m benchmarks.gpu`: converted networks, exact and with `--fast`, over the global network run the
same way, on images of 720x1280 and 2160x3840. Medians of ratios within interleaved rounds.

- *PyTorch, eager*, *torch.compile*: the program that `-o model.pt2` stores; the global network as `torch.export` has
  it. float16 is `torch.autocast`.
- *onnxruntime*: the portable file with the CUDA provider, images and results on the device; the global network is
  `torch.onnx.export(dynamo=True)`. float32 only.
- *TensorRT in onnxruntime*: the file for TensorRT, engines built for the image's size; float16 is `trt_fp16_enable`.

{_results(measured)}

## Running it

```sh
python -m benchmarks.gpu --prepare                 # here: writes programs and files to build/benchmarks/gpu
python -m benchmarks.gpu --device cuda             # on the machine with the GPU, that folder copied there
```

The second needs PyTorch and NumPy alone, and takes onnxruntime-gpu and TensorRT where they are installed. Programs
are carried as source and weights, for an earlier PyTorch, such as 2.11, to run them; it has been tried with 2.14 and
on a processor only. It writes this page.
"""


def _results(measured: Measured | None) -> str:
    if measured is None:
        return "**Nobody has run it on a GPU yet**, so there are no figures."
    heading = ("", "image", "dtype", "run in", "global, ms", "exact / global", "fast / global")
    return "\n\n".join(
        part
        for part in (
            f"Median over {measured.repeats} rounds. Measured on {measured.machine}.",
            table(heading, [_row(each) for each in measured.cells]),
            _missing(measured.cells),
        )
        if part
    )


def _row(each: Cell) -> list[str]:
    own = each.seconds.get(GLOBAL)
    milliseconds = f"{statistics.median(own) * 1000:.1f}" if own else "-"
    ratios = [cell(each.ratio(kind)) for kind in (EXACT, FAST)]
    return [each.network, size(each.size), each.dtype, each.way, milliseconds, *ratios]


def _missing(cells: tuple[Cell, ...]) -> str:
    return "\n".join(
        f"- {each.network}, {size(each.size)}, {each.dtype}, {each.way}, {kind}: not run, {reason}"
        for each in cells
        for kind, reason in each.missing.items()
    )
