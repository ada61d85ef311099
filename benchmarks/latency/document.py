"""docs/benchmarks.md, written from what was measured."""

from __future__ import annotations

import platform
import statistics
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.folding.document import DISTRIBUTIONS
from benchmarks.latency.cells import cell, size
from benchmarks.latency.files import (
    EXACT_KINDS,
    FAST_KINDS,
    GLOBAL,
    ON_A_CPU,
    PORTABLE,
    PREFIX_SUM,
)
from benchmarks.latency.measurement import ADD, CONVOLUTION, EAGER_GLOBAL, EAGER_LOCAL, Row, Threaded, ratio
from benchmarks.latency.subjects import PER_PIXEL, PER_PIXEL_CHANNELS
from benchmarks.latency.targets import growth
from benchmarks.latency.targets_document import targets
from benchmarks.markdown_table import table

COSTS = (*EXACT_KINDS, GLOBAL, CONVOLUTION, ADD)
_THREADED = (*((kind, GLOBAL) for kind in (*EXACT_KINDS, *FAST_KINDS)), (PORTABLE, PREFIX_SUM))
DOCUMENT = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def document(
    rows: Sequence[Row],
    without: Mapping[str, Mapping[str, float]],
    per_pixel: Mapping[str, Mapping[str, float]],
    threaded: Mapping[str, Threaded],
) -> str:
    return f"""\
# Latency and memory

Written by `python -m benchmarks.latency`, the same with `--ablate`, and with `--pixels`. Every file takes any batch,
height and width.

- *global*: the network as it is, `torch.onnx.export(dynamo=True)`, the fastest of raw, onnxsim, onnxslim and
  onnxscript's optimizer and rewriter.
- *prefix sum*: its statistics made local in the published way, 2-D prefix sums and replicate padding, exported the
  same way. Restormer's published form, a loop over windows, is unrolled by an export for one
  size; it has no such file. An export that takes more than ten minutes is given up: MPRNet's, with 70
  statistics.
- *PyTorch*: eager, without a file, global and with prefix sums.
- *portable*, *onnxruntime-cpu*: the files of tlcconvert, local, by what they are written for (`--target`), and the
  same with `--fast`.

![Time over that of the global network's best export](benchmarks.svg)

## Targets

Processor time is compared in onnxruntime on the CPU, one thread. A *floor* is what no file gets below on this
machine; it is measured together with the row.

- Time: convolutions and matrix products of the file for a processor. The SE block and the attention core are bound by
  memory; theirs adds the least traffic beside the products: the image read once and the output written once, as fast
  as one `Add` reads and writes maps of that size. That reading is for windows to be cut out, or for the SE block to
  scale its map, which its first convolution has read before.
- Peak memory, of the largest of tlcconvert's files: the process with the file for a processor loaded, its image
  made and nothing run, and the maps that the largest convolution or product reads and writes besides the image, or
  the output if that is larger.
- First run, of tlcconvert's files the one that is slowest at first: a third run and the first touch of those maps, as
  one `Add` that writes as much pays for it.
- Cost of a pixel at the sizes [below](#cost-per-pixel): that of a convolution and an addition.

{targets(rows, per_pixel)}

## Time

onnxruntime on the CPU, one thread. Median over {rounds(rows)} rounds of the ratio within a round, in which
every file runs once. Time is the processor time of the process, so that other work on the machine does not count as
waiting; it still competes for cache and memory. *Products*: the share of convolutions and matrix products in the
time of the file for a processor. The network prescribes nearly all of them, so that share is a floor.

{
        table(
            (
                "",
                "image",
                "global, ms",
                *(f"{kind} / global" for kind in (*EXACT_KINDS, *FAST_KINDS)),
                f"{PORTABLE} / prefix sum",
                "PyTorch / global",
                "PyTorch, prefix sum / global",
                "products",
                "processor",
            ),
            [times(row) for row in rows],
        )
    }

{notes(rows)}

## With several threads

The same files by the wall's clock (`python -m benchmarks.latency --threads 2`). The machine has two processors.

{
        table(
            ("", "threads", "global, ms", *(f"{kind} / {reference}" for kind, reference in _THREADED)),
            [several(*item) for item in threaded.items()],
        )
    }

## What the rest of the time is

A localised NAFNet is convolutions for the most part. Between them the channel norms go over each map eight times to
read or write it (mean, centre, square, mean, scale), and onnxruntime converts it to and from its blocked layout.

HINet's convolutions are the same in all files. A local instance norm adds statistics over windows, whose maps a
portable file writes and reads whole, and a file for a processor a few planes at a time in the cache.

A bare SE block has nothing to hide the local mean behind. The global block reads its map twice and writes it once.
The local one also writes and reads a gate as large as the map: operators broadcast along whole axes only, so a gate
that differs from window to window has to be replicated before it scales. Inside a network that is done a few planes
at a time.

A bare attention core is bound by what it reads and writes, as the global one is. Each cell, a rectangle the same
windows cover, is cut out of query, key and value once and its result put into place once; in return norms are taken
of scores instead of maps, and each pixel takes part in one product whatever the overlap.

## Memory and first run

Peak resident memory of a fresh process that loads a file and runs it, and the time of its first run over its third.
*Add*: a file of one addition, which writes as much as the file for a processor has to hold at once
([targets](#targets)). onnxruntime plans one block of memory for later runs at a size and keeps beside it what the
first run allocated; a session with the option `enable_mem_pattern = False` does without that block.

{
        table(
            (
                "",
                "global, MiB",
                *(f"{kind} / global" for kind in (PREFIX_SUM, *EXACT_KINDS, *FAST_KINDS)),
                *(f"{kind}, first / third run" for kind in EXACT_KINDS),
                "Add, first / third run",
            ),
            [memory(row) for row in rows],
        )
    }

## What each pass gains

Time of the portable file made without one pass over that of the whole one, one thread.

{table(("", "without", "time"), ablations(without))}

## Cost per pixel

{PER_PIXEL.name} ({PER_PIXEL.note}), trained at {
        PER_PIXEL.train_size
    }, one thread; the global file is onnxsim's. Nothing
is computed more often in a larger image; its maps are further from the processor. The smallest one fits into its
windows, and its statistics are one vector. What the machine itself does is shown by a 3x3 convolution of
{PER_PIXEL_CHANNELS} channels followed by an addition, and by an addition over {
        PER_PIXEL_CHANNELS
    } channels alone.

{
        table(
            ("image, ns per pixel", *COSTS),
            [costs(*item) for item in per_pixel.items()]
            + [["largest / smallest", *(cell(growth(per_pixel, kind)) for kind in COSTS)]],
        )
    }

{machine(rows)}
"""


