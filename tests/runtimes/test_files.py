"""Files are right where docs/runtimes.json says so, at every image: small, large, odd, flat."""

from __future__ import annotations

import pytest

from benchmarks.latency.subjects import Subject
from benchmarks.runtimes.document import FIGURES, figures_in
from benchmarks.runtimes.files import KINDS, STOCK, Kind
from benchmarks.runtimes.runtimes import RUNTIMES, Runtime
from benchmarks.runtimes.subjects import SUBJECTS
from benchmarks.runtimes.trial import Trials
from tests.runtimes.presence import require

_RUNTIMES = {runtime.name: runtime for runtime in RUNTIMES}
_KINDS = {kind.name: kind for kind in KINDS}
_SUBJECTS = {subject.name: subject for subject in SUBJECTS}


def _right() -> list[tuple[str, str, str]]:
    """Network, kind and runtime; not of runtimes that compute in what the processor has, whose cells are of one."""
    return [
        (network, kind, runtime)
        for (runtime, kind, network), verdicts in figures_in(FIGURES).items()
        if kind != STOCK.name
        and not _RUNTIMES[runtime].chooses_precision
        and all(own.is_right for own in verdicts)
    ]


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Trials:
    """One for all, which makes each file once."""
    return Trials(tmp_path_factory.mktemp("runtimes"))


@pytest.mark.full
@pytest.mark.parametrize(
    ("subject", "kind", "runtime"),
    [
        pytest.param(_SUBJECTS[network], _KINDS[kind], _RUNTIMES[runtime], id=f"{network}, {kind}, {runtime}")
        for network, kind, runtime in _right()
    ],
)
def test_a_file_is_right_in_a_runtime(subject: Subject, kind: Kind, runtime: Runtime, trials: Trials) -> None:
    require(runtime)
    verdicts = trials.verdicts(runtime, kind, subject)
    wrong = [f"{own.image}: {own.text}, wanted {own.wanted:.3g}" for own in verdicts if not own.is_right]
    assert verdicts and not wrong, "; ".join(wrong)
