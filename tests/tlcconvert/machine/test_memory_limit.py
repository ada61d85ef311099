"""How much memory is left: the tightest of control groups of both versions, resource limits and the machine."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tlcconvert import InputError
from tlcconvert.machine import memory_limit
from tlcconvert.machine.memory_limit import MemoryLimit, in_words, refuse_what_does_not_fit

GB = 10**9


def group(folder: Path, files: dict[str, object]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(f"{content}\n")


def limits(root: Path, line: str) -> list[int]:
    membership = root / "membership"
    membership.write_text(f"{line}\n")
    return [limit.free for limit in memory_limit._of_cgroups(root, membership)]


def test_in_version_2_every_group_above_counts(tmp_path: Path) -> None:
    group(tmp_path / "a", {"memory.max": 4 * GB, "memory.current": GB})
    group(tmp_path / "a" / "b", {"memory.max": "max", "memory.current": GB})
    group(
        tmp_path / "a" / "b" / "c",
        {"memory.max": 9 * GB, "memory.current": 2 * GB, "memory.stat": "anon 5\ninactive_file 1000"},
    )
    assert limits(tmp_path, "0::/a/b/c") == [7 * GB + 1000, 3 * GB]


def test_in_version_1_the_memory_controller_counts_and_its_highest_value_is_no_limit(tmp_path: Path) -> None:
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
    group(tmp_path / "memory", dict(zip(names, (2**63 - 4096, GB), strict=True)))
    group(tmp_path / "memory" / "a", dict(zip(names, (3 * GB, GB), strict=True)))
    group(tmp_path / "memory" / "a", {"memory.stat": "inactive_file 1\ntotal_inactive_file 500"})
    assert limits(tmp_path, "4:cpu,memory:/a") == [2 * GB + 500]
    assert limits(tmp_path, "4:cpu,cpuacct:/a") == []


def test_in_a_container_the_mount_is_the_group_itself(tmp_path: Path) -> None:
    group(tmp_path, {"memory.max": GB, "memory.current": 2 * GB})
    assert limits(tmp_path, "0::/not/visible/in/here") == [0]


def test_a_resource_limit_counts_and_is_named() -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (10**9, 10**9));"
        "from tlcconvert.machine.memory_limit import memory_limit; limit = memory_limit();"
        "print(limit.free < 10**9 - 10**6, limit.source)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True RLIMIT_AS, ulimit -v, of 1 GB"


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="no /proc")
def test_without_other_limits_it_is_what_the_machine_has_free() -> None:
    limit = memory_limit.memory_limit()
    assert limit is not None
    assert 0 < limit.free < 2**50
    assert (
        resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY or "free memory" in limit.source
    )


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1 kB"), (123_456, "123 kB"), (1_234_000_000, "1.23 GB"),
     (999_950_000, "1 GB"), (4 * 10**18, "4,000 PB")],
)  # fmt: skip
def test_sizes_are_said_in_three_digits(size: int, words: str) -> None:
    assert in_words(size) == words


def test_what_does_not_fit_is_refused_with_need_limit_and_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_limit, "memory_limit", lambda: MemoryLimit(2 * GB, "a limit"))

    def peak_bytes(batch: int, height: int, width: int) -> int:
        return batch * height * width

    refuse_what_does_not_fit(peak_bytes, [(2, 1000, 1_000_000)])
    with pytest.raises(InputError, match=r"at 1x3x1000000000 .*3 GB .*2 GB are left \(a limit\)"):
        refuse_what_does_not_fit(peak_bytes, [(1, 2, 2), (1, 3, GB)])
    monkeypatch.setattr(memory_limit, "memory_limit", lambda: None)
    refuse_what_does_not_fit(peak_bytes, [(1, 3, GB)])
