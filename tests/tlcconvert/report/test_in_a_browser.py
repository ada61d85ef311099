"""The page in headless Chromium: its script runs under its own policy, it fits a phone, and it can be read.

A browser gives no access to a page from outside, so what is asked is added to the page's script before it is hashed.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.tlcconvert.report.made_up import local, report, restored
from tests.tlcconvert.report.test_page import HOSTILE, hostile_report
from tlcconvert.report import page as module

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

QUESTIONS = """
const answers = {};
const shown = (selector) => getComputedStyle(document.querySelector(selector)).display !== "none";
const handle = () => document.querySelector(".handle").getBoundingClientRect();
const stage = document.querySelector(".stage").getBoundingClientRect();
answers.title = document.title;
answers.handle = [handle().left - stage.left, stage.width];
const range = document.querySelector("input[type=range]");
range.value = 25;
range.dispatchEvent(new Event("input"));
answers.moved = (handle().left - stage.left) / stage.width;
answers.clip = getComputedStyle(document.querySelector(".stage .original")).clipPath;
answers.views = [[".compare", ".photograph", ".difference"].map((view) => shown("figure" + view))];
for (const view of ["photograph", "difference"]) {
  document.querySelector("input.view-" + view).click();
  answers.views.push([".compare", ".photograph", ".difference"].map((each) => shown("figure" + each)));
}
document.querySelector("input.view-compare").click();
answers.images = [...document.images].filter((image) => image.naturalWidth === 0).length;
answers.overflow = document.documentElement.scrollWidth - innerWidth;
answers.width = innerWidth;
const luminance = (color) => {
  const linear = (part) => (part <= .04045 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4);
  const [r, g, b] = color.match(/[\\d.]+/g).map((part) => linear(part / 255));
  return .2126 * r + .7152 * g + .0722 * b;
};
const ground = luminance(getComputedStyle(document.body).backgroundColor);
answers.ground = ground;
answers.contrast = ["body", ".lead", ".brand", "nav a", "figcaption", ".note"].map((selector) => {
  const ink = luminance(getComputedStyle(document.querySelector(selector)).color);
  return (Math.max(ink, ground) + .05) / (Math.min(ink, ground) + .05);
});
answers.focusable = [...document.querySelectorAll("a, input, summary, .scroll")].every((each) => each.tabIndex === 0);
document.addEventListener("securitypolicyviolation", (event) => (answers.violation = event.violatedDirective));
document.documentElement.dataset.answers = JSON.stringify(answers);
"""


def asked(
    folder: Path, monkeypatch: pytest.MonkeyPatch, made: Any, *flags: str, name: str = "photograph.png"
) -> dict[str, Any]:
    """What the page answers in a browser that is started with ``flags``."""
    read = module._text
    with monkeypatch.context() as patch:
        patch.setattr(module, "_text", lambda file: read(file) + QUESTIONS * (file == "page.js"))
        text = module.page(made, [restored(name=name)])
    path = folder / "report.html"
    path.write_text(text, encoding="utf-8")
    assert CHROMIUM is not None
    command = [
        CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}",
        *flags, "--dump-dom", path.as_uri(),
    ]  # fmt: skip
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    answers = dom.partition('data-answers="')[2].partition('"')[0]
    assert answers, "the script did not run"
    return json.loads(
        answers.replace("&quot;", '"').replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    )


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        return asked(tmp_path_factory.mktemp("browser"), patch, report(), "--window-size=1200,900")


def test_the_line_is_in_the_middle_and_goes_where_it_is_moved(answers: dict[str, Any]) -> None:
    left, width = answers["handle"]
    assert left / width == pytest.approx(0.5, abs=0.02)
    assert answers["moved"] == pytest.approx(0.25, abs=0.02)
    assert "75%" in answers["clip"]


def test_one_view_is_shown_at_a_time(answers: dict[str, Any]) -> None:
    assert answers["views"] == [[True, False, False], [False, True, False], [False, False, True]]


def test_every_picture_is_decoded(answers: dict[str, Any]) -> None:
    assert answers["images"] == 0


def test_everything_can_be_reached_with_the_keyboard(answers: dict[str, Any]) -> None:
    assert answers["focusable"]


def test_text_stands_out_from_a_light_ground(answers: dict[str, Any]) -> None:
    assert answers["ground"] > 0.7
    assert min(answers["contrast"]) >= 4.5


def test_text_stands_out_from_a_dark_ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = asked(tmp_path, monkeypatch, report(), "--blink-settings=preferredColorScheme=0")
    assert answers["ground"] < 0.1
    assert min(answers["contrast"]) >= 4.5


def test_a_phone_scrolls_down_and_not_sideways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = "a_module_of_a_long_name." * 12
    made = report(
        localized=[local(where=long)],
        parity_notes=[long],
        left_global=[{"kind": "FFT", "where": long, "reason": long}],
    )
    answers = asked(tmp_path, monkeypatch, made, "--window-size=390,844", name=long)
    assert answers["width"] <= 500
    assert answers["overflow"] <= 0


def test_names_that_are_scripts_do_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = asked(tmp_path, monkeypatch, hostile_report(), name=HOSTILE)
    assert answers["title"].startswith("<script>document.title='owned'")
    assert answers["title"].endswith("report of tlcconvert")
