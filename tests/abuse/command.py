"""Running the command as a stranger's shell does: a process of its own, in a folder of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from spandrel.architectures.Compact import Compact

ROOT = Path(__file__).parents[2]
EXTERNAL = """
from tlcconvert import __main__ as command

first = command.obey_signals

def with_weights_beside_the_model():
    first()
    from tlcconvert.lower import external_weights
    external_weights._LIMIT = 1000

command.obey_signals = with_weights_beside_the_model
command.main()
"""
"""The command, but for weights that one file could hold, which are kept beside the model all the same."""
LONGEST = 120.0


@dataclass(frozen=True)
class Workplace:
    """A folder with a network in it, and a temporary folder that has to be empty in the end."""

    folder: Path
    temporary: Path
    code: str = "from tlcconvert.__main__ import main; main()"
    environment: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def at(cls, folder: Path, code: str = code, environment: Mapping[str, str] | None = None) -> Workplace:
        temporary = folder / "temporary"
        work = folder / "work"
        temporary.mkdir(parents=True)
        work.mkdir()
        torch.manual_seed(0)
        network = Compact(num_in_ch=3, num_out_ch=3, num_feat=8, num_conv=1, upscale=2)
        torch.save(network.state_dict(), work / "model.pth")
        return cls(work, temporary, code, environment or {})

    def start(
        self, *arguments: str, prefix: Sequence[str] = (), **options: object
    ) -> subprocess.Popen[bytes]:
        """Starts the command, by way of the command ``prefix`` where there is one."""
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(self.temporary),
            "OMP_NUM_THREADS": "1",
            **self.environment,
        }
        settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.Popen(
            [*prefix, sys.executable, "-c", self.code, *arguments],
            cwd=self.folder,
            env=environment,
            preexec_fn=_obeys_interrupts,
            **settings,  # type: ignore[call-overload]
        )

    def run(self, *arguments: str, **options: object) -> tuple[int, str, str]:
        """Exit code, standard output and standard error."""
        process = self.start(*arguments, **options)
        out, error = process.communicate(timeout=LONGEST)
        return process.returncode, (out or b"").decode(), (error or b"").decode()

    def left(self) -> set[str]:
        """The names of what is in both folders, the network excepted."""
        names = {path.name for folder in (self.folder, self.temporary) for path in folder.iterdir()}
        return names - {"model.pth"}

    def contents(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.folder.iterdir() if path.is_file()}


def is_ready_for_signals(process: subprocess.Popen[bytes]) -> bool:
    """Whether the process has said that it handles SIGTERM; what comes before ends it as it ends any program."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def wait_until_ready_for_signals(process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + LONGEST
    while process.poll() is None and not is_ready_for_signals(process):
        assert time.monotonic() < until
        time.sleep(0.001)


def _obeys_interrupts() -> None:
    """Background jobs of a shell ignore SIGINT, and so would all they start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
