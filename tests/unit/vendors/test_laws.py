"""Laws of both parsers: any bytes give a result or one failure; a broken field costs only itself.

Hypothesis makes documents of the vendors' own words, and valid responses with a piece replaced.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import assume, example, given
from hypothesis import strategies as st
from vendor_calls import KEY, affinda_settings, series

from exporter.model import Allowance, Anomaly, FailureReason, PollError
from exporter.secrets import Secret
from exporter.vendors.affinda import api as affinda_api
from exporter.vendors.affinda import mapper as affinda_mapper
from exporter.vendors.affinda.metrics import windows
from exporter.vendors.xtracta import api as xtracta_api
from exporter.vendors.xtracta import mapper as xtracta_mapper

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.model import PollResult

SECRET = Secret(KEY)
ALLOWANCE_NAMES = [field.name for field in fields(Allowance)]
SAMPLE = (
    Path(__file__).parent.parent.parent.parent / "tests" / "data" / "xtracta-usage-sample.xml"
).read_bytes()
SCOPE = affinda_api.Scope("organization", "oRg1")
DAYS = st.dates(date(2000, 1, 1), date(2996, 12, 31))
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["organization", "oRg1", "2026-03-03", "2025-03-03", 5, 2**53, -1, 1e400])
)
FIELDS = st.sampled_from(
    [
        *("scope", "scopeIdentifier", "start", "end", "total", "items", "date", "count"),
        *("errors", "detail", "identifier", "name"),
    ]
)
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(FIELDS, inner, max_size=7),
    max_leaves=25,
).map(lambda document: json.dumps(document).encode())


@st.composite
def usages(draw: st.DrawFn) -> tuple[dict[date, int], date, date]:
    """Figures by day, and the window."""
    start = draw(DAYS)
    end = start + timedelta(days=draw(st.integers(0, 800)))
    days = st.integers(0, (end - start).days).map(lambda day: start + timedelta(days=day))
    figures = st.integers(-(10**6), 10**9).filter(bool)
    return draw(st.dictionaries(days, figures, max_size=40)), start, end


def affinda_body(figures: dict[date, int], start: date, end: date) -> bytes:
    items = [{"date": day.isoformat(), "count": figures[day]} for day in sorted(figures)]
    window = {"start": start.isoformat(), "end": end.isoformat()}
    return json.dumps(
        {"scope": "organization", "scopeIdentifier": "oRg1", "items": items, **window}
        | {"total": sum(figures.values())}
    ).encode()


ELEMENTS = [
    *("status", "message", "plan", "pack", "id", "plan_name", "price", "price_currency"),
    *("allowed_documents", "used_documents", "available_documents", "start_date", "expiry_date"),
    *("group_id", "group", "Subgroup", "Id", "ParentId", "Name"),
]
TEXTS = st.sampled_from(
    ["", "0", "1", "200", "401", "1.5", "NZD", "2015-02-27 12:10:04 (GMT)", "-1", "&n;", "<!-- -->"]
) | st.text(max_size=8)


def element(name: str, inner: str) -> str:
    return f"<{name}>{inner}</{name}>"


TREES = st.recursive(
    st.builds(element, st.sampled_from(ELEMENTS), TEXTS),
    lambda inner: st.builds(
        element, st.sampled_from(ELEMENTS), st.lists(inner, max_size=10).map("".join)
    ),
    max_leaves=25,
)
ROOTS = st.builds(
    element,
    st.sampled_from(["billings_response", "group_response"]),
    st.lists(TREES, max_size=4).map("".join),
).map(lambda text: text.encode(errors="surrogatepass"))


@st.composite
def plans(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Plans and packs with ids of their own."""
    count = draw(st.integers(1, 5))
    moments = st.integers(946_684_800, 4_102_444_799).map(partial(datetime.fromtimestamp, tz=UTC))
    return [
        {
            "element": draw(st.sampled_from(["plan", "pack"])),
            "id": number,
            "name": draw(st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF))),
            "price": draw(st.decimals(0, 10**9, places=2)),
            "currency": draw(st.sampled_from(["NZD", "AUD", "EUR"])),
            "allowed": draw(st.integers(0, 10**12)),
            "used": draw(st.integers(0, 10**12)),
            "start": draw(moments),
            "expiry": draw(moments),
        }
        for number in range(1, count + 1)
    ]


