"""The page: it stands alone, it shows everything as text, and it is never too large."""

from __future__ import annotations

import base64
import hashlib
import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest

from tests.tlcconvert.report.made_up import compared, local, report, restored, seen
from tlcconvert.errors import InputError
from tlcconvert.report import page as module
from tlcconvert.report.page import page
from tlcconvert.report.restored import Restored

HOSTILE = (
    "<script>document.title='owned'</script>\"'><img src=https://evil.example/x onerror=alert(1)>"
    "&amp;{{7*7}}\x1b[31m\u202e"
)
BARE = {"tlcconvert_version": "1", "source_sha256": ""}
FORBIDDEN_ATTRIBUTES = re.compile(r"on\w+|style|srcset|action|formaction|ping")
VOID = {"meta", "link", "img", "input", "br", "rect", "line", "circle", "image"}


class Elements(HTMLParser):
    """Every element of a page, and its text; ``unclosed`` is not empty where tags do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.unclosed: list[str] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.unclosed.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self.unclosed.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def hostile_report() -> Any:
    """Every text of a report that comes from a stranger's file, a name or an error."""
    left = {"kind": HOSTILE, "where": HOSTILE, "reason": HOSTILE}
    fold = dict.fromkeys(("kind", "where", "before", "after", "note"), HOSTILE)
    step = {
        "name": HOSTILE,
        "stage": HOSTILE,
        "seconds": 1.0,
        "nodes": 3,
        "rewrites": [fold],
        "skipped": [left],
    }
    metadata = {
        **report()["metadata"],
        HOSTILE: HOSTILE,
        "tlcconvert_version": HOSTILE,
        "source_sha256": HOSTILE,
    }
    return report(
        metadata=metadata,
        localized=[local(kind=HOSTILE, where=HOSTILE, before=HOSTILE)],
        folded=[fold],
        left_global=[left],
        not_folded=[left],
        parity=[compared(what=HOSTILE, note=HOSTILE, proves=HOSTILE)],
        parity_notes=[HOSTILE],
        steps=[step],
        provenance={
            "command": HOSTILE,
            "network": HOSTILE,
            "outputs": [{"name": HOSTILE, "bytes": 3, "sha256": HOSTILE}],
            "versions": {HOSTILE: HOSTILE},
        },
    )


@pytest.fixture
def hostile() -> str:
    return page(hostile_report(), [restored(name=HOSTILE), Restored(seen(name=HOSTILE, failed=HOSTILE))])


def test_what_names_say_is_shown_as_text(hostile: str) -> None:
    parsed = Elements(hostile)
    assert parsed.unclosed == []
    plain = Elements(page(report(), [restored(), Restored(seen(failed="it is too small"))]))
    kinds = {tag for tag, _ in parsed.elements}
    assert kinds <= {tag for tag, _ in plain.elements} | {
        "details",
        "summary",
        "strong",
        "a",
        "section",
        "td",
    }
    assert sum(tag == "script" for tag, _ in parsed.elements) == 1
    assert "".join(parsed.text).count("document.title='owned'") > 20
    assert "{{7*7}}" in unescape(hostile) and "49" not in re.sub(r"data:[^\"]+|sha256-[^']+", "", hostile)


def test_what_would_turn_text_around_or_colour_a_terminal_is_written_out(hostile: str) -> None:
    assert not [character for character in hostile if not (character.isprintable() or character == "\n")]
    assert "\\x1b" in hostile and "\\u202e" in hostile


