"""The page at `/`: every target, what is left of its allowances, and how its polls go.

One HTML document without scripts: filters are a form, pages are links, bars are drawn.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Final, NamedTuple, Self
from urllib.parse import parse_qsl, urlencode

from exporter.web.status_rows import CONDITIONS, conditions, target_row
from exporter.web.status_style import STYLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from exporter.state.store import TargetSnapshot

PAGE_SIZE: Final = 50  # targets
_MOST_FIELDS: Final = 20
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,8}")


class PageInfo(NamedTuple):
    """What the page shows beside the targets.

    Args:
        version: the exporter's.
        telemetry_path: where the metrics are, below the page's own path.
        shard: such as `shard 0 of 4`, or nothing.
    """

    version: str
    telemetry_path: str = "/metrics"
    shard: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """What the reader wants to see: the query of the page's URL.

    Args:
        name: a part of the target's name, in any case.
        vendor: the target's vendor.
        state: one of `CONDITIONS`.
        page: from 1; beyond the last means the last.
    """

    name: str = ""
    vendor: str = ""
    state: str = ""
    page: int = 1

    @classmethod
    def of(cls, query: bytes) -> Self:
        """The choice that a query string makes; nonsense in it chooses nothing."""
        try:
            fields = dict(parse_qsl(query.decode("latin-1"), max_num_fields=_MOST_FIELDS))
        except ValueError:
            return cls()
        state, page = fields.get("state", ""), fields.get("page", "")
        return cls(
            fields.get("name", "").strip(),
            fields.get("vendor", ""),
            state if state in CONDITIONS else "",
            int(page) if _NUMBER.fullmatch(page) else 1,
        )

    def link(self, page: int) -> str:
        """The query that shows another page of the same choice."""
        fields = {"name": self.name, "vendor": self.vendor, "state": self.state, "page": page}
        return "?" + urlencode({key: value for key, value in fields.items() if value})

    def takes(self, snapshot: TargetSnapshot, known: frozenset[str]) -> bool:
        """Whether a target whose conditions are `known` is to be seen."""
        return (
            self.vendor in {"", snapshot.target.vendor}
            and (not self.state or self.state in known)
            and self.name.casefold() in snapshot.target.name.casefold()
        )


def status_page(
    snapshots: Iterable[TargetSnapshot], query: bytes, info: PageInfo, now: float
) -> bytes:
    """The page as UTF-8.

    Args:
        snapshots: every target, in the order in which they are shown.
        query: the URL's, as it came.
        info: what is shown beside them.
        now: Unix seconds.
    """
    known = [(snapshot, conditions(snapshot)) for snapshot in snapshots]
    choice = Choice.of(query)
    found = [
        snapshot for snapshot, its_conditions in known if choice.takes(snapshot, its_conditions)
    ]
    pages = max(1, -(-len(found) // PAGE_SIZE))
    choice = replace(choice, page=min(choice.page, pages))
    first = (choice.page - 1) * PAGE_SIZE
    shown = found[first : first + PAGE_SIZE]
    body = "".join(
        (
            _header(info),
            "<main>",
            _form(choice, known),
            _summary(len(found), len(known), first, len(shown)),
            f'<ol role="list" start="{first + 1}">',
            *(target_row(snapshot, now) for snapshot in shown),
            "</ol>",
            _pages(choice, pages),
            "</main>",
        )
    )
    return _DOCUMENT.format(style=STYLE, body=body).encode(errors="replace")


def _header(info: PageInfo) -> str:
    links = (
        (info.telemetry_path, "Metrics"),
        ("/config", "Configuration"),
        ("/api/v1/targets", "Targets as JSON"),
        ("/documentation", "Documentation"),
    )
    # Relative, so that they hold behind any proxy.
    items = "".join(f'<li><a href="{escape(path[1:])}">{words}</a></li>' for path, words in links)
    about = " · ".join(filter(None, (f"version {escape(info.version)}", escape(info.shard))))
    return (
        f'<header><h1>docusage-exporter</h1><p class="quiet">{about}</p>'
        f'<nav aria-label="Other pages"><ul>{items}</ul></nav></header>'
    )


def _form(choice: Choice, known: Sequence[tuple[TargetSnapshot, frozenset[str]]]) -> str:
    vendors = sorted({snapshot.target.vendor for snapshot, _ in known})
    states = {
        name: f"{words} ({sum(name in its_conditions for _, its_conditions in known):,})"
        for name, words in CONDITIONS.items()
    }
    return (
        '<form role="search" aria-label="Targets">'
        '<label>Name <input type="search" name="name" maxlength="200" '
        f'value="{escape(choice.name)}"></label>'
        + _select("Vendor", "vendor", choice.vendor, {name: name for name in vendors})
        + _select("State", "state", choice.state, states)
        + '<button>Show</button> <a href="?">Show all</a></form>'
    )


def _select(label: str, name: str, chosen: str, options: Mapping[str, str]) -> str:
    listed = "".join(
        f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>'
        f"{escape(words)}</option>"
        for value, words in {"": "any", **options}.items()
    )
    return f'<label>{label} <select name="{name}">{listed}</select></label>'


def _summary(found: int, known: int, first: int, shown: int) -> str:
    targets = "target" if known == 1 else "targets"
    if not found:
        return f'<p class="summary">None of {known:,} {targets} matches.</p>'
    which = f"{found:,} of {known:,} {targets}" if found < known else f"{known:,} {targets}"
    part = f", {first + 1:,} to {first + shown:,} shown" if shown < found else ""
    return f'<p class="summary">{which}{part}</p>'


def _pages(choice: Choice, pages: int) -> str:
    if pages == 1:
        return ""
    items = "".join(f"<li>{item}</li>" for item in _page_links(choice, pages))
    return f'<nav class="pages" aria-label="Pages"><ul>{items}</ul></nav>'


def _page_links(choice: Choice, pages: int) -> Iterator[str]:
    for page, words in ((1, "First"), (choice.page - 1, "Previous")):
        if choice.page > 1:
            yield f'<a href="{escape(choice.link(page))}">{words}</a>'
    yield f'<span aria-current="page">Page {choice.page:,} of {pages:,}</span>'
    for page, words in ((choice.page + 1, "Next"), (pages, "Last")):
        if choice.page < pages:
            yield f'<a href="{escape(choice.link(page))}">{words}</a>'


_DOCUMENT: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>docusage-exporter: targets</title>
<style>{style}</style>
</head>
<body>{body}</body>
</html>
"""
