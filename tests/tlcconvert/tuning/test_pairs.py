"""Partners by the names of their files."""

from __future__ import annotations

from pathlib import Path

from tlcconvert.tuning.pairs import Pair, pairs


def test_partners_have_one_name_whatever_their_type() -> None:
    found, alone = pairs([Path("lq/b.png"), Path("lq/a.jpg")], [Path("gt/a.png"), Path("gt/b.png")])
    assert found == (Pair(Path("lq/b.png"), Path("gt/b.png")), Pair(Path("lq/a.jpg"), Path("gt/a.png")))
    assert alone == ()


def test_a_degraded_image_may_have_the_scale_behind_its_name() -> None:
    found, alone = pairs([Path("1x2.png"), Path("2_x4.png")], [Path("gt/1.png"), Path("gt/2.png")])
    assert [pair.clean.stem for pair in found] == ["1", "2"]
    assert alone == ()
    found, _ = pairs([Path("1x2.png")], [Path("gt/1x2.png")])
    assert found[0].clean == Path("gt/1x2.png")


def test_what_has_no_partner_or_a_double_is_told() -> None:
    found, alone = pairs(
        [Path("a.png"), Path("a.jpg"), Path("b.png"), Path("cx2.png"), Path("c_x3.png")],
        [Path("gt/a.png"), Path("gt/c.png"), Path("gt/d.png")],
    )
    assert [(pair.degraded.name, pair.clean.name) for pair in found] == [
        ("a.png", "a.png"),
        ("cx2.png", "c.png"),
    ]
    assert [str(reason) for reason in alone] == [
        "a.jpg has the name of a.png.",
        "b.png has no clean partner of its name.",
        "c_x3.png has no clean partner of its name.",
        "gt/d.png has no degraded partner of its name.",
    ]