def test_nothing_is_loaded_and_no_attribute_runs_or_styles(hostile: str) -> None:
    for tag, attributes in Elements(hostile).elements:
        for name, value in attributes.items():
            assert not FORBIDDEN_ATTRIBUTES.fullmatch(name), (tag, name)
            if name in ("src", "href"):
                assert value is not None and value.startswith(("data:image/webp;base64,", "#")), (tag, value)
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|import\(", hostile)


def test_the_security_policy_lets_the_own_style_and_script_run_alone() -> None:
    text = page(report())
    policy = next(
        attributes["content"] or ""
        for tag, attributes in Elements(text).elements
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    directives = dict(directive.strip().split(" ", 1) for directive in policy.split(";"))
    assert directives["default-src"] == "'none'" and directives["img-src"] == "data:"
    for tag in ("style", "script"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert directives[f"{tag}-src"] == f"'sha256-{digest}'"


def test_the_policy_comes_before_anything_it_governs() -> None:
    tags = [tag for tag, attributes in Elements(page(report())).elements if attributes.get("charset") is None]
    assert tags.index("meta") < min(tags.index(tag) for tag in ("title", "style", "script", "body"))


def test_two_reports_of_the_same_are_the_same_page() -> None:
    assert page(report(), [restored()]) == page(report(seconds={"capture": 9.0}), [restored()])


def test_pictures_are_as_large_as_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 400_000)
    monkeypatch.setattr(module, "_SIDES", (200, 100, 50))
    sizes = [len(page(report(), [restored(200, 200)] * count).encode()) for count in (1, 4)]
    assert all(200_000 < size <= 400_000 for size in sizes)
    monkeypatch.setattr(module, "MOST_BYTES", 10_000_000)
    assert len(page(report(), [restored(200, 200)] * 4).encode()) > 3 * sizes[0] > sizes[1]


def test_what_fits_at_no_size_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 20_000)
    with pytest.raises(InputError, match="show it fewer images"):
        page(report(), [restored()])


def test_a_long_table_ends_and_says_how_much_is_left_out() -> None:
    sites = [local(where=f"body.{number} (network.py:7)") for number in range(1000)]
    text = page(report(localized=sites))
    assert "body.399 " in text and "body.400 " not in text and "And 600 more" in text


def test_a_photograph_that_was_not_run_says_why_and_the_others_are_shown() -> None:
    text = page(
        report(), [Restored(seen(name="bad.png", failed="it is too small")), restored(name="good.png")]
    )
    assert "It was not run: it is too small." in text
    assert text.count('type="range"') == 1


def test_controls_of_two_photographs_do_not_share_names() -> None:
    elements = Elements(page(report(), [restored(), restored()])).elements
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {a["name"] for tag, a in elements if a.get("type") == "radio"} == {"view-1", "view-2"}
    targets = {a["for"] for tag, a in elements if tag == "label"}
    assert targets <= set(ids)


def test_every_section_that_is_linked_to_is_there() -> None:
    for made in (report(), report(localized=[], cost=None), report(localized=[], parity=[])):
        elements = Elements(page(made)).elements
        ids = {attributes.get("id") for _, attributes in elements}
        links = {(a.get("href") or "")[1:] for tag, a in elements if tag == "a"}
        assert links <= ids


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"localized": []}, "no global statistic that could be made local"),
        ({"localized": [], "metadata": {**BARE, "patch_size": "32", "classes": "3"}}, "cut into patches of 32"),
        ({"localized": [], "metadata": BARE}, "left global, as asked for"),
        ({"left_global": [{"kind": "FFT", "where": "a", "reason": "b"}]}, "1 operation still depends"),
        ({"left_global": []}, "Nothing else depends on the whole image."),
    ],
)  # fmt: skip
def test_the_first_sentences_say_what_came_of_it(other: dict[str, Any], words: str) -> None:
    assert words in page(report(**other))


@pytest.mark.parametrize("verdict", ["local", "unsafe", "no benefit"])
def test_a_verdict_comes_first(verdict: str) -> None:
    diagnosis = {
        "verdict": verdict,
        "closer_db": 8.4,
        "deviation_db": None,
        "images": 3,
        "sentence": f"It is {verdict}: <b>",
        "explanation": ["As seen at body.0."],
    }
    text = page(report(diagnosis=diagnosis), [restored()])
    places = [
        text.index(words) for words in (f"It is {verdict}: &lt;b&gt;", "As seen at body.0.", "From 3 images")
    ]
    assert places == sorted(places) and places[-1] < text.index("Local statistics")


def test_a_change_of_nothing_is_said_so() -> None:
    text = page(report(), [restored(change_db=None, largest_change=0.0, visible_share=0.0)])
    assert "The two networks return the same image." in text
    text = page(report(), [restored(change_db=-146.2, largest_change=1e-7, visible_share=0.0)])
    assert "The two networks return the same image, but for rounding (-146.2 dB)." in text


def test_a_part_of_a_photograph_is_named() -> None:
    assert "The middle 48×64 of 480×640 pixels was run." in page(report(), [restored(size=[480, 640])])  # noqa: RUF001


def test_a_report_of_python_has_no_provenance_and_still_a_page() -> None:
    made = report()
    del made["provenance"]
    assert "A network" in page(made)
