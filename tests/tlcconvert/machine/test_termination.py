"""Being told to stop: one sentence, the exit code of the signal, and nothing left, wherever the process is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PREPARED = """
import hashlib, os, signal, sys, time
from pathlib import Path
from tlcconvert.machine import termination
from tlcconvert.machine.temporary_paths import remember

termination._GRACE = 0.3
termination.obey_signals()

def ready():
    print("ready", flush=True)
"""
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a script in an empty folder and sends it signals once it is ready."""

    def run(script: str, *numbers: int, ignored: tuple[int, ...] = ()) -> tuple[int, str, str]:
        def handle_as_a_shell_does() -> None:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)
            if signal.SIGINT not in ignored:
                signal.signal(signal.SIGINT, signal.default_int_handler)

        process = subprocess.Popen(
            [sys.executable, "-c", PREPARED + script],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            preexec_fn=handle_as_a_shell_does,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for number in numbers:
            process.send_signal(number)
        out, errors = process.communicate(timeout=60)
        return process.returncode, out, errors

    return run


STUCK = """
remember(Path("temporary")); Path("temporary").mkdir(); Path("temporary/weights").touch()
remember(Path("half")); Path("half").touch()
say = [ready]
while True:
    try:
        while say:
            say.pop()()
        hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)
    except KeyboardInterrupt:
        pass
"""


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (signal.SIGINT, "Interrupted"),
        (signal.SIGTERM, "Stopped by SIGTERM"),
        (signal.SIGHUP, "Stopped by SIGHUP"),
    ],
)
def test_a_library_that_does_not_return_is_left_with_everything_cleared_up(
    run: Run, tmp_path: Path, number: int, said: str
) -> None:
    assert run(STUCK, number) == (128 + number, "", f"{said}; nothing was written.\n")
    assert not list(tmp_path.iterdir())


def test_an_interrupt_that_was_swallowed_is_raised_again_at_the_next_step(run: Run) -> None:
    script = """
try:
    ready()
    time.sleep(60)
except BaseException:
    pass
try:
    termination.raise_if_stopped()
except KeyboardInterrupt:
    sys.exit(termination.exit_code())
"""
    assert run(script, signal.SIGTERM) == (143, "", "")


def test_a_second_signal_does_not_disturb_what_the_first_began(run: Run) -> None:
    script = """
try:
    ready()
    time.sleep(60)
finally:
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGTERM)
    print("cleared up", flush=True)
    os._exit(termination.exit_code())
"""
    assert run(script, signal.SIGTERM) == (143, "cleared up\n", "")


def test_a_signal_after_the_work_is_done_changes_nothing(run: Run) -> None:
    script = """
termination.work_is_done()
ready()
time.sleep(2 * termination._GRACE + 0.2)
assert not termination.was_stopped()
print("printed", flush=True)
"""
    assert run(script, signal.SIGTERM, signal.SIGINT) == (0, "printed\n", "")


def test_what_was_ignored_stays_so(run: Run) -> None:
    script = """
ready()
time.sleep(2 * termination._GRACE + 0.2)
"""
    assert run(script, signal.SIGHUP, ignored=(signal.SIGHUP,)) == (0, "", "")


def test_a_signal_to_a_child_does_not_end_the_parent(run: Run) -> None:
    script = """
child = os.fork()
if not child:
    time.sleep(60)
    os._exit(1)
os.kill(child, signal.SIGTERM)
assert os.waitpid(child, 0)[1] == signal.SIGTERM
ready()
time.sleep(2 * termination._GRACE + 0.2)
"""
    assert run(script) == (0, "", "")


def test_an_interrupt_in_a_finalizer_prints_no_traceback(run: Run) -> None:
    script = """
class Finalized:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)

ready()
del Finalized
"""
    script = script.replace("del Finalized", "Finalized()\nsys.exit(termination.exit_code())")
    assert run(script) == (130, "", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_the_interpreter_ends_does_not_change_the_exit_code(run: Run, number: int) -> None:
    script = """
class ClearedLate:
    def __del__(self, write=os.write, sleep=time.sleep):
        write(1, b"ready\\n")
        sleep(0.5)

kept = ClearedLate()
termination.ignore_signals()
sys.exit(3)
"""
    assert run(script, number) == (3, "", "")


def test_importing_the_package_and_its_command_line_leaves_signals_alone() -> None:
    code = (
        "import signal, sys; before = [signal.getsignal(n) for n in (2, 15)];"
        "import tlcconvert.cli.command; assert before == [signal.getsignal(n) for n in (2, 15)];"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
