"""HTML that every page is made of."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from typing import Final
from urllib.parse import quote

from exporter.presentation.formatting import format_date
from exporter.web.style import STYLE


def document(title: str, body: str) -> bytes:
    """A page as UTF-8, with the style sheet that its policy allows.

    Args:
        title: plain text.
        body: HTML.
    """
    page = _DOCUMENT.format(title=escape(title), style=STYLE, body=body)
    return page.encode(errors="replace")


def other_pages(*links: tuple[str, str]) -> str:
    """Links to other pages: relative URLs, which work behind every proxy, and their text."""
    items = "".join(f'<li><a href="{escape(url)}">{text}</a></li>' for url, text in links)
    return f'<nav aria-label="Other pages"><ul>{items}</ul></nav>'


def date_element(moment: float, now: float) -> str:
    """A date with its distance from `now`."""
    return time_element(moment, format_date(moment, now))


def time_element(moment: float | None, text: str) -> str:
    """`text` with its exact time for programs, if that is a possible date."""
    if moment is None:
        return text
    try:
        exact = datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return text
    return f'<time datetime="{exact}">{text}</time>'


def isolate(text: str) -> str:
    """External text, escaped, and unable to change the direction of the text around it."""
    return f"<bdi>{escape(text)}</bdi>"


def target_path(name: str) -> str:
    """A target's name as one segment of a path."""
    return quote(name, safe="", errors="replace")


_DOCUMENT: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>{style}</style>
</head>
<body>{body}</body>
</html>
"""
