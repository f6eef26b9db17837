"""The page at `/`: every target, what is left of its allowances, and the state of its polls.

One HTML document without scripts: filters are a form, counts and pages are links, bars are SVG.
"""

from __future__ import annotations

import re
from collections import Counter
from html import escape
from typing import TYPE_CHECKING, Final, NamedTuple, Self
from urllib.parse import parse_qsl, urlencode

from exporter.presentation.formatting import format_number
from exporter.presentation.scope_usage import total_use
from exporter.web.charts import sparkline
from exporter.web.conditions import CONDITIONS, allowance_urgency, conditions, format_count, urgency
from exporter.web.markup import document, isolate, other_pages, target_path
from exporter.web.target_parts import allowance_block, failures, poll_times, vendor_and_state

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from exporter.state.store import TargetSnapshot

PAGE_SIZE: Final = 50  # targets
_RECENT_DAYS: Final = 30
_CURRENT: Final = ' aria-current="true"'
_PAGE_NUMBER: Final = re.compile(r"[1-9][0-9]{0,8}")


class PageInfo(NamedTuple):
    """What the page shows besides the targets.

    Args:
        version: the exporter's.
        telemetry_path: path of the metrics, relative to the prefix.
        shard: such as `shard 0 of 4`, or nothing.
    """

    version: str
    telemetry_path: str = "/metrics"
    shard: str = ""


class _Target(NamedTuple):
    """A target with its conditions."""

    snapshot: TargetSnapshot
    conditions: frozenset[str]


class Filter(NamedTuple):
    """The query of the page's URL.

    Args:
        name: part of the target's name, case-insensitive.
        vendor: the target's vendor.
        state: a key of `CONDITIONS`.
        page: from 1; after the last means the last.
    """

    name: str = ""
    vendor: str = ""
    state: str = ""
    page: int = 1

    @classmethod
    def parse(cls, query: bytes) -> Self:
        """The filter in a query string; invalid fields are ignored."""
        fields = dict(parse_qsl(query.decode("latin-1")))
        state, page = fields.get("state", ""), fields.get("page", "")
        return cls(
            fields.get("name", "").strip(),
            fields.get("vendor", ""),
            state if state in CONDITIONS else "",
            int(page) if _PAGE_NUMBER.fullmatch(page) else 1,
        )

    def link(self, page: int) -> str:
        """The query of another page with the same filter."""
        fields = {"name": self.name, "vendor": self.vendor, "state": self.state, "page": page}
        return "?" + urlencode({key: value for key, value in fields.items() if value})

    def matches(self, target: _Target) -> bool:
        """Whether a target is shown."""
        settings = target.snapshot.target
        return (
            self.vendor in {"", settings.vendor}
            and (not self.state or self.state in target.conditions)
            and self.name.casefold() in settings.name.casefold()
        )