def xtracta_body(purchased: list[dict[str, Any]], write: Callable[[datetime], str]) -> bytes:
    parts = [
        element(
            plan["element"],
            "".join(
                element(name, escape(str(text)))
                for name, text in (
                    ("id", plan["id"]),
                    ("plan_name", plan["name"]),
                    ("price", plan["price"]),
                    ("price_currency", plan["currency"]),
                    ("allowed_documents", plan["allowed"]),
                    ("used_documents", plan["used"]),
                    ("available_documents", max(plan["allowed"] - plan["used"], 0)),
                    ("start_date", write(plan["start"])),
                    ("expiry_date", write(plan["expiry"])),
                    ("group_id", 481),
                )
            ),
        )
        for plan in purchased
    ]
    return element("billings_response", "".join(parts)).encode()


@st.composite
def damaged(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Bytes with a piece of them replaced."""
    body = draw(whole)
    first, last = sorted((draw(st.integers(0, len(body))), draw(st.integers(0, len(body)))))
    return body[:first] + draw(st.binary(max_size=9)) + body[last:]


AFFINDA = (
    st.binary() | DOCUMENTS | damaged(usages().map(lambda drawn: affinda_body(*drawn)) | DOCUMENTS)
)
XTRACTA = (
    st.binary()
    | ROOTS
    | damaged(plans().map(lambda purchased: xtracta_body(purchased, datetime.isoformat)) | ROOTS)
)
ALLOWANCES = st.sampled_from(
    [
        {"credits": 100, "period": "month", "starts": "2024-01-31"},
        {"credits": 0, "period": "year"},
        {"credits": 2**53, "period": "prepaid", "starts": "2024-02-29"},
        {"credits": 7, "period": "prepaid", "starts": "2024-02-29", "ends": "2099-12-31"},
    ]
)


def holds(poll_result: PollResult) -> None:
    """Whatever was read can be exposed."""
    for sample in poll_result.samples:
        assert math.isfinite(sample.value)
        assert len(sample.labels) == len(sample.metric.labels) - 1
        assert all(label.isprintable() and len(label) <= 128 for label in sample.labels)
    for left in poll_result.allowances:
        assert left.ratio is None or 0 <= left.ratio <= 1
        assert left.available is None or left.available >= 0
        figures = (left.burn_per_day, left.exhaustion, left.projected_used, left.end, left.used)
        assert all(math.isfinite(figure) for figure in figures if figure is not None)


def reason(read: Callable[[], object]) -> FailureReason | None:
    """Why reading failed; None where it did not. Nothing but a PollError may come."""
    try:
        read()
    except PollError as error:
        return error.reason
    return None


MONTHLY = {"credits": 100, "period": "month", "starts": "2024-01-31"}
PLAIN = b"<billings_response><status>401</status></billings_response>"


@given(AFFINDA, ALLOWANCES)
@example(affinda_body({}, date(2025, 1, 1), date(2026, 1, 1)), MONTHLY)
@example(b"", MONTHLY)
def test_any_bytes_from_affinda_are_a_result_or_malformed(
    body: bytes, allowance: dict[str, object]
) -> None:
    def read() -> None:
        usage = affinda_api.parse_usage(body, SCOPE)
        holds(affinda_mapper.poll_result(affinda_settings(allowance=allowance), {SCOPE: usage}, {}))

    assert reason(read) in {None, FailureReason.MALFORMED}


@given(XTRACTA, st.floats(0, 4e9))
@example(SAMPLE, 1_425_039_004.0)
@example(PLAIN, 0.0)
def test_any_bytes_from_xtracta_are_a_result_or_a_failure(body: bytes, now: float) -> None:
    def read() -> None:
        holds(
            xtracta_mapper.poll_result({None: xtracta_api.parse_usage(body, SECRET, None)}, {}, now)
        )

    reported = {FailureReason.AUTH, FailureReason.RATE_LIMITED, FailureReason.VENDOR_ERROR}
    assert reason(read) in {None, FailureReason.MALFORMED} | reported


@given(AFFINDA | XTRACTA)
def test_any_bytes_are_a_list_or_a_failure_and_have_a_safe_error_message(body: bytes) -> None:
    for parse in (affinda_api.parse_names, xtracta_api.parse_groups):
        assert reason(partial(parse, body, SECRET)) not in {
            FailureReason.INTERNAL,
            FailureReason.SECRET,
        }
    for error_message in (affinda_api.error_message, xtracta_api.error_message):
        message = error_message(body, SECRET) or ""
        assert message.isprintable()
        assert len(message) <= 128


@given(usages())
def test_a_valid_response_of_affinda_gives_exactly_its_figures(
    drawn: tuple[dict[date, int], date, date],
) -> None:
    figures, start, end = drawn
    usage = affinda_api.parse_usage(affinda_body(figures, start, end), SCOPE, start, end)
    assert usage.anomalies == ()
    found = {start + timedelta(days=day): count for day, count in enumerate(usage.counts) if count}
    assert (found, usage.start, usage.today) == (figures, start, end)
    daily = series(affinda_mapper.poll_result(affinda_settings(), {SCOPE: usage}, {}))
    assert daily["affinda_credits_daily{oRg1}"] == figures.get(end, 0)


@given(plans(), st.booleans())
def test_a_valid_response_of_xtracta_gives_exactly_its_figures(
    purchased: list[dict[str, Any]],
    old_form: bool,  # noqa: FBT001  hypothesis passes by name
) -> None:
    form = "%Y-%m-%d %H:%M:%S (GMT)" if old_form else "%Y-%m-%dT%H:%M:%S+00:00"
    usage = xtracta_api.parse_usage(
        xtracta_body(purchased, lambda moment: moment.strftime(form)), SECRET, 481
    )
    assert usage.anomalies == ()
    assert [
        (
            plan.kind,
            plan.identifier,
            plan.resources["documents"].allowed,
            plan.resources["documents"].used,
            plan.currency,
        )
        for plan in usage.plans
    ] == [
        (plan["element"], str(plan["id"]), plan["allowed"], plan["used"], plan["currency"])
        for plan in purchased
    ]
    assert [(plan.price, plan.start, plan.expiry) for plan in usage.plans] == [
        (
            Decimal(plan["price"]),
            plan["start"].timestamp(),
            plan["expiry"].timestamp(),
        )
        for plan in purchased
    ]
    holds(xtracta_mapper.poll_result({None: usage}, {}, 0.0))


BROKEN: st.SearchStrategy[object] = st.sampled_from(
    [None, True, [], {}, "", "x", "-", 0.5, 10**15, "2026-02-30", "\ud800", "\x00"]
)


@given(usages(), st.data(), BROKEN)
def test_a_broken_item_of_affinda_changes_only_what_is_computed_from_it(
    drawn: tuple[dict[date, int], date, date], data: st.DataObject, broken: object
) -> None:
    figures, start, end = drawn
    whole = affinda_api.parse_usage(affinda_body(figures, start, end), SCOPE, start, end)
    assume(figures)
    day = data.draw(st.sampled_from(sorted(figures)))
    response = json.loads(affinda_body(figures, start, end))
    item = next(each for each in response["items"] if each["date"] == day.isoformat())
    field = data.draw(st.sampled_from(["date", "count"]))
    item[field] = broken
    usage = affinda_api.parse_usage(json.dumps(response).encode(), SCOPE, start, end)
    changed = [
        position
        for position, (before, after) in enumerate(zip(whole.counts, usage.counts, strict=True))
        if before != after
    ]
    assert all(usage.counts[position] is None for position in changed)
    at = (day - start).days
    assert at in changed
    # Without its date an item may be about any day between its neighbours.
    others = [(other - start).days for other in figures if other != day]
    first = (
        max((other for other in others if other < at), default=-1) if field == "date" else at - 1
    )
    last = (
        min((other for other in others if other > at), default=10**6) if field == "date" else at + 1
    )
    assert all(first < position < last for position in changed)
    assert Anomaly.UNREADABLE_FIELD in usage.anomalies
    before, after = (
        series(affinda_mapper.poll_result(affinda_settings(), {SCOPE: each}, {}))
        for each in (whole, usage)
    )
    assert after.items() <= before.items()
    lost = {name.split("{")[0].removeprefix("affinda_credits_") for name in before.keys() - after}
    days = [start + timedelta(days=position) for position in changed]
    for window, (begin, until) in windows(end).items():
        holds_one = any(begin <= each <= until for each in days)
        assert (window in lost) == (holds_one and f"affinda_credits_{window}{{oRg1}}" in before)


@given(usages(), st.sampled_from(["total", "scope", "start"]), BROKEN)
def test_a_broken_field_of_an_affinda_response_changes_no_window_that_is_known_without_it(
    drawn: tuple[dict[date, int], date, date], field: str, broken: object
) -> None:
    figures, start, end = drawn
    body = affinda_body(figures, start, end)
    whole = affinda_api.parse_usage(body, SCOPE, start, end)
    response = json.loads(body) | {field: broken}
    usage = affinda_api.parse_usage(json.dumps(response).encode(), SCOPE, start, end)
    assert Anomaly.UNREADABLE_FIELD in usage.anomalies
    if field == "start":
        assert usage.counts == whole.counts[len(whole.counts) - len(usage.counts) :]
    else:
        assert (usage.start, usage.counts) == (whole.start, whole.counts)


PLAN_FIELDS = {
    "price": {"xtracta_plan_price"},
    "price_currency": {"xtracta_plan_price"},
    "plan_name": {"xtracta_plan_info"},
    "allowed_documents": {"xtracta_documents_allowed"},
    "used_documents": {"xtracta_documents_used"},
    "available_documents": {"xtracta_documents_available"},
    "start_date": {"xtracta_plan_start_timestamp_seconds"},
    "expiry_date": {"xtracta_plan_expiry_timestamp_seconds"},
}
FORECAST = {
    "burn_per_day",
    "exhaustion",
    "exhaustion_earliest",
    "exhaustion_latest",
    "projected_used",
    "projected_used_ratio",
    "history",
}
ALLOWANCE_FIELDS = {
    "price": set[str](),
    "price_currency": set[str](),
    "plan_name": {"allowance_name"},
    # Once all is used, when that happened is found by what was allowed.
    "allowed_documents": {"allowed", "ratio", *FORECAST} - {"burn_per_day", "projected_used"},
    "used_documents": {"used", *FORECAST},
    "available_documents": set[str](),
    "start_date": {"start", *FORECAST},
    "expiry_date": {"end", *FORECAST},
}


@given(plans(), st.sampled_from(sorted(PLAN_FIELDS)), st.sampled_from(["x", "<b>1</b>", "1;2"]))
def test_a_broken_field_of_an_xtracta_plan_changes_only_what_is_computed_from_it(
    purchased: list[dict[str, Any]], field: str, broken: str
) -> None:
    for plan in purchased:
        plan["element"] = "plan"
    body = xtracta_body(purchased, lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%SZ")).decode()
    damaged_body = re.sub(f"<{field}>.*?</{field}>", f"<{field}>{broken}</{field}>", body, count=1)
    now = max(plan["start"].timestamp() for plan in purchased) + 86_400
    before, after = (
        xtracta_mapper.poll_result(
            {481: xtracta_api.parse_usage(each.encode(), SECRET, 481)}, {}, now
        )
        for each in (body, damaged_body)
    )
    first = f"{{481,{purchased[0]['id']}"
    old, new = series(before), series(after)
    changed = {name for name in old.keys() | new if old.get(name) != new.get(name)}
    assert all(name.split("{")[0] in PLAN_FIELDS[field] and first in name for name in changed)
    assert before.allowances[1:] == after.allowances[1:]
    for name in (*ALLOWANCE_NAMES, "ratio"):
        if name not in ALLOWANCE_FIELDS[field]:
            assert getattr(before.allowances[0], name) == getattr(after.allowances[0], name), name
    is_readable = field == "plan_name" and broken != "<b>1</b>"
    assert (Anomaly.UNREADABLE_FIELD in after.anomalies) is not is_readable
