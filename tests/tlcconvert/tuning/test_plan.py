"""Plans are read as they were written, and anything else is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.tlcconvert.tuning.test_tuning import tuned
from tlcconvert.errors import InputError
from tlcconvert.tuning.plan import plan_text, read_plan, refuse_other_network


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    found = tuned(30, 30, 30.5, 30.4, 30.3, 30.2, 30.1)
    (tmp_path / "plan.json").write_bytes(plan_text(found.facts()))
    plan = read_plan(tmp_path / "plan.json")
    assert (plan.source_sha256, plan.train_size, plan.base_ratio) == ("0" * 64, (64, 64), 1.0)
    assert list(plan.pairs) == found.facts()["pairs"]
    refuse_other_network(plan, "0" * 64)
    with pytest.raises(InputError, match="for another network"):
        refuse_other_network(plan, "1" * 64)


GOOD = {"schema": 1, "source_sha256": "0", "train_size": [64, 64], "base_ratio": 1.5, "pairs": []}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "no plan"),
        ("[1]", "no plan of schema 1"),
        (json.dumps(GOOD | {"schema": 2}), "no plan of schema 1"),
        (json.dumps({key: value for key, value in GOOD.items() if key != "pairs"}), "damaged"),
        (json.dumps(GOOD | {"train_size": 64}), "damaged"),
        (json.dumps(GOOD | {"train_size": [64, "64"]}), "damaged"),
        (json.dumps(GOOD | {"base_ratio": -1}), "damaged"),
        (json.dumps(GOOD | {"base_ratio": "1.5"}), "damaged"),
        (json.dumps(GOOD | {"pairs": [1]}), "damaged"),
        ("[" * 100_000, "no plan"),
    ],
)
def test_what_is_no_plan_is_refused(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(content)
    with pytest.raises(InputError, match=words):
        read_plan(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_plan(tmp_path / "missing.json")
