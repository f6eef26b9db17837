"""Affinda's replies: what is asked, and what is believed of the answer."""

from __future__ import annotations

import json
from datetime import date

import pytest
from vendor_calls import KEY, affinda_settings

from exporter.model import Anomaly, FailureReason, PollError
from exporter.secrets import Secret
from exporter.vendors.affinda import Scope, Usage, parse_usage, usage_request
from exporter.vendors.affinda.api import error_message, list_request, parse_names

ORGANIZATION = Scope("organization", "oRg1")
GOOD: dict[str, object] = {
    "scope": "organization",
    "scopeIdentifier": "oRg1",
    "start": "2025-03-03",
    "end": "2026-03-03",
    "total": 5,
    "items": [{"date": "2026-03-01", "count": 3}, {"date": "2026-03-03", "count": 2}],
}


def body(**changes: object) -> bytes:
    return json.dumps(GOOD | changes).encode()


def parsed(**changes: object) -> Usage:
    return parse_usage(body(**changes), ORGANIZATION)


def test_days_the_vendor_leaves_out_are_zero() -> None:
    usage = parsed()
    assert (usage.start, usage.today) == (date(2025, 3, 3), date(2026, 3, 3))
    assert usage.counts == (0,) * 363 + (3, 0, 2)
    assert usage.anomalies == ()


def test_figures_beyond_the_window_are_not_guessed() -> None:
    usage = Usage(date(2026, 3, 1), (3, 0, 2))
    assert usage.days(date(2026, 3, 2), date(2026, 3, 3)) == (0, 2)
    assert usage.days(date(2026, 2, 28), date(2026, 3, 3)) is None
    assert usage.days(date(2026, 3, 1), date(2026, 3, 4)) is None
    assert usage.days(date(2026, 3, 3), date(2026, 3, 2)) is None


def test_a_correction_may_be_negative() -> None:
    items = [{"date": "2026-03-03", "count": -4}]
    assert parsed(items=items, total=-4).counts[-1] == -4


def test_a_window_of_one_day_is_one() -> None:
    usage = parse_usage(body(start="2026-03-03", items=[], total=0), ORGANIZATION)
    assert usage.counts == (0,)


