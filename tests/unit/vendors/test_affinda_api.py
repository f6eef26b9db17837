"""Affinda's API: the requests, and what is read of a response."""

from __future__ import annotations

import json
from datetime import date

import pytest
from vendor_calls import KEY, affinda_settings

from exporter.model import Anomaly, FailureReason, PollError
from exporter.secrets import Secret
from exporter.vendors.affinda.api import (
    Scope,
    Usage,
    error_message,
    list_request,
    parse_names,
    parse_usage,
    usage_request,
)

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
    ids=lambda value: (", ".join(sorted(value)) if isinstance(value, set) else str(value))[:60],
)
def test_an_anomaly_is_counted_and_the_figures_are_read(
    changes: dict[str, object], anomalies: set[Anomaly]
) -> None:
    assert set(parsed(**changes).anomalies) == anomalies


def test_two_entries_of_one_day_add_up() -> None:
    items = [{"date": "2026-03-03", "count": n} for n in (2, 3)]
    assert parsed(items=items).counts[-1] == 5


def test_a_day_outside_the_window_adds_to_no_other() -> None:
    assert set(parsed(items=[{"date": "2026-03-04", "count": 5}]).counts) == {0}


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
def test_a_window_other_than_the_requested_one_is_an_anomaly(
    start: date | None, end: date | None, anomalies: tuple[Anomaly, ...]
) -> None:
    assert parse_usage(body(), ORGANIZATION, start, end).anomalies == anomalies


