"""The keys of a conversion's report (``--json``, :meth:`Conversion.report`), with their types.

``docs/report.md`` has what each means. The number of the schema goes up when a key goes or means something else; one
that is added leaves it as it is. Sizes are [height, width] in pixels, of a batch [images, height, width].
"""

from __future__ import annotations

from typing import NotRequired, TypedDict

SCHEMA = "1"


class Rewritten(TypedDict):
    """Something that was changed exactly."""

    kind: str
    where: str
    before: str
    after: str
    note: str


class LocalStatistic(Rewritten):
    """A statistic that is local."""

    feature_size: list[int]
    window: list[int]
    window_in_image: list[int]


class Left(TypedDict):
    """Something that was recognised and left alone."""

    kind: str
    where: str
    reason: str


class Histogram(TypedDict):
    """Absolute differences: bin i is from 10^((first + i) / 2) to 10^((first + i + 1) / 2)."""

    equal: int
    not_finite: int
    first: int
    counts: list[int]


class Compared(TypedDict):
    """Two implementations at one image."""

    what: str
    size: list[int]
    error: float
    scale: float
    relative_error: float
    bound: float
    passed: bool
    note: str
    proves: str
    histogram: Histogram | None


class Step(TypedDict):
    """One step of the pipeline."""

    name: str
    stage: str
    seconds: float
    nodes: int
    rewrites: list[Rewritten]
    skipped: list[Left]


class Run(TypedDict):
    """What one run on one image costs."""

    size: list[int]
    multiply_adds: int
    feature_map_bytes: int
    weights: int


class Cost(TypedDict):
    """Before and after the conversion."""

    before: Run
    after: Run


class NamedFile(TypedDict):
    """A file that was read or written."""

    name: str
    bytes: int
    sha256: str


class DiagnosisSummary(TypedDict):
    """What images said of the network, in short."""

    verdict: str
    closer_db: float | None
    deviation_db: float | None
    images: int


class Diagnosed(DiagnosisSummary):
    """The same in sentences too."""

    sentence: str
    explanation: list[str]


class Provenance(TypedDict):
    """Where the output is from."""

    command: str
    network: str
    outputs: list[NamedFile]
    versions: dict[str, str]


class StatisticSeen(TypedDict):
    """A local statistic at one photograph, against the same statistic of the whole map."""

    where: str
    operator: str
    window: list[int]
    shift: float
    largest_shift: float


class ImageSeen(TypedDict):
    """What converting changes at one photograph; ``failed`` says why there is nothing else."""

    name: str
    sha256: str
    size: list[int]
    failed: str
    region: NotRequired[list[int]]
    region_at: NotRequired[list[int]]
    change_db: NotRequired[float | None]
    largest_change: NotRequired[float]
    visible_share: NotRequired[float]
    statistics: NotRequired[list[StatisticSeen]]


class Report(TypedDict):
    """Everything a conversion tells."""

    schema: str
    metadata: dict[str, str]
    localized: list[LocalStatistic]
    folded: list[Rewritten]
    left_global: list[Left]
    not_folded: list[Left]
    parity: list[Compared]
    parity_notes: list[str]
    cost: Cost | None
    seconds: dict[str, float]
    steps: list[Step]
    diagnosis: NotRequired[Diagnosed]
    provenance: NotRequired[Provenance]
    images: NotRequired[list[ImageSeen]]
