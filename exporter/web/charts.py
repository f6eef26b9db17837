"""Pictures of daily use as SVG: numbers in, markup out.

They are as wide as the page allows and of fixed height: shapes stretch, text and lines do not.
So positions across are in percent, or in thousandths within a nested SVG; down they are pixels.
"""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from math import ceil, floor, log10
from typing import TYPE_CHECKING, Final, NamedTuple

from exporter.days import DAY_SECONDS
from exporter.presentation.outlook import format_day

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from exporter.forecast import ProjectedUse

_WEEK: Final = 7
_WEEKS: Final = 20  # up to which Mondays are labelled
_SATURDAY: Final = 5

_WIDTH: Final = 1000  # of the nested SVG
_TITLE: Final = 20  # height of a panel's title
_MARK: Final = 18  # height of the label above the totals
_TOTAL_HEIGHT: Final = 200
_BARS_HEIGHT: Final = 90
_GAP: Final = 12
_AXIS: Final = 18  # height of a row of labels below
_BAR: Final = 0.8  # of a day
_LEAST: Final = 0.05  # height of a bar, pixels
_HEADROOM: Final = 1.08
_TICKS: Final = 4  # lines across a panel, at most
_HALF: Final = 50  # percent


class Totals(NamedTuple):
    """The upper panel: the period's running total.

    Args:
        points: moments, Unix seconds, and the total until then.
        unobserved: the same before the first of these, where only the total is known.
        projection: the total expected.
        limit: what was purchased, with its label; None where that is unknown.
        exhaustion: when that is used up, Unix seconds, with its label.
    """

    points: Sequence[tuple[float, float]]
    unobserved: Sequence[tuple[float, float]] = ()
    projection: Sequence[ProjectedUse] = ()
    limit: tuple[float, str] | None = None
    exhaustion: tuple[float, str] | None = None


class UsageChart(NamedTuple):
    """A picture of daily use and, above it, of the running total.

    Args:
        label: what it is a picture of.
        description: the facts that it shows.
        begin, end: the time that it covers, Unix seconds.
        unit: what is counted, plural.
        first: midnight that began the first day of `days`.
        days: use of consecutive days, at least one, the last one so far.
        expected: use expected of the days after these, the rest of the current one first.
        now: the current moment; marked if it is within that time.
        start: when the period began, if it is shown.
        totals: the upper panel, if any.
    """

    label: str
    description: str
    begin: float
    end: float
    unit: str
    first: float
    days: Sequence[float]
    now: float
    expected: Sequence[float] = ()
    start: float | None = None
    totals: Totals | None = None

    def percent(self, moment: float) -> float:
        """How far across a moment is."""
        return 100 * (moment - self.begin) / (self.end - self.begin)


def usage_chart(chart: UsageChart) -> str:
    """The picture."""
    top, totals = 0, ""
    if chart.totals:
        totals = _totals(chart, chart.totals, _TITLE + _MARK)
        top = _TITLE + _MARK + _TOTAL_HEIGHT + _GAP
    bottom = top + _TITLE + _BARS_HEIGHT
    height = bottom + 2 * _AXIS + 4
    return (
        f'<svg class="chart" role="img" aria-label="{escape(chart.label)}" height="{height}">'
        f"<desc>{escape(chart.description)}</desc>"
        f"{_marks(chart, bottom)}{totals}{_bars(chart, top + _TITLE)}"
        f"{''.join(_time_labels(chart, bottom))}</svg>"
    )


def sparkline(days: Sequence[float], count: int, label: str) -> str:
    """Bars of the last `count` days; those that are unknown are left empty."""
    scale = 20 / max(1.0, *days)
    heights = enumerate((round(used * scale) for used in days), count - len(days))
    path = "".join(f"M{day * 10} 20v-{height}h8V20z" for day, height in heights if height > 0)
    return (
        f'<svg class="spark" role="img" aria-label="{escape(label)}" viewBox="0 0 {count * 10} 20" '
        f'preserveAspectRatio="none"><path d="{path}"/></svg>'
    )