def status_page(
    snapshots: Iterable[TargetSnapshot], query: bytes, info: PageInfo, now: float
) -> bytes:
    """The page as UTF-8, the worst targets first.

    Args:
        snapshots: all targets.
        query: the raw query of the URL.
        info: what is shown besides the targets.
        now: Unix seconds.
    """
    targets = [_Target(snapshot, conditions(snapshot)) for snapshot in snapshots]
    chosen = Filter.parse(query)
    found = sorted(filter(chosen.matches, targets), key=lambda target: urgency(*target))
    pages = max(1, -(-len(found) // PAGE_SIZE))
    chosen = chosen._replace(page=min(chosen.page, pages))
    first = (chosen.page - 1) * PAGE_SIZE
    shown = found[first : first + PAGE_SIZE]
    body = "".join(
        (
            _header(info),
            "<main>",
            _counts(chosen, targets),
            _form(chosen, targets),
            _summary(len(found), len(targets), first, len(shown)),
            f'<ol role="list" start="{first + 1}">',
            *(_target_row(target.snapshot, now) for target in shown),
            "</ol>",
            _page_navigation(chosen, pages),
            "</main>",
        )
    )
    return document("docusage-exporter: targets", body)


def _header(info: PageInfo) -> str:
    about = " · ".join(filter(None, (f"version {escape(info.version)}", escape(info.shard))))
    pages = other_pages(
        (info.telemetry_path[1:], "Metrics"),
        ("config", "Configuration"),
        ("api/v1/targets", "Targets as JSON"),
        ("documentation", "Documentation"),
    )
    return f'<header><h1>docusage-exporter</h1><p class="quiet">{about}</p>{pages}</header>'


def _counts(chosen: Filter, targets: Sequence[_Target]) -> str:
    """How many targets have each condition, as links to them."""
    counts = Counter(condition for target in targets for condition in target.conditions)
    items = "".join(
        f'<li><a class="{condition}" href="?state={condition}"'
        f"{_CURRENT if condition == chosen.state else ''}>"
        f"{format_count(counts[condition], condition)}</a></li>"
        for condition in CONDITIONS
        if counts[condition]
    )
    return f'<nav class="counts" aria-label="Targets by state"><ul>{items}</ul></nav>'


def _form(chosen: Filter, targets: Sequence[_Target]) -> str:
    vendors = sorted({target.snapshot.target.vendor for target in targets})
    return (
        '<form role="search" aria-label="Targets">'
        '<label>Name <input type="search" name="name" maxlength="200" '
        f'value="{escape(chosen.name)}"></label>'
        + _select("Vendor", "vendor", chosen.vendor, {name: name for name in vendors})
        + _select("State", "state", chosen.state, CONDITIONS)
        + '<button>Show</button> <a href="?">Show all</a></form>'
    )


def _select(label: str, name: str, chosen: str, options: Mapping[str, str]) -> str:
    items = "".join(
        f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>'
        f"{escape(text)}</option>"
        for value, text in {"": "any", **options}.items()
    )
    return f'<label>{label} <select name="{name}">{items}</select></label>'


def _summary(found: int, total: int, first: int, shown: int) -> str:
    targets = "target" if total == 1 else "targets"
    if not found:
        return f'<p class="summary">None of {total:,} {targets} matches.</p>'
    which = f"{found:,} of {total:,} {targets}" if found < total else f"{total:,} {targets}"
    part = f", {first + 1:,} to {first + shown:,} shown" if shown < found else ""
    return f'<p class="summary">{which}{part}</p>'


def _target_row(snapshot: TargetSnapshot, now: float) -> str:
    name = snapshot.target.name
    return (
        f'<li class="target"><div class="who"><h2><a href="targets/{target_path(name)}">'
        f"{isolate(name)}</a></h2>"
        f"{vendor_and_state(snapshot)}{poll_times(snapshot, now)}{_recent_use(snapshot)}</div>"
        f'<div class="what">{failures(snapshot)}{_allowances(snapshot, now)}'
        "</div></li>"
    )


def _recent_use(snapshot: TargetSnapshot) -> str:
    """A sparkline of the last days, and their sum."""
    use = None if snapshot.is_stale else total_use(snapshot.state, _RECENT_DAYS)
    if use is None:
        return ""
    days = "day" if len(use.days) == 1 else "days"
    text = f"{format_number(sum(use.days))} {use.unit} in {len(use.days)} {days}"
    return (
        f'<p class="recent">{sparkline(use.days, _RECENT_DAYS, "use by day")} '
        f'<span class="quiet">{escape(text)}</span></p>'
    )


def _allowances(snapshot: TargetSnapshot, now: float) -> str:
    alerts = snapshot.target.alerts
    if snapshot.allowances:
        allowances = sorted(snapshot.allowances, key=allowance_urgency)
        return "".join(allowance_block(allowance, alerts, now) for allowance in allowances)
    return '<p class="quiet">No allowance is known.</p>' if snapshot.result else ""


def _page_navigation(chosen: Filter, pages: int) -> str:
    if pages == 1:
        return ""
    items = "".join(f"<li>{item}</li>" for item in _page_links(chosen, pages))
    return f'<nav class="pages" aria-label="Pages"><ul>{items}</ul></nav>'


def _page_links(chosen: Filter, pages: int) -> Iterator[str]:
    for page, text in ((1, "First"), (chosen.page - 1, "Previous")):
        if chosen.page > 1:
            yield f'<a href="{escape(chosen.link(page))}">{text}</a>'
    yield f'<span aria-current="page">Page {chosen.page:,} of {pages:,}</span>'
    for page, text in ((chosen.page + 1, "Next"), (pages, "Last")):
        if chosen.page < pages:
            yield f'<a href="{escape(chosen.link(page))}">{text}</a>'