OTHER_SCOPE = "the response is about another scope than the one requested"
BAD_WINDOW = "the response's window ends before it starts, or is longer than a century"


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"scope": "workspace"}, OTHER_SCOPE),
        ({"scopeIdentifier": "oRg2"}, OTHER_SCOPE),
        ({"scopeIdentifier": None}, OTHER_SCOPE),
        ({"end": None}, "end is not a date"),
        ({"end": 20260303}, "end is not a date"),
        ({"end": "9999-12-31"}, "end is not a date"),
        ({"end": "٢٠٢٦-٠٣-٠٣"}, "end is not a date"),
        ({"end": "2025-03-02"}, BAD_WINDOW),
        ({"start": "1901-01-01"}, BAD_WINDOW),
        ({"items": {}}, "items is not an array"),
        ({"items": None}, "items is not an array"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_response_whose_figures_cannot_be_attributed_is_malformed(
    changes: dict[str, object], detail: str
) -> None:
    with pytest.raises(PollError) as caught:
        parsed(**changes)
    assert caught.value.failure == (FailureReason.MALFORMED, detail, None)


@pytest.mark.parametrize("missing", ["scopeIdentifier", "end", "items"])
def test_what_every_figure_depends_on_may_not_be_missing(missing: str) -> None:
    rest = {name: value for name, value in GOOD.items() if name != missing}
    with pytest.raises(PollError):
        parse_usage(json.dumps(rest).encode(), ORGANIZATION)


@pytest.mark.parametrize(
    "changes",
    [
        {"total": 5.0},
        {"total": "5"},
        {"items": [{"date": "2026-03-01", "count": 3.0}, {"date": "2026-03-03", "count": "2"}]},
        {"items": [{"date": "2026-03-01", "count": "3.0"}, {"date": "2026-03-03", "count": 2}]},
        {"start": "2025-03-03T00:00:00Z", "end": "2026-03-03T00:00:00Z"},
        {
            "items": [
                {"date": "2026-03-01 00:00:00+00:00", "count": 3},
                {"date": "2026-03-03T00:00:00", "count": 2},
            ]
        },
    ],
    ids=str,
)
def test_other_forms_of_the_same_values_are_read(changes: dict[str, object]) -> None:
    assert parsed(**changes) == parsed()


@pytest.mark.parametrize(
    "count", [10.5, True, None, "", "x", "1e3", "1_0", [], {}, 10**11 + 1, "9" * 13, 1e400, -1e400]
)
def test_a_count_that_cannot_be_read_costs_its_day(count: object) -> None:
    items = [{"date": "2026-03-01", "count": 3}, {"date": "2026-03-03", "count": count}]
    usage = parsed(items=items)
    assert usage.counts == (0,) * 363 + (3, 0, None)
    assert usage.anomalies == (Anomaly.UNREADABLE_FIELD,)
    assert usage.unreadable == ("count of 2026-03-03",)
    assert usage.days(date(2026, 3, 1), date(2026, 3, 2)) == (3, 0)
    assert usage.days(date(2026, 3, 1), date(2026, 3, 3)) is None


def test_a_day_with_one_unreadable_count_of_two_is_unknown() -> None:
    for counts in ((None, 2), (2, None)):
        items = [{"date": "2026-03-03", "count": count} for count in counts]
        usage = parsed(items=items)
        assert usage.counts[-1] is None
        assert set(usage.anomalies) == {Anomaly.UNREADABLE_FIELD, Anomaly.DUPLICATE_DAY}


@pytest.mark.parametrize("day", [None, 20260302, "2026-3-2", "20260302", "2026-02-30", "x"])
def test_an_item_without_a_date_costs_the_days_between_its_neighbours(day: object) -> None:
    items = [
        {"date": "2026-03-01", "count": 3},
        {"date": day, "count": 9},
        {"date": "2026-03-03", "count": 2},
    ]
    usage = parsed(items=items)
    assert usage.counts == (0,) * 363 + (3, None, 2)
    assert usage.unreadable == ("date of item 2",)


@pytest.mark.parametrize(
    ("items", "counts"),
    [
        ([[], {"date": "2026-03-03", "count": 2}], (None, None, 2)),
        ([{"date": "2026-03-01", "count": 3}, 7], (3, None, None)),
        ([{"count": 4}], (None, None, None)),
        (
            [{"date": "2026-03-03", "count": 2}, {}, {"date": "2026-03-01", "count": 3}],
            (None, None, None),
        ),
        (
            [{"date": "2026-03-01", "count": 3}, {}, {"date": "2026-03-02", "count": 3}],
            (None, None, None),
        ),
        ([{}] * 5, (None, None, None)),
    ],
    ids=["first", "last", "alone", "not in order", "no day between", "many"],
)
def test_where_an_item_without_a_date_belongs_is_not_guessed(
    items: list[object], counts: tuple[int | None, ...]
) -> None:
    assert parsed(start="2026-03-01", items=items).counts == counts


@pytest.mark.parametrize("start", [None, "", "2025-02-29", 1])
def test_an_unreadable_start_costs_the_days_before_the_first_item(start: object) -> None:
    usage = parsed(start=start)
    assert (usage.start, usage.counts) == (date(2026, 3, 1), (3, 0, 2))
    assert Anomaly.UNREADABLE_FIELD in usage.anomalies
    assert parsed(start=start, items=[]).counts == (0,)


def test_an_unreadable_end_is_the_day_that_was_requested() -> None:
    usage = parse_usage(body(end="today"), ORGANIZATION, end=date(2026, 3, 3))
    assert usage.counts == parsed().counts
    assert usage.unreadable == ("end",)


@pytest.mark.parametrize("total", [None, "x", 5.5, [], "missing"])
def test_an_unreadable_total_costs_nothing_but_the_comparison(total: object) -> None:
    changed = {
        name: value for name, value in (GOOD | {"total": total}).items() if value != "missing"
    }
    usage = parse_usage(json.dumps(changed).encode(), ORGANIZATION)
    assert usage.counts == parsed().counts
    assert (usage.anomalies, usage.unreadable) == ((Anomaly.UNREADABLE_FIELD,), ("total",))


@pytest.mark.parametrize("scope", [None, "Organization", 7, ["workspace"]])
def test_an_unreadable_scope_costs_nothing_where_the_identifier_is_right(scope: object) -> None:
    usage = parsed(scope=scope)
    assert usage.counts == parsed().counts
    assert usage.unreadable == ("scope",)


def test_usage_is_requested_with_the_key_in_a_header_and_one_scope_at_most() -> None:
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


def test_lists_are_requested_where_a_self_hosted_installation_is() -> None:
    settings, key = affinda_settings(base_url="https://ai.example.com/affinda/"), Secret(KEY)
    assert [
        list_request(settings, key, axis).url
        for axis in ("organization", "workspace", "documentType")
    ] == [
        "https://ai.example.com/affinda/v3/organizations",
        "https://ai.example.com/affinda/v3/workspaces?organization=oRg1",
        "https://ai.example.com/affinda/v3/document_types?organization=oRg1",
    ]


def names(document: object) -> tuple[dict[str, str], int]:
    return parse_names(json.dumps(document).encode(), Secret(KEY))


def test_names_come_from_the_list_whatever_else_an_entry_holds() -> None:
    listed = [{"identifier": "a-1", "name": "Claims", "x": {}}, {"identifier": "b_2", "name": ""}]
    assert names(listed) == ({"a-1": "Claims", "b_2": ""}, 0)


@pytest.mark.parametrize("name", [None, 7, []])
def test_a_name_that_cannot_be_read_is_empty(name: object) -> None:
    assert names([{"identifier": "a", "name": name}]) == ({"a": ""}, 0)


@pytest.mark.parametrize(
    "entry",
    [
        [],
        {"name": "x"},
        {"identifier": 7, "name": "x"},
        {"identifier": "", "name": "x"},
        {"identifier": "a b", "name": "x"},
        {"identifier": "a\n", "name": "x"},
        {"identifier": "a" * 65, "name": "x"},
        {"identifier": f"x{KEY}", "name": "x"},
    ],
    ids=str,
)
def test_an_entry_without_a_usable_identifier_costs_only_itself(entry: object) -> None:
    assert names([entry, {"identifier": "a", "name": "Claims"}]) == ({"a": "Claims"}, 1)


@pytest.mark.parametrize(("following", "skipped"), [(None, 0), ("https://x/?offset=50", 1)])
def test_of_a_list_in_pages_the_first_is_read(following: str | None, skipped: int) -> None:
    page = {"count": 1, "next": following, "results": [{"identifier": "a", "name": "Claims"}]}
    assert names(page) == ({"a": "Claims"}, skipped)


@pytest.mark.parametrize("document", [{}, {"results": 7}, "a", None])
def test_a_list_of_workspaces_that_is_no_list_is_malformed(document: object) -> None:
    with pytest.raises(PollError) as caught:
        names(document)
    assert caught.value.reason == FailureReason.MALFORMED
    assert KEY not in caught.value.detail


@pytest.mark.parametrize(
    ("response", "words"),
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
def test_of_an_error_response_the_first_detail_is_shown(
    response: object, words: str | None
) -> None:
    assert error_message(json.dumps(response).encode(), Secret(KEY)) == words


def test_an_error_response_that_was_cut_is_not_the_vendors() -> None:
    assert error_message(b'{"errors": [{"detail": "No', Secret(KEY)) is None