def _totals(chart: UsageChart, totals: Totals, top: int) -> str:
    projected = totals.projection
    limit = totals.limit[0] if totals.limit else 0.0
    known = (total for _, total in totals.points)
    largest = max(0.0, limit, *known, *(point.high for point in projected))
    panel = _Panel(chart, top, _TOTAL_HEIGHT, largest * _HEADROOM)
    shapes = []
    if projected:
        around = [(point.at, point.high) for point in projected]
        around += [(point.at, point.low) for point in reversed(projected)]
        shapes.append(f'<path class="range" d="M{panel.line(around)}z"/>')
    for name, points in (
        ("unobserved", totals.unobserved),
        ("total", totals.points),
        ("projected", [(point.at, point.used) for point in projected]),
    ):
        if points:
            shapes.append(f'<path class="{name}" d="M{panel.line(points)}"/>')
    title = f"{chart.unit} used, in total"
    return panel.framed(title, top - _MARK, shapes) + _limit(totals, panel)


def _limit(totals: Totals, panel: _Panel) -> str:
    """What was purchased, and where the total reaches it."""
    if not totals.limit:
        return ""
    limit, label = totals.limit
    height = panel.top + panel.height_of(limit)
    line = (
        f'<line class="limit" x1="0" x2="100%" y1="{height:.1f}" y2="{height:.1f}"/>'
        f'<text class="limit" x="4" y="{height - 5:.1f}">{escape(label)}</text>'
    )
    if not totals.exhaustion:
        return line
    moment, label = totals.exhaustion
    across = panel.chart.percent(moment)
    return (
        line
        + _down("out", across, panel.top - 6, panel.top + panel.size)
        + f'<circle class="out" cx="{across:.2f}%" cy="{height:.1f}" r="5"/>'
        + _label("out", across, panel.top - 8, label)
    )


def _bars(chart: UsageChart, top: int) -> str:
    today, *coming = chart.expected or (0.0,)
    used_today = max(0.0, chart.days[-1])
    largest = max(used_today + today, *chart.days, *coming)
    panel = _Panel(chart, top, _BARS_HEIGHT, largest * _HEADROOM)
    bars: dict[str, list[str]] = {"expected": [], "weekday": [], "weekend": []}
    midnight = chart.first
    for used in chart.days:
        name = "weekend" if is_weekend(midnight) else "weekday"
        bars[name].append(panel.bar(midnight, used))
        midnight += DAY_SECONDS
    bars["expected"].append(panel.bar(midnight - DAY_SECONDS, used_today + today, used_today))
    for used in coming:
        bars["expected"].append(panel.bar(midnight, used))
        midnight += DAY_SECONDS
    shapes = [f'<path class="{name}" d="{"".join(each)}"/>' for name, each in bars.items()]
    return panel.framed(f"{chart.unit} per day", top, shapes)


def is_weekend(midnight: float) -> bool:
    """Whether the day that began then is a Saturday or Sunday."""
    return datetime.fromtimestamp(midnight, UTC).weekday() >= _SATURDAY


class _Panel(NamedTuple):
    """A nested SVG: where it is, and where in it a moment and a figure are.

    Args:
        chart: the picture.
        top: pixels above it.
        size: its height in pixels.
        largest: the figure at its top.
    """

    chart: UsageChart
    top: int
    size: int
    largest: float

    def height_of(self, value: float) -> float:
        """Pixels from its top."""
        share = value / self.largest if self.largest > 0 else 0.0
        return self.size * (1 - min(max(share, 0.0), 1.0))

    def point(self, at: float, value: float) -> str:
        return f"{_WIDTH / 100 * self.chart.percent(at):.1f} {self.height_of(value):.1f}"

    def line(self, points: Iterable[tuple[float, float]]) -> str:
        return "L".join(self.point(*point) for point in points)

    def bar(self, midnight: float, value: float, base: float = 0.0) -> str:
        """A part of a path; nothing where it would be too low to be seen."""
        width = _WIDTH * DAY_SECONDS / (self.chart.end - self.chart.begin)
        left = _WIDTH / 100 * self.chart.percent(midnight) + width * (1 - _BAR) / 2
        foot = self.height_of(base)
        height = foot - self.height_of(value)
        if height < _LEAST:
            return ""
        return f"M{left:.1f} {foot:.1f}v-{height:.1f}h{width * _BAR:.1f}v{height:.1f}z"

    def framed(self, title: str, title_bottom: int, shapes: Sequence[str]) -> str:
        """The shapes with a title, and lines across at round figures."""
        lines = []
        for value in round_figures(self.largest):
            y = self.top + self.height_of(value)
            lines.append(
                f'<line class="grid" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>'
                f'<text class="tick" x="-6" y="{y + 4:.1f}">{format_tick(value)}</text>'
            )
        return (
            f'<text class="title" x="0" y="{title_bottom - 7}">{escape(title)}</text>'
            f'{"".join(lines)}<svg x="0" y="{self.top}" width="100%" height="{self.size}" '
            f'viewBox="0 0 {_WIDTH} {self.size}" preserveAspectRatio="none">'
            f"{''.join(shapes)}</svg>"
        )


