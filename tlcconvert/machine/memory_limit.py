"""How much memory this process can still get, and the refusal of work that needs more.

Asking the system for too much does not fail: the process is killed later, by a signal nothing survives. So what a
size needs at least is known before it is run.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tlcconvert.errors import InputError

_CGROUPS = Path("/sys/fs/cgroup")
_UNLIMITED = 2**60
_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")


@dataclass(frozen=True)
class MemoryLimit:
    """Bytes that can still be had, and what sets that limit."""

    free: int
    source: str


def refuse_what_does_not_fit(
    peak_bytes: Callable[[int, int, int], int], sizes: Iterable[tuple[int, int, int]]
) -> None:
    """Refuses sizes at which a network needs more memory than there is.

    Args:
        peak_bytes: the least a run at (batch, height, width) holds at once, in bytes.
        sizes: (batch, height, width) in pixels.

    Raises:
        InputError: naming the size, what it needs, what there is, and what sets that limit.
    """
    limit = memory_limit()
    if limit is None:
        return
    for size in sizes:
        needed = peak_bytes(*size)
        if needed > limit.free:
            raise InputError(
                f"Running the network at {'x'.join(map(str, size))} takes at least {in_words(needed)} of memory for "
                f"its feature maps, and {in_words(limit.free)} are left ({limit.source}): choose a smaller size."
            )


def memory_limit() -> MemoryLimit | None:
    """The tightest limit there is; None where the system tells of none."""
    limits = [*_of_cgroups(_CGROUPS, Path("/proc/self/cgroup")), *_of_process(), *_of_machine()]
    return min(limits, key=lambda limit: limit.free, default=None)


def in_words(size: int) -> str:
    """``size`` bytes with three digits: ``"1.23 GB"``."""
    number, unit = float(size), 0
    while number >= 999.5 and unit < len(_UNITS) - 1:
        number, unit = number / 1000, unit + 1
    return f"{number:,.3g} {_UNITS[unit]}" if number < 1000 else f"{number:,.0f} {_UNITS[unit]}"


def _of_cgroups(root: Path, membership: Path) -> Iterator[MemoryLimit]:
    """Of the groups this process is in and all above them, in both versions of cgroups."""
    for line in _lines(membership):
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            for mount in (root, root / "unified"):
                yield from _of_groups(mount, group, "memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            yield from _of_groups(root / "memory", group, "memory.limit_in_bytes", "memory.usage_in_bytes")


def _of_groups(mount: Path, group: str, limit_file: str, usage_file: str) -> Iterator[MemoryLimit]:
    # Inside a container the group is named as it is outside, where the mount is the group itself.
    place = mount / group.lstrip("/")
    for folder in (place, *place.parents):
        if folder != mount and mount not in folder.parents:
            return
        limit, usage = _number(folder / limit_file), _number(folder / usage_file)
        if limit is None or usage is None or limit >= _UNLIMITED:
            continue
        free = limit - usage + _reclaimable(folder)
        yield MemoryLimit(
            max(free, 0), f"the control group's limit of {in_words(limit)}, {folder / limit_file}"
        )


def _reclaimable(folder: Path) -> int:
    """Bytes of files in memory, which the system gives back when they are needed."""
    facts = dict(line.split()[:2] for line in _lines(folder / "memory.stat") if line.count(" ") == 1)
    return int(facts.get("total_inactive_file", facts.get("inactive_file", 0)))


def _of_process() -> Iterator[MemoryLimit]:
    """What ``ulimit -v`` and ``ulimit -d`` leave."""
    with contextlib.suppress(ImportError, OSError):
        import resource

        used = _status()
        for name, field, option in (("RLIMIT_AS", "VmSize", "-v"), ("RLIMIT_DATA", "VmData", "-d")):
            limit, _ = resource.getrlimit(getattr(resource, name))
            if limit != resource.RLIM_INFINITY and field in used:
                yield MemoryLimit(
                    max(limit - used[field], 0), f"{name}, ulimit {option}, of {in_words(limit)}"
                )


def _of_machine() -> Iterator[MemoryLimit]:
    for line in _lines(Path("/proc/meminfo")):
        if line.startswith("MemAvailable:"):
            yield MemoryLimit(int(line.split()[1]) * 1024, "free memory of this machine, /proc/meminfo")


def _status() -> dict[str, int]:
    """Sizes of this process in bytes."""
    rows = (line.split() for line in _lines(Path("/proc/self/status")) if line.startswith("Vm"))
    return {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows}


def _number(path: Path) -> int | None:
    """The number in a file; None where there is no file, or no number as in ``max``."""
    text = "".join(_lines(path)).strip()
    return int(text) if text.isdigit() else None


def _lines(path: Path) -> list[str]:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return path.read_text().splitlines()
    return []
