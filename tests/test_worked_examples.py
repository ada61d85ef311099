"""The pages on adding something, followed to the letter in a copy of the project."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def new_files(page: str) -> dict[str, str]:
    """Content by path of every file whose path stands alone in front of its block."""
    text = (ROOT / "docs" / page).read_text()
    return dict(re.findall(r"^`([\w/.]+)`:\n\n```python\n(.*?)```", text, re.DOTALL | re.M))


def insertions(page: str) -> list[tuple[str, str]]:
    """Every line that is added to a file, with the line it is added behind."""
    text = (ROOT / "docs" / page).read_text()
    return re.findall(r"^```diff\n (.*)\n\+(.*)\n```", text, re.M)


def kinds_of_a_log_sum_exp(project: Path) -> str:
    """What localising makes local of a network that pools by one, and what it leaves global."""
    code = (
        "import torch; from passes.localize import Training, localize; from tests.captured import captured;"
        "Pool = type('Pool', (torch.nn.Module,), {'forward': lambda _, x: x * x.logsumexp((2, 3), keepdim=True)});"
        "done = localize(captured(Pool()), Training((8, 8), (5, 4)));"
        "print([site.kind for site in done.sites], [skipped.kind for skipped in done.skipped])"
    )
    return run(project, "-c", code).strip()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for package in ("passes", "tlcconvert"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def follow(project: Path, page: str, file: str) -> None:
    """Makes the new files of ``page``, and adds its lines to ``file``."""
    for path, content in new_files(page).items():
        (project / path).parent.mkdir(exist_ok=True, parents=True)
        (project / path).write_text(content)
    for behind, line in insertions(page):
        content = (project / file).read_text()
        assert content.count(f"{behind}\n") == 1, f"{file} has no such line: {behind}"
        (project / file).write_text(content.replace(f"{behind}\n", f"{behind}\n{line}\n"))


def run(project: Path, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=project,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(project), "PATH": ""},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.full
def test_an_architecture_is_added_by_what_its_page_says(project: Path) -> None:
    follow(project, "adding-an-architecture.md", "tlcconvert/architectures/__init__.py")
    run(
        project,
        "-c",
        "import torch; from tlcconvert.architectures.tiny_sr import TinySR;"
        "torch.save(TinySR(3, 8, 3).state_dict(), 'tiny.pth')",
    )
    told = run(project, "-m", "tlcconvert", "tiny.pth", "--train-size", "48", "-o", "tiny.onnx")
    assert "Output 0: 3 * height by 3 * width pixels." in told
    assert (project / "tiny.onnx").exists()


def test_the_page_on_adding_a_statistic_shows_every_file_of_it_as_it_is() -> None:
    shown = new_files("adding-a-statistic.md")
    assert {path for path in shown if path.startswith("passes/")} == {
        str(path.relative_to(ROOT)) for path in (ROOT / "passes/statistics/log_sum_exp").glob("*.py")
    }
    for path, content in shown.items():
        assert content == (ROOT / path).read_text(), path


@pytest.mark.full
def test_a_statistic_is_added_by_what_its_page_says(project: Path) -> None:
    (project / "tests").mkdir()
    for name in ("captured.py", "window_oracle.py"):
        shutil.copy(ROOT / "tests" / name, project / "tests")
    shutil.rmtree(project / "passes/statistics/log_sum_exp")
    table = project / "passes/statistics/__init__.py"
    with_row = table.read_text()
    rows = with_row.splitlines(keepends=True)
    table.write_text("".join(row for row in rows if "LOG_SUM_EXP" not in row))
    assert kinds_of_a_log_sum_exp(project) == "[] ['global log-sum-exp']"
    follow(project, "adding-a-statistic.md", "passes/statistics/__init__.py")
    assert table.read_text() == with_row
    assert kinds_of_a_log_sum_exp(project) == "['global log-sum-exp'] []"
    test = "tests/passes/statistics/log_sum_exp/test_operator.py"
    told = run(project, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", test)
    assert "8 passed" in told


@pytest.mark.full
def test_a_pass_is_added_by_what_its_page_says(project: Path) -> None:
    (project / "tests").mkdir()
    shutil.copy(ROOT / "tests" / "captured.py", project / "tests")
    follow(project, "adding-a-pass.md", "tlcconvert/pipeline/steps.py")
    test = "tests/passes/simplify/test_written_silu.py"
    assert "2 passed" in run(
        project, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", test
    )
    code = (
        "import torch, tlcconvert;"
        "swish = torch.nn.Sequential(torch.nn.Conv2d(3, 3, 3, padding=1), torch.nn.SiLU());"
        "conversion = tlcconvert.convert(swish.eval(), 16, verify_sizes=[(20, 24)]);"
        "print([entry.name for entry in conversion.journal])"
    )
    assert "written_silu" in run(project, "-c", code)
