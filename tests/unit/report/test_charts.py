"""Inline SVG: well-formed, described, escaped, and true to its numbers."""

from __future__ import annotations

from xml.etree import ElementTree

from parties.report.charts import MARKS_MAX, Chart, Mark, Panel, Shape, draw, shown

SVG = "{http://www.w3.org/2000/svg}"


def chart(*marks: Mark, shape: Shape = Shape.BARS, heading: str = "") -> Chart:
    return Chart("c", "Rows", "What is shown.", "rows", shape, (Panel(heading, marks),))


def parsed(drawn: str) -> ElementTree.Element:
    return ElementTree.fromstring(drawn)  # noqa: S314 # our own output


def percent(text: str | None) -> float:
    assert text is not None
    return float(text.removesuffix("%"))


def test_chart_has_a_title_a_description_and_a_tooltip_for_each_mark() -> None:
    root = parsed(draw(chart(Mark("f", 120.0, 100.0, 140.0, "120, 95 % interval 100 to 140"))))
    assert root.get("role") == "img"
    ids = (root.get("aria-labelledby") or "").split()
    named = {element.get("id"): element.text for element in root.iter() if element.get("id")}
    assert [named[each] for each in ids] == ["Rows", "What is shown."]
    tooltips = [element.text for element in root.findall(f"{SVG}g/{SVG}title")]
    assert tooltips == ["f: 120, 95 % interval 100 to 140"]


def test_bars_start_at_zero_and_grow_with_their_values() -> None:
    marks = [Mark(str(v), v, v - 10, v + 10, "") for v in (-20.0, 50.0, 100.0)]
    bars = parsed(draw(chart(*marks))).findall(f".//{SVG}rect")
    left = [percent(bar.get("x")) for bar in bars]
    width = [percent(bar.get("width")) for bar in bars]
    assert left[1] == left[2]
    assert abs(left[0] + width[0] - left[1]) < 0.01  # the negative bar ends at zero
    assert abs(width[2] / width[1] - 2) < 0.01


def test_points_have_no_bar_and_their_interval_ends_where_it_should() -> None:
    marks = [Mark("a", 2.0, 1.0, 3.0, ""), Mark("b", 3.0, 1.0, 5.0, "")]
    root = parsed(draw(chart(*marks, shape=Shape.POINTS)))
    assert not root.findall(f".//{SVG}rect")
    points = [percent(point.get("cx")) for point in root.findall(f".//{SVG}circle")]
    whiskers = [
        (percent(line.get("x1")), percent(line.get("x2")))
        for line in root.findall(f".//{SVG}line[@class='whisker']")
        if line.get("y1") == line.get("y2")
    ]
    for point, (low, high) in zip(points, whiskers, strict=True):
        assert abs((low + high) / 2 - point) < 0.01
    assert abs((whiskers[1][1] - whiskers[1][0]) / (whiskers[0][1] - whiskers[0][0]) - 2) < 0.01


def test_labels_from_outside_are_escaped() -> None:
    evil = "</text><script>alert(1)</script>"
    drawn = draw(chart(Mark(evil, 1.0, 0.0, 2.0, evil), heading=evil))
    assert "<script" not in drawn
    assert parsed(drawn).findall(f".//{SVG}text")


def test_missing_values_show_their_reason_and_draw_nothing() -> None:
    root = parsed(draw(chart(Mark("a", 1.0, 0.0, 2.0, ""), Mark("b", None, None, None, "no rows"))))
    assert len(root.findall(f".//{SVG}rect")) == 1
    assert "no rows" in "".join(root.itertext())


def test_nothing_to_draw_is_no_chart() -> None:
    assert draw(chart(Mark("b", None, None, None, "no rows"))) == ""


def test_all_zero_and_single_values_still_have_a_scale() -> None:
    parsed(draw(chart(Mark("a", 0.0, 0.0, 0.0, ""))))
    parsed(draw(chart(Mark("a", 7.0, 7.0, 7.0, ""), shape=Shape.POINTS)))
    parsed(draw(chart(Mark("a", 1e18, 1e18 - 5, 1e18 + 5, ""))))


def test_truth_is_marked_only_where_it_is_given() -> None:
    with_truth = parsed(draw(chart(Mark("a", 1.0, 0.0, 2.0, "", truth=1.5))))
    without = parsed(draw(chart(Mark("a", 1.0, 0.0, 2.0, ""))))
    assert len(with_truth.findall(f".//{SVG}line[@class='truth']")) == 1
    assert not without.findall(f".//{SVG}line[@class='truth']")


def test_long_charts_are_cut_at_a_limit_that_can_be_told() -> None:
    marks = [Mark(str(i), float(i), None, None, "") for i in range(MARKS_MAX + 40)]
    long = chart(*marks)
    assert shown(long) == MARKS_MAX
    assert len(parsed(draw(long)).findall(f"{SVG}g")) == MARKS_MAX