def round_figures(largest: float) -> list[float]:
    """From 0 on, with steps of 1, 2 or 5 times a power of ten, of whole numbers."""
    if largest < 1:
        return [0.0]
    rough = max(1.0, largest / _TICKS)
    size = 10.0 ** floor(log10(rough))
    step = next(size * times for times in (1, 2, 5, 10) if size * times >= rough)
    return [step * count for count in range(int(largest / step) + 1)]


def format_tick(value: float) -> str:
    """A figure in at most four digits or so, such as `1,500` or `12k`."""
    for size, suffix in ((10**9, "G"), (10**6, "M"), (10**4, "k")):
        if value >= size:
            return f"{value / (1000 if suffix == 'k' else size):g}{suffix}"
    return f"{value:,.0f}"


def _marks(chart: UsageChart, bottom: int) -> str:
    """The start of the period and the current moment."""
    parts = []
    if chart.start is not None:
        parts.append(_down("start", chart.percent(chart.start), _TITLE, bottom))
    if chart.begin <= chart.now <= chart.end:
        across = chart.percent(chart.now)
        parts.append(_down("now", across, _TITLE, bottom + _AXIS + 4))
        parts.append(_label("now", across, bottom + 2 * _AXIS, f"today, {format_day(chart.now)}"))
    return "".join(parts)


def _down(name: str, across: float, top: int, bottom: int) -> str:
    place = f"{across:.2f}%"
    return f'<line class="{name}" x1="{place}" x2="{place}" y1="{top}" y2="{bottom}"/>'


def _label(name: str, across: float, down: float, text: str) -> str:
    """A label that stays within the picture."""
    anchor = "start" if across < _HALF else "end"
    return (
        f'<text class="{name}" x="{across:.2f}%" y="{down}" text-anchor="{anchor}">'
        f"{escape(text)}</text>"
    )


def _time_labels(chart: UsageChart, bottom: int) -> Iterator[str]:
    for position, (moment, text) in enumerate(time_ticks(chart.begin, chart.end)):
        across = f"{chart.percent(moment):.2f}%"
        minor = " minor" if position % 2 else ""
        yield (
            f'<line class="grid" x1="{across}" x2="{across}" y1="{bottom}" y2="{bottom + 4}"/>'
            f'<text class="time{minor}" x="{across}" y="{bottom + _AXIS - 1}">{text}</text>'
        )


def time_ticks(begin: float, end: float) -> list[tuple[float, str]]:
    """The days that are labelled: every other one, some Mondays, or first days of months."""
    midnights = range(ceil(begin / DAY_SECONDS) * DAY_SECONDS, floor(end) + 1, DAY_SECONDS)
    days = [datetime.fromtimestamp(midnight, UTC) for midnight in midnights]
    length = (end - begin) / DAY_SECONDS
    if length > _WEEKS * _WEEK:
        step = ceil(length / 400)
        months = [day for day in days[1:] if day.day == 1 and (day.month - 1) % step == 0]
        return [(day.timestamp(), f"{day:%Y}" if day.month == 1 else f"{day:%b}") for day in months]
    if length > 2 * _WEEK:
        mondays = [day for day in days if day.weekday() == 0]
        shown = mondays[:: ceil(length / _WEEK / 8)]
    else:
        shown = days[::2]
    return [(day.timestamp(), f"{day.day} {day:%b}") for day in shown]