@pytest.mark.parametrize(
    ("changes", "anomalies"),
    [
        ({"more": 1}, {Anomaly.UNKNOWN_FIELD}),
        (
            {"items": [{"date": "2026-03-03", "count": 5, "unit": "credits"}]},
            {Anomaly.UNKNOWN_FIELD},
        ),
        ({"total": 6}, {Anomaly.TOTAL_MISMATCH}),
        ({"items": [{"date": "2026-03-03", "count": n} for n in (2, 3)]}, {Anomaly.DUPLICATE_DAY}),
        ({"start": "2025-03-05"}, {Anomaly.WINDOW_MISMATCH}),
        ({"start": "2025-03-04"}, set()),
        ({"start": "2024-01-01"}, set()),
        (
            {"items": [{"date": "2026-03-04", "count": 5}]},
            {Anomaly.WINDOW_MISMATCH, Anomaly.TOTAL_MISMATCH},
        ),
        (
            {"items": [{"date": "2025-03-02", "count": 0}], "total": 0},
            {Anomaly.WINDOW_MISMATCH},
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_is_odd_is_counted_and_the_figures_stand(
    changes: dict[str, object], anomalies: set[Anomaly]
) -> None:
    assert set(parsed(**changes).anomalies) == anomalies


def test_two_entries_of_one_day_add_up() -> None:
    items = [{"date": "2026-03-03", "count": n} for n in (2, 3)]
    assert parsed(items=items).counts[-1] == 5


def test_a_day_outside_the_window_adds_to_no_other() -> None:
    assert sum(parsed(items=[{"date": "2026-03-04", "count": 5}]).counts) == 0


@pytest.mark.parametrize(
    ("start", "end", "anomalies"),
    [
        (None, None, ()),
        (date(2025, 3, 3), date(2026, 3, 3), ()),
        (date(2025, 3, 2), None, (Anomaly.WINDOW_MISMATCH,)),
        (None, date(2026, 3, 2), (Anomaly.WINDOW_MISMATCH,)),
        (None, date(2026, 3, 4), (Anomaly.WINDOW_MISMATCH,)),
    ],
)
def test_a_window_other_than_the_one_asked_for_is_odd(
    start: date | None, end: date | None, anomalies: tuple[Anomaly, ...]
) -> None:
    assert parse_usage(body(), ORGANIZATION, start, end).anomalies == anomalies


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"scope": "workspace"}, "the reply is about another scope than the one asked for"),
        ({"scopeIdentifier": "oRg2"}, "the reply is about another scope than the one asked for"),
        ({"scopeIdentifier": None}, "the reply is about another scope than the one asked for"),
        ({"start": "2025-3-03"}, "start is not a date"),
        ({"start": "20250303"}, "start is not a date"),
        ({"start": "2025-W10-1"}, "start is not a date"),
        ({"start": "2025-02-29"}, "start is not a date"),
        ({"start": "0001-01-01"}, "start is not a date"),
        ({"end": "9999-12-31"}, "end is not a date"),
        ({"end": "2026-03-03T00:00:00Z"}, "end is not a date"),
        ({"end": "٢٠٢٦-٠٣-٠٣"}, "end is not a date"),
        ({"end": None}, "end is not a string"),
        ({"end": 20260303}, "end is not a string"),
        (
            {"end": "2025-03-02"},
            "the reply's window ends before it starts, or is longer than a century",
        ),
        (
            {"start": "1901-01-01"},
            "the reply's window ends before it starts, or is longer than a century",
        ),
        ({"total": "5"}, "total is not a whole number"),
        ({"total": 5.0}, "total is not a whole number"),
        ({"total": True}, "total is not a whole number"),
        ({"total": None}, "total is not a whole number"),
        ({"items": {}}, "items is not an array"),
        ({"items": None}, "items is not an array"),
        ({"items": [[]]}, "an item is not an object"),
        ({"items": [{"count": 1}]}, "an item's date is not a string"),
        ({"items": [{"date": "2026-03-03"}]}, "an item's count is not a whole number"),
        (
            {"items": [{"date": "2026-03-03", "count": 10**11 + 1}]},
            "an item's count is not a whole number",
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_reply_that_is_not_what_the_reference_says_is_malformed(
    changes: dict[str, object], detail: str
) -> None:
    with pytest.raises(PollError) as caught:
        parsed(**changes)
    assert caught.value.failure == (FailureReason.MALFORMED, detail, None)


@pytest.mark.parametrize("missing", sorted(GOOD))
def test_no_field_of_the_reference_may_be_missing(missing: str) -> None:
    rest = {name: value for name, value in GOOD.items() if name != missing}
    with pytest.raises(PollError):
        parse_usage(json.dumps(rest).encode(), ORGANIZATION)


def test_usage_is_asked_for_with_the_key_in_a_header_and_one_scope_at_most() -> None:
    settings, key = affinda_settings(region="api.eu1"), Secret(KEY)
    base = "https://api.eu1.affinda.com/v3/usage?organization=oRg1"
    day = date(2026, 3, 3)
    urls = [
        usage_request(settings, key, ORGANIZATION).url,
        usage_request(settings, key, Scope("workspace", "wS1"), end=day).url,
        usage_request(settings, key, Scope("documentType", "dT1"), day, day).url,
    ]
    assert urls == [
        base,
        f"{base}&workspace=wS1&end=2026-03-03",
        f"{base}&document_type=dT1&start=2026-03-03&end=2026-03-03",
    ]
    request = usage_request(settings, key, ORGANIZATION)
    assert (request.method, request.body) == ("GET", None)
    assert request.headers == {"Authorization": f"Bearer {KEY}", "Accept": "application/json"}
    assert KEY not in repr(request)


def test_lists_are_asked_for_where_a_self_hosted_installation_is() -> None:
    settings, key = affinda_settings(base_url="https://ai.example.com/affinda/"), Secret(KEY)
    assert [
        list_request(settings, key, axis).url
        for axis in ("organization", "workspace", "documentType")
    ] == [
        "https://ai.example.com/affinda/v3/organizations",
        "https://ai.example.com/affinda/v3/workspaces?organization=oRg1",
        "https://ai.example.com/affinda/v3/document_types?organization=oRg1",
    ]


def test_names_come_from_the_list_whatever_else_an_entry_holds() -> None:
    listed = [{"identifier": "a-1", "name": "Claims", "x": {}}, {"identifier": "b_2", "name": ""}]
    assert parse_names(json.dumps(listed).encode(), Secret(KEY)) == {"a-1": "Claims", "b_2": ""}


@pytest.mark.parametrize(
    "listed",
    [
        {},
        [[]],
        [{"name": "x"}],
        [{"identifier": "a", "name": None}],
        [{"identifier": "", "name": "x"}],
        [{"identifier": "a b", "name": "x"}],
        [{"identifier": "a\n", "name": "x"}],
        [{"identifier": "a" * 65, "name": "x"}],
        [{"identifier": f"x{KEY}", "name": "x"}],
    ],
    ids=str,
)
def test_a_list_with_an_entry_that_cannot_be_one_is_malformed(listed: object) -> None:
    with pytest.raises(PollError) as caught:
        parse_names(json.dumps(listed).encode(), Secret(KEY))
    assert caught.value.reason == FailureReason.MALFORMED
    assert KEY not in caught.value.detail


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ({"type": "x", "errors": [{"attr": None, "code": "c", "detail": "No."}]}, "No."),
        ({"errors": [{"detail": f"bad key {KEY}"}]}, "<secret>"),
        ({"errors": [{"detail": "a\nb"}]}, "a\ufffdb"),
        ({"errors": [{"detail": "x" * 500}]}, "x" * 127 + "…"),
        ({"errors": []}, ""),
        ({"errors": [{}]}, ""),
        ({"errors": ["No."]}, None),
        ({"detail": "No."}, None),
        ([], None),
    ],
    ids=lambda value: str(value)[:40],
)
def test_of_an_error_reply_the_first_detail_is_shown(reply: object, words: str | None) -> None:
    assert error_message(json.dumps(reply).encode(), Secret(KEY)) == words


def test_an_error_reply_that_was_cut_says_nothing() -> None:
    assert error_message(b'{"errors": [{"detail": "No', Secret(KEY)) is None
