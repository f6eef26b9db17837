"""Xtracta's replies: what is asked, and what is believed of the answer."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from vendor_calls import KEY, xtracta_settings

from exporter.model import Anomaly, FailureReason, PollError
from exporter.secrets import Secret
from exporter.vendors.xtracta import Plan, Usage, parse_usage
from exporter.vendors.xtracta.api import (
    Group,
    error_message,
    groups_request,
    parse_groups,
    usage_request,
)

SAMPLE = (
    Path(__file__).parent.parent.parent.parent / "tests" / "data" / "xtracta-usage-sample.xml"
).read_text()
SECRET = Secret(KEY)
PLAN = {
    "id": "1",
    "plan_name": "Plan A",
    "price": "15",
    "price_currency": "NZD",
    "allowed_documents": "250",
    "used_documents": "10",
    "available_documents": "240",
    "start_date": "2015-02-27 12:10:04 (GMT)",
    "expiry_date": "2015-03-27 12:10:03 (GMT)",
    "group_id": "481",
}


def element(name: str, fields: dict[str, str]) -> str:
    return f"<{name}>{''.join(f'<{key}>{fields[key]}</{key}>' for key in fields)}</{name}>"


def response(*parts: str) -> bytes:
    return f"<billings_response>{''.join(parts)}</billings_response>".encode()


def parsed(group: int | None = None, /, **changes: str | None) -> Usage:
    """A reply with one plan, some of whose elements are another way or left out (None)."""
    fields = {name: value for name, value in (PLAN | changes).items() if value is not None}
    return parse_usage(response(element("plan", fields)), SECRET, group)


def unix(*when: int) -> float:
    year, month, day, hour, minute, second = when
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()


def test_every_element_of_the_references_sample_is_read() -> None:
    assert parse_usage(SAMPLE.encode(), SECRET, 481) == Usage(
        (
            Plan(
                kind="plan",
                group="481",
                identifier="1",
                name="Plan A",
                figures={"allowed": 250, "used": 0, "available": 250},
                price=15.0,
                currency="NZD",
                start=unix(2015, 2, 27, 12, 10, 4),
                expiry=unix(2015, 3, 27, 12, 10, 3),
            ),
        ),
        (),
    )


def test_several_plans_and_packs_are_read_in_their_order() -> None:
    pack = {name: PLAN[name] for name in PLAN if name.endswith("_documents")}
    usage = parse_usage(
        response(
            element("plan", PLAN),
            element("pack", pack | {"id": "9", "pack_name": "Booster"}),
            element("plan", PLAN | {"id": "2", "plan_name": "Plan B"}),
            element("pack", pack | {"id": "8", "plan_name": "Another"}),
        ),
        SECRET,
        481,
    )
    assert [(plan.kind, plan.identifier, plan.name) for plan in usage.plans] == [
        ("plan", "1", "Plan A"),
        ("pack", "9", "Booster"),
        ("plan", "2", "Plan B"),
        ("pack", "8", "Another"),
    ]
    assert usage.anomalies == ()


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2015-02-27 12:10:04 (GMT)", unix(2015, 2, 27, 12, 10, 4)),
        ("2015-02-27 12:10:04 (UTC)", unix(2015, 2, 27, 12, 10, 4)),
        ("2017-08-21T02:16:49+00:00", unix(2017, 8, 21, 2, 16, 49)),
        ("2017-08-21T02:16:49Z", unix(2017, 8, 21, 2, 16, 49)),
        ("2017-08-21T02:16:49+12:45", unix(2017, 8, 20, 13, 31, 49)),
        ("2017-12-31T23:16:49-03:30", unix(2018, 1, 1, 2, 46, 49)),
        ("2024-02-29 00:00:00 (GMT)", unix(2024, 2, 29, 0, 0, 0)),
        (" \n2017-08-21T02:16:49Z\t", unix(2017, 8, 21, 2, 16, 49)),
        ("", None),
        (None, None),
    ],
)
def test_a_date_is_read_in_both_of_the_vendors_forms(
    text: str | None, moment: float | None
) -> None:
    (plan,) = parsed(start_date=text, expiry_date=text).plans
    assert (plan.start, plan.expiry) == (moment, moment)


@pytest.mark.parametrize(
    "text",
    [
        "2015-02-27 12:10:04",
        "2015-02-27 12:10:04 (NZDT)",
        "2015-02-30 12:10:04 (GMT)",
        "2015-02-27 24:10:04 (GMT)",
        "2015-02-27 23:59:60 (GMT)",
        "0000-00-00 00:00:00 (GMT)",
        "9999-12-31T23:59:59-12:00",
        "2015-02-27T12:10:04+24:00",
        "20150227T121004Z",
        "2015-W09-5T12:10:04Z",
        "1425039004",
        "٢٠١٥-02-27 12:10:04 (GMT)",
        "never",
    ],
)
def test_a_date_of_any_other_form_is_malformed(text: str) -> None:
    with pytest.raises(PollError) as caught:
        parsed(expiry_date=text)
    assert caught.value.failure == (FailureReason.MALFORMED, "expiry_date is not a date", None)


@pytest.mark.parametrize(
    ("text", "price"),
    [("15", 15.0), ("0", 0.0), ("1499.95", 1499.95), ("0.00000001", 1e-08), ("", None)],
)
def test_a_price_is_decimal(text: str, price: float | None) -> None:
    assert parsed(price=text).plans[0].price == price


@pytest.mark.parametrize("missing", ["price", "price_currency", "plan_name", "group_id"])
def test_what_the_reference_lets_be_missing_may_be(missing: str) -> None:
    assert parsed(**{missing: None}).anomalies == ()


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"id": None}, "id is not a whole number"),
        ({"id": "x"}, "id is not a whole number"),
        ({"id": "-1"}, "id is not a whole number"),
        ({"used_documents": None}, "used_documents is not a whole number"),
        ({"used_documents": ""}, "used_documents is not a whole number"),
        ({"used_documents": "-1"}, "used_documents is not a whole number"),
        ({"used_documents": "+1"}, "used_documents is not a whole number"),
        ({"used_documents": "1.0"}, "used_documents is not a whole number"),
        ({"used_documents": "1e3"}, "used_documents is not a whole number"),
        ({"used_documents": "1_000"}, "used_documents is not a whole number"),
        ({"used_documents": "1,000"}, "used_documents is not a whole number"),
        ({"used_documents": "٤٢"}, "used_documents is not a whole number"),
        ({"used_documents": "\u00a042"}, "used_documents is not a whole number"),
        ({"used_documents": "0x2A"}, "used_documents is not a whole number"),
        ({"used_documents": "9" * 16}, "used_documents is not a whole number"),
        ({"used_documents": "9" * 5000}, "used_documents is not a whole number"),
        ({"used_documents": "nan"}, "used_documents is not a whole number"),
        ({"used_documents": "4<!-- -->2"}, "an element holds more than text"),
        ({"used_documents": "4<?x?>2"}, "an element holds more than text"),
        ({"used_documents": "<b>42</b>"}, "an element holds more than text"),
        ({"price": "NaN"}, "price is not a decimal number"),
        ({"price": "inf"}, "price is not a decimal number"),
        ({"price": "1e5"}, "price is not a decimal number"),
        ({"price": "1,5"}, "price is not a decimal number"),
        ({"price": "-1"}, "price is not a decimal number"),
        ({"price": ".5"}, "price is not a decimal number"),
        ({"price_currency": "$"}, "price_currency is not a currency's code"),
        ({"price_currency": "nzd"}, "price_currency is not a currency's code"),
        ({"group_id": "481b"}, "group_id is not a whole number"),
        ({"price": "1</price><price>2"}, "an element occurs twice"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_plan_that_is_not_what_the_reference_says_is_malformed(
    changes: dict[str, str | None], detail: str
) -> None:
    with pytest.raises(PollError) as caught:
        parsed(**changes)
    assert caught.value.failure == (FailureReason.MALFORMED, detail, None)


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("007", 7), (" 42\n", 42), ("<![CDATA[42]]>", 42), ("&#52;2", 42)],
)
def test_a_number_is_all_of_an_elements_text(text: str, number: int) -> None:
    assert parsed(used_documents=text).plans[0].figures["used"] == number


def test_an_answer_about_another_group_is_a_failure() -> None:
    with pytest.raises(PollError, match="malformed: the reply is about another group"):
        parsed(482)


def test_without_a_group_id_the_answer_is_about_the_group_that_was_asked_for() -> None:
    assert parsed(7, group_id=None).plans[0].group == "7"
    assert parsed(None, group_id=None).plans[0].group == ""
    assert parsed(None).plans[0].group == "481"


@pytest.mark.parametrize(
    ("body", "anomalies"),
    [
        (response(element("plan", PLAN), "<pages>1</pages>"), {Anomaly.UNKNOWN_FIELD}),
        (response(element("plan", PLAN | {"used_pages": "1"})), {Anomaly.UNKNOWN_FIELD}),
        (
            response(element("plan", PLAN | {"available_documents": "241"})),
            {Anomaly.AVAILABLE_MISMATCH},
        ),
        (
            response(element("plan", PLAN | {"used_documents": "300", "available_documents": "0"})),
            set(),
        ),
        (
            response(element("plan", PLAN), element("plan", PLAN | {"id": "2", "group_id": "482"})),
            {Anomaly.SCOPE_MISMATCH},
        ),
        (response(element("plan", PLAN), "<!-- a comment --><?and more?>"), set()),
    ],
)
def test_what_is_odd_is_counted_and_the_figures_stand(body: bytes, anomalies: set[Anomaly]) -> None:
    usage = parse_usage(body, SECRET, None)
    assert set(usage.anomalies) == anomalies
    assert usage.plans[0].figures["allowed"] == 250


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("400", FailureReason.VENDOR_ERROR),
        ("401", FailureReason.AUTH),
        ("403", FailureReason.AUTH),
        ("429", FailureReason.RATE_LIMITED),
        ("500", FailureReason.VENDOR_ERROR),
        ("0", FailureReason.VENDOR_ERROR),
        ("201", FailureReason.VENDOR_ERROR),
    ],
)
def test_a_failure_in_the_body_is_one_although_http_says_200(
    status: str, reason: FailureReason
) -> None:
    body = response(f"<status>{status}</status><message>No.</message>", element("plan", PLAN))
    with pytest.raises(PollError) as caught:
        parse_usage(body, SECRET, None)
    assert caught.value.failure == (reason, f"status {status} in the reply: No.", None)


def test_a_failure_without_words_is_one_too() -> None:
    with pytest.raises(PollError) as caught:
        parse_usage(response("<status>500</status>"), SECRET, None)
    assert caught.value.detail == "status 500 in the reply"


def test_the_status_may_be_missing() -> None:
    assert len(parse_usage(response(element("plan", PLAN)), SECRET, None).plans) == 1


@pytest.mark.parametrize(
    "body",
    [
        response("<status>200</status><status>500</status>"),
        response("<status>ok</status>"),
        response("<status/>"),
        b"<group_response><status>200</status></group_response>",
        b'<billings_response xmlns="urn:x"><status>200</status></billings_response>',
        b"<html><body>It works!</body></html>",
        b"",
        b"{}",
        b"<billings_response>",
        b"<billings_response></billings_response><x/>",
        b"<billings_response>&n;</billings_response>",
        b"<billings_response>\xff</billings_response>",
        b"<billings_response>\x00</billings_response>",
        b"<billings_response a='1' a='2'/>",
        "<billings_response/>".encode("utf-16"),
        b'<?xml version="1.0" encoding="UTF-16"?><billings_response>\x00</billings_response>',
        b"<!DOCTYPE x><billings_response/>",
        b'<!DOCTYPE x [<!ENTITY n "1">]><billings_response>&n;</billings_response>',
        b"<a>" * 5000,
    ],
    ids=lambda body: repr(body)[:60],
)
def test_a_reply_that_is_another_document_or_none_is_malformed(body: bytes) -> None:
    with pytest.raises(PollError) as caught:
        parse_usage(body, SECRET, None)
    assert caught.value.reason == FailureReason.MALFORMED


def test_billions_of_laughs_are_refused_before_they_are_read() -> None:
    entities = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(9))
    body = f'<!DOCTYPE x [<!ENTITY e0 "ha">{entities}]><billings_response>&e9;</billings_response>'
    with pytest.raises(PollError, match="document type declaration"):
        parse_usage(body.encode(), SECRET, None)


def test_usage_is_asked_for_with_the_key_in_the_body_and_nowhere_else() -> None:
    settings = xtracta_settings(base_url="https://gateway.example.com/x/")
    own, other = (usage_request(settings, SECRET, group) for group in (None, 456))
    assert own.url == "https://gateway.example.com/x/v1/billings/usage"
    assert (own.method, own.body) == ("POST", f"api_key={KEY}".encode())
    assert other.body == f"api_key={KEY}&group_id=456".encode()
    assert own.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert KEY not in repr(own) + own.url + str(own.headers)


def test_a_key_with_signs_of_its_own_arrives_whole() -> None:
    body = usage_request(xtracta_settings(), Secret("a&b=c+d%/"), None).body
    assert body == b"api_key=a%26b%3Dc%2Bd%25%2F"


def test_the_tree_of_groups_is_asked_for_at_the_vendor() -> None:
    assert groups_request(xtracta_settings(), SECRET).url == (
        "https://api-app.xtracta.com/v1/group/list"
    )


def test_every_group_of_the_tree_is_found_with_the_group_above_it() -> None:
    body = b"""<group_response><status>200</status><message>ok</message>
    <group><Id>1</Id><ParentId/><Name>Head</Name><Description>x</Description>
      <Subgroup><Id>2</Id><ParentId>1</ParentId><Name>Branch</Name>
        <Subgroup><Id>3</Id><ParentId>2</ParentId><Name/></Subgroup>
      </Subgroup>
      <Subgroup><Subgroup><Id>4</Id><ParentId>1</ParentId></Subgroup></Subgroup>
    </group></group_response>"""
    assert parse_groups(body, SECRET) == {
        "1": Group("Head", ""),
        "2": Group("Branch", "1"),
        "3": Group("", "2"),
        "4": Group("", "1"),
    }


@pytest.mark.parametrize(
    "inner",
    ["<Id>x</Id>", "<Id>1</Id><Id>2</Id>", "<Id>1</Id><ParentId>x</ParentId>", "<Id/>"],
)
def test_a_group_that_cannot_be_one_is_malformed(inner: str) -> None:
    with pytest.raises(PollError) as caught:
        parse_groups(f"<group_response><group>{inner}</group></group_response>".encode(), SECRET)
    assert caught.value.reason == FailureReason.MALFORMED


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (response("<message>No.</message>"), "No."),
        (response(f"<message>bad key {KEY}</message>"), "<secret>"),
        (response("<message>a\nb</message>"), "a\ufffdb"),
        (response("<message>a</message><message>b</message>"), None),
        (response("<message><b>No.</b></message>"), None),
        (response(), ""),
        (b"No.", None),
        (b"<html><message>No.</message></html>", None),
    ],
)
def test_of_an_error_reply_its_message_is_shown(body: bytes, words: str | None) -> None:
    assert error_message(body, SECRET) == words