def rounds(rows: Sequence[Row]) -> str:
    counts = sorted({len(row.seconds[ON_A_CPU]) for row in rows})
    return " or ".join(map(str, counts))


def ablations(without: Mapping[str, Mapping[str, float]]) -> list[list[str]]:
    return [
        [network, name, cell(ratio)] for network, ratios in without.items() for name, ratio in ratios.items()
    ]


def times(row: Row) -> list[str]:
    pairs = (
        *((kind, GLOBAL) for kind in (*EXACT_KINDS, *FAST_KINDS)),
        (PORTABLE, PREFIX_SUM),
        (EAGER_GLOBAL, GLOBAL),
        (EAGER_LOCAL, GLOBAL),
    )
    return [
        row.subject.name,
        size(row.subject.size),
        f"{row.milliseconds(GLOBAL):.0f}",
        *(cell(row.ratio(*pair)) for pair in pairs),
        f"{row.products:.0%}",
        row.processor,
    ]


def several(network: str, times: Threaded) -> list[str]:
    milliseconds = 1000 * statistics.median(times.seconds[GLOBAL])
    ratios = [cell(ratio(times.seconds, *pair)) for pair in _THREADED]
    return [network, str(times.threads), f"{milliseconds:.0f}", *ratios]


def costs(label: str, by_kind: Mapping[str, float]) -> list[str]:
    return [label, *(f"{by_kind[kind]:.0f}" if kind in by_kind else "-" for kind in COSTS)]


def memory(row: Row) -> list[str]:
    peak = {kind: process.peak for kind, process in row.processes.items()}
    kinds = (PREFIX_SUM, *EXACT_KINDS, *FAST_KINDS)
    ratios = [peak[kind] / peak[GLOBAL] if kind in peak else None for kind in kinds]
    for kind in EXACT_KINDS:
        process = row.processes.get(kind)
        ratios.append(process.first / process.steady if process else None)
    ratios.append(row.floors.first / row.floors.steady if row.floors else None)
    return [row.subject.name, f"{peak[GLOBAL]:.0f}", *map(cell, ratios)]


def notes(rows: Sequence[Row]) -> str:
    """What was reduced, and which peers were the fastest."""
    lines = []
    for row in rows:
        peers = ", ".join(f"{kind} {name}" for kind, name in row.peers.items())
        reduced = f"{row.subject.note}; " if row.subject.note else ""
        alone = f"; loaded for every round: {row.subject.one_at_a_time}" if row.subject.one_at_a_time else ""
        lines.append(
            f"- {row.subject.name}: {reduced}trained at {row.subject.train_size}; "
            f"fastest exports: {peers}{alone}."
        )
    return "\n".join(lines)


def machine(rows: Sequence[Row]) -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in DISTRIBUTIONS)
    days, processors = (
        " and ".join(sorted(facts))
        for facts in ({row.measured for row in rows}, {row.processor for row in rows})
    )
    return f"Measured on {days}: {processors}, Python {platform.python_version()},\n{packages}."
