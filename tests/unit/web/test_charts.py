"""Pictures of daily use: where each figure is drawn."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from exporter.forecast import ProjectedUse
from exporter.web.charts import (
    Totals,
    UsageChart,
    format_tick,
    is_weekend,
    round_figures,
    sparkline,
    time_ticks,
    usage_chart,
)

MONDAY = 1_794_787_200.0  # 16 November 2026
DAY = 86_400.0
CHART = UsageChart(
    label="Use of Acme",
    description="5 of 10 are left.",
    begin=MONDAY,
    end=MONDAY + 10 * DAY,
    unit="credits",
    first=MONDAY,
    days=[54.0, 0.0, 27.0, -3.0, 10.0, 20.0, 5.0],
    now=MONDAY - DAY,
)
TOTALS = Totals(
    points=[(MONDAY + DAY, 10.0), (MONDAY + 5 * DAY, 50.0)],
    unobserved=[(MONDAY, 0.0), (MONDAY + DAY, 10.0)],
    projection=[
        ProjectedUse(MONDAY + 5 * DAY, 50.0, 50.0, 50.0),
        ProjectedUse(MONDAY + 10 * DAY, 100.0, 90.0, 200 / 1.08),
    ],
    limit=(75.0, "75 purchased"),
    exhaustion=(MONDAY + 7.5 * DAY, "runs out"),
)


def drawn(chart: UsageChart) -> etree._Element:
    return etree.fromstring(usage_chart(chart))


def paths(picture: etree._Element) -> dict[str, str]:
    return {path.get("class", ""): path.get("d", "") for path in picture.iter("path")}


def test_a_picture_has_a_name_and_a_description() -> None:
    picture = drawn(CHART)
    assert (picture.get("role"), picture.get("aria-label")) == ("img", "Use of Acme")
    assert picture.findtext("desc") == "5 of 10 are left."


def test_each_day_with_use_is_a_bar_as_high_as_its_use() -> None:
    found = paths(drawn(CHART))
    # The largest day is 83.3 of 90 pixels high; a day is 100 wide, its bar 80.
    assert found["weekday"] == (
        "M10.0 90.0v-83.3h80.0v83.3zM210.0 90.0v-41.7h80.0v41.7zM410.0 90.0v-15.4h80.0v15.4z"
    )
    assert found["weekend"] == "M510.0 90.0v-30.9h80.0v30.9zM610.0 90.0v-7.7h80.0v7.7z"
    assert found["expected"] == ""


def test_expected_use_is_on_top_of_the_current_day_and_after_it() -> None:
    found = paths(drawn(CHART._replace(expected=[22.0, 54.0])))
    assert found["expected"] == "M610.0 82.3v-34.0h80.0v34.0zM710.0 90.0v-83.3h80.0v83.3z"


def test_the_total_its_projection_and_their_range_share_a_scale() -> None:
    found = paths(drawn(CHART._replace(totals=TOTALS)))
    assert found["unobserved"] == "M0.0 200.0L100.0 190.0"
    assert found["total"] == "M100.0 190.0L500.0 150.0"
    assert found["projected"] == "M500.0 150.0L1000.0 100.0"
    assert found["range"] == "M500.0 150.0L1000.0 14.8L1000.0 110.0L500.0 150.0z"


def test_what_was_purchased_is_a_line_and_the_run_out_a_point_on_it() -> None:
    picture = drawn(CHART._replace(totals=TOTALS))
    (limit,) = picture.xpath("line[@class='limit']")
    (point,) = picture.xpath("circle")
    assert (limit.get("y1"), point.get("cx"), point.get("cy")) == ("163.0", "75.00%", "163.0")
    (label,) = picture.xpath("text[@class='out']")
    assert (label.text, label.get("text-anchor")) == ("runs out", "end")
    assert picture.xpath("text[@class='limit']/text()") == ["75 purchased"]


def test_without_these_there_is_the_total_alone() -> None:
    bare = Totals([(MONDAY, 0.0), (MONDAY + DAY, 5.0)])
    picture = drawn(CHART._replace(totals=bare))
    assert set(paths(picture)) == {"expected", "weekday", "weekend", "total"}
    assert not picture.xpath("circle | line[@class='limit']")
    without_exhaustion = CHART._replace(totals=TOTALS._replace(exhaustion=None))
    assert not drawn(without_exhaustion).xpath("circle")


def test_the_current_moment_and_the_start_of_the_period_are_marked() -> None:
    picture = drawn(CHART._replace(now=MONDAY + 2 * DAY, start=MONDAY + DAY))
    assert picture.xpath("line[@class='now']/@x1") == ["20.00%"]
    assert picture.xpath("line[@class='start']/@x1") == ["10.00%"]
    (label,) = picture.xpath("text[@class='now']")
    assert (label.text, label.get("text-anchor")) == ("today, Wed 18 Nov 2026", "start")


def test_text_is_escaped() -> None:
    hostile = '"><script>&'
    chart = CHART._replace(
        label=hostile,
        description=hostile,
        unit=hostile,
        totals=TOTALS._replace(limit=(1, hostile), exhaustion=(1, hostile)),
    )
    picture = drawn(chart)
    assert not picture.xpath("//script")
    assert usage_chart(chart).count("&lt;script&gt;") == 6


@pytest.mark.parametrize(
    ("largest", "figures"),
    [
        (0, [0]),
        (3, [0, 1, 2, 3]),
        (18, [0, 5, 10, 15]),
        (75, [0, 20, 40, 60]),
        (108, [0, 50, 100]),
        (50_000, [0, 20_000, 40_000]),
        (0.5, [0]),
        (1, [0, 1]),
        (5e-324, [0]),
    ],
)
def test_lines_are_at_round_figures(largest: float, figures: list[float]) -> None:
    assert round_figures(largest) == figures


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (9_000, "9,000"), (20_000, "20k"), (2_500_000, "2.5M"), (4e9, "4G")],
)
def test_figures_at_the_axis_are_short(value: float, text: str) -> None:
    assert format_tick(value) == text


@pytest.mark.parametrize(
    ("begin", "days", "labels"),
    [
        (MONDAY + DAY / 2, 4, ["17 Nov", "19 Nov"]),
        (MONDAY + DAY, 30, ["23 Nov", "30 Nov", "7 Dec", "14 Dec"]),
        (MONDAY, 80, ["16 Nov", "30 Nov", "14 Dec", "28 Dec", "11 Jan", "25 Jan"]),
        (MONDAY, 200, ["Dec", "2027", "Feb", "Mar", "Apr", "May", "Jun"]),
        (MONDAY, 500, ["2027", "Mar", "May", "Jul", "Sep", "Nov", "2028", "Mar"]),
    ],
)  # fmt: skip
def test_days_are_labelled_as_densely_as_the_time_is_short(
    begin: float, days: int, labels: list[str]
) -> None:
    assert [text for _, text in time_ticks(begin, begin + days * DAY)] == labels


def test_every_second_label_may_be_hidden_on_a_narrow_screen() -> None:
    marks = drawn(CHART._replace(end=MONDAY + 7 * DAY)).xpath("text[starts-with(@class, 'time')]")
    assert [(mark.text, mark.get("class")) for mark in marks] == [
        ("16 Nov", "time"),
        ("18 Nov", "time minor"),
        ("20 Nov", "time"),
        ("22 Nov", "time minor"),
    ]


def test_saturday_and_sunday_are_the_weekend() -> None:
    assert [day for day in range(7) if is_weekend(MONDAY + day * DAY)] == [5, 6]


def test_a_sparkline_leaves_unknown_days_empty() -> None:
    picture = etree.fromstring(sparkline([5, 10], 4, 'a "label"'))
    assert (picture.get("viewBox"), picture.get("aria-label")) == ("0 0 40 20", 'a "label"')
    assert paths(picture)[""] == "M20 20v-10h8V20zM30 20v-20h8V20z"
    assert paths(etree.fromstring(sparkline([0, -5], 4, "")))[""] == ""


FIGURES = st.floats(-1e12, 1e12)


@given(st.lists(FIGURES, min_size=1, max_size=50), st.lists(FIGURES, max_size=50), FIGURES)
def test_any_figures_make_a_picture_without_impossible_numbers(
    days: list[float], expected: list[float], total: float
) -> None:
    points = [(MONDAY, 0.0), (MONDAY + DAY, total)]
    projection = [ProjectedUse(MONDAY, total, total, total)]
    totals = Totals(points, projection=projection, limit=(abs(total), "limit"))
    text = usage_chart(CHART._replace(days=days, expected=expected, totals=totals))
    etree.fromstring(text)
    assert not re.search(r"nan|inf|e[+-]", text.replace("line", ""))
