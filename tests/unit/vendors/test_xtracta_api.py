"""Xtracta's API: the requests, and what is read of a response."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from vendor_calls import KEY, xtracta_settings

from exporter.model import Anomaly, FailureReason, PollError
from exporter.secrets import Secret
from exporter.vendors.xtracta.api import (
    Figures,
    Group,
    Plan,
    Usage,
    error_message,
    groups_request,
    parse_groups,
    parse_usage,
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
    """A response with one plan, some of whose elements are another way or left out (None)."""
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
                resources={"documents": Figures(250, 0, 250)},
                price=Decimal(15),
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
        ("2017-08-21T02:16:49+0000", unix(2017, 8, 21, 2, 16, 49)),
        ("2017-08-21T02:16:49+1245", unix(2017, 8, 20, 13, 31, 49)),
        ("2017-08-21T02:16:49-03", unix(2017, 8, 21, 5, 16, 49)),
        ("2017-08-21 02:16:49 +12:00", unix(2017, 8, 20, 14, 16, 49)),
        ("2017-08-21 02:16:49 UTC", unix(2017, 8, 21, 2, 16, 49)),
        ("2017-08-21 02:16:49 (GMT+12:00)", unix(2017, 8, 20, 14, 16, 49)),
        ("2017-08-21T02:16:49.123Z", unix(2017, 8, 21, 2, 16, 49)),
        ("2017-08-21 02:16 (GMT)", unix(2017, 8, 21, 2, 16, 0)),
        ("", None),
        (None, None),
        ("Never", None),
        ("none", None),
        ("N/A", None),
        ("-", None),
        ("0000-00-00", None),
        ("0000-00-00 00:00:00", None),
        ("0000-00-00 00:00:00 (GMT)", None),
        ("9999-12-31T23:59:59-12:00", None),
    ],
)
def test_a_date_is_read_in_all_its_forms(text: str | None, moment: float | None) -> None:
    usage = parsed(start_date=text, expiry_date=text)
    (plan,) = usage.plans
    assert (plan.start, plan.expiry) == (moment, moment)
    assert usage.unreadable == ()


def test_a_date_without_a_time_is_the_first_or_the_last_moment_of_its_day() -> None:
    (plan,) = parsed(start_date="2026-02-28", expiry_date="2026-02-28").plans
    assert (plan.start, plan.expiry) == (unix(2026, 2, 28, 0, 0, 0), unix(2026, 3, 1, 0, 0, 0))


@pytest.mark.parametrize(
    "text",
    [
        "2015-02-27 12:10:04",
        "2015-02-27 12:10:04 (NZDT)",
        "2015-02-30 12:10:04 (GMT)",
        "2015-02-27 24:10:04 (GMT)",
        "2015-02-27 23:59:60 (GMT)",
        "2015-02-27T12:10:04+24:00",
        "20150227T121004Z",
        "2015-W09-5T12:10:04Z",
        "1425039004",
        "٢٠١٥-02-27 12:10:04 (GMT)",
        "soon",
        "2015-02-30",
        "2015-02-27 12:10:04 (GMT+99:00)",
    ],
)
def test_a_date_of_another_form_or_zone_is_unknown_and_costs_nothing_else(text: str) -> None:
    usage = parsed(expiry_date=text)
    assert usage.plans == (parsed().plans[0]._replace(expiry=None),)
    assert (usage.anomalies, usage.unreadable) == (
        (Anomaly.UNREADABLE_FIELD,),
        ("expiry_date of plan 1",),
    )


@pytest.mark.parametrize(
    "text",
    ["15", "0", "1499.95", "0.00000001", "123456789012.12345678"],
)
def test_a_price_is_exact(text: str) -> None:
    assert f"{parsed(price=text).plans[0].price:f}" == text


def test_an_empty_price_is_unknown() -> None:
    assert parsed(price="").plans[0].price is None


@pytest.mark.parametrize("missing", ["price", "price_currency", "plan_name", "group_id"])
def test_what_the_reference_lets_be_missing_may_be(missing: str) -> None:
    assert parsed(**{missing: None}).anomalies == ()


@pytest.mark.parametrize(
    "text",
    [
        *("", "-1", "+1", "1.5", "1e3", "1_000", "1,000", "٤٢", "\u00a042", "0x2A", "nan"),
        *("9" * 16, "9" * 5000, "<b>42</b>", "4&n;2", "42</used_documents><used_documents>43"),
    ],
    ids=lambda text: text[:30],
)
def test_a_figure_that_cannot_be_read_costs_only_itself(text: str) -> None:
    usage = parsed(used_documents=text)
    documents = usage.plans[0].resources["documents"]
    assert documents == Figures(250, None, 240)
    assert usage.plans[0]._replace(resources={}) == parsed().plans[0]._replace(resources={})
    assert usage.anomalies == (Anomaly.UNREADABLE_FIELD,)
    assert usage.unreadable == ("used_documents of plan 1",)


@pytest.mark.parametrize("text", ["", "-1", "unlimited", "Unlimited", "none", "N/A", None])
def test_an_unlimited_allowance_is_no_anomaly(text: str | None) -> None:
    usage = parsed(allowed_documents=text, available_documents=text)
    assert usage.plans[0].resources["documents"] == Figures(None, 10, None)
    assert usage.anomalies == ()


@pytest.mark.parametrize("text", ["-10", "-10.0", "-1"])
def test_a_negative_available_means_that_nothing_is_left(text: str) -> None:
    usage = parsed(used_documents="260", available_documents=text)
    assert usage.plans[0].resources["documents"] == Figures(250, 260, 0)
    assert usage.anomalies == ()


@pytest.mark.parametrize("price", ["NaN", "inf", "1e5", "1,5", "1,250.00", "-1", ".5", "<b>5</b>"])
def test_a_price_that_cannot_be_read_costs_only_itself(price: str) -> None:
    usage = parsed(price=price)
    assert usage.plans == (parsed().plans[0]._replace(price=None),)
    assert usage.unreadable == ("price of plan 1",)


def test_a_currency_is_read_in_small_letters() -> None:
    assert parsed(price_currency="nzd") == parsed()


@pytest.mark.parametrize("currency", ["$", "kiwis", "N Z", "<b>NZD</b>"])
def test_a_currency_that_cannot_be_read_costs_only_itself(currency: str) -> None:
    usage = parsed(price_currency=currency)
    assert usage.plans == (parsed().plans[0]._replace(currency=""),)
    assert usage.unreadable == ("price_currency of plan 1",)


@pytest.mark.parametrize("identifier", [None, "", "x", "-1", "1.5"])
def test_a_plan_whose_id_cannot_be_read_keeps_its_figures(identifier: str | None) -> None:
    usage = parsed(id=identifier)
    assert usage.plans == (parsed().plans[0]._replace(identifier=""),)
    assert usage.anomalies == (Anomaly.UNREADABLE_FIELD,)


def test_a_name_that_cannot_be_read_costs_only_itself() -> None:
    usage = parsed(plan_name="<b>Plan A</b>")
    assert usage.plans == (parsed().plans[0]._replace(name=""),)
    assert usage.unreadable == ("plan_name of plan 1",)


def test_a_group_id_that_cannot_be_read_is_the_group_that_was_requested() -> None:
    usage = parsed(481, group_id="481b")
    assert usage.plans == parsed().plans
    assert usage.unreadable == ("group_id of plan 1",)


@pytest.mark.parametrize("more", ["quantity", "plan_type", "wholesale_price", "pack_summary"])
def test_documented_neighbours_are_known_fields(more: str) -> None:
    assert parsed(**{more: "1"}) == parsed()


def test_figures_of_any_resource_are_read() -> None:
    pages = {"allowed_pages": "500", "used_pages": "100.0", "available_pages": "400"}
    usage = parsed(**pages)
    assert usage.plans[0].resources == {
        "documents": Figures(250, 10, 240),
        "pages": Figures(500, 100, 400),
    }
    assert usage.anomalies == ()


def test_a_plan_without_documents_is_a_plan() -> None:
    pages = {name.replace("documents", "pages"): text for name, text in PLAN.items()}
    usage = parse_usage(response(element("plan", pages)), SECRET, None)
    assert usage.plans[0].resources == {"pages": Figures(250, 10, 240)}
    assert usage.anomalies == ()


@pytest.mark.parametrize(
    "fields", [{"allowed_hosts": "7"}, {f"allowed_{KEY.lower().replace('-', '_')}": "7"}]
)
def test_a_single_field_with_the_prefix_of_a_figure_is_no_resource(fields: dict[str, str]) -> None:
    usage = parsed(**fields)
    assert usage.plans == parsed().plans
    assert usage.anomalies == (Anomaly.UNKNOWN_FIELD,)


def test_a_resource_named_like_the_key_is_left_out() -> None:
    name = KEY.lower().replace("-", "")
    usage = parsed(**{f"{figure}_{name}": "7" for figure in ("allowed", "used", "available")})
    assert usage.plans == parsed().plans
    assert KEY not in repr(usage)


@pytest.mark.parametrize("plan", ["<plan/>", "<plan> </plan>", "<plan><id/><plan_name/></plan>"])
def test_an_empty_plan_is_skipped(plan: str) -> None:
    assert parse_usage(response(plan), SECRET, None) == Usage(())


def pack(used: int, **more: str) -> str:
    figures = {"used_documents": str(used), "available_documents": str(100 - used)}
    fields = PLAN | {"id": "9", "allowed_documents": "100"} | figures | more
    return element("pack", fields)


def test_the_same_pack_twice_is_added_up() -> None:
    usage = parse_usage(response(pack(100), pack(4)), SECRET, None)
    (plan,) = usage.plans
    assert plan.resources == {"documents": Figures(200, 104, 96)}
    assert (plan.price, plan.start) == (Decimal(15), unix(2015, 2, 27, 12, 10, 4))
    assert usage.anomalies == (Anomaly.DUPLICATE_PLAN,)


def test_what_differs_between_two_packs_with_one_id_is_not_guessed() -> None:
    first = pack(100, price="20", expiry_date="2015-05-01", used_documents="x")
    second = pack(4, allowed_pages="5", used_pages="2", start_date="2015-01-01")
    (plan,) = parse_usage(response(first, second), SECRET, None).plans
    assert plan.resources == {"documents": Figures(200, None, 96), "pages": Figures(5, 2, None)}
    assert (plan.price, plan.start, plan.expiry) == (
        None,
        unix(2015, 1, 1, 0, 0, 0),
        unix(2015, 5, 2, 0, 0, 0),
    )


def test_of_a_plan_twice_the_later_period_counts() -> None:
    later = element("plan", PLAN | {"start_date": "2015-03-27", "used_documents": "7"})
    usage = parse_usage(response(later, element("plan", PLAN)), SECRET, None)
    (plan,) = usage.plans
    assert plan.resources["documents"].used == 7
    assert Anomaly.DUPLICATE_PLAN in usage.anomalies


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("0", 0), ("007", 7), (" 42\n", 42), ("<![CDATA[42]]>", 42), ("&#52;2", 42)),
        *(("42.0", 42), ("42.00", 42), ("4<!-- -->2", 42), ("4<?x?>2", 42)),
    ],
)
def test_a_number_is_all_of_an_elements_text(text: str, number: int) -> None:
    assert parsed(used_documents=text).plans[0].resources["documents"].used == number


def test_a_response_about_another_group_is_a_failure() -> None:
    with pytest.raises(PollError, match="malformed: the response is about another group"):
        parsed(482)


def test_without_a_group_id_the_response_is_about_the_requested_group() -> None:
    assert parsed(7, group_id=None).plans[0].group == "7"
    assert parsed(None, group_id=None).plans[0].group == ""
    assert parsed(None).plans[0].group == "481"


@pytest.mark.parametrize(
    ("body", "anomalies"),
    [
        (response(element("plan", PLAN), "<pages>1</pages>"), {Anomaly.UNKNOWN_FIELD}),
        (response(element("plan", PLAN | {"used_pages": "1"})), {Anomaly.UNKNOWN_FIELD}),
        (response("<status>ok</status>", element("plan", PLAN)), {Anomaly.UNREADABLE_FIELD}),
        (response("<status/>", element("plan", PLAN)), {Anomaly.UNREADABLE_FIELD}),
        (response("<status>200</status>" * 2, element("plan", PLAN)), {Anomaly.UNREADABLE_FIELD}),
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
def test_an_anomaly_is_counted_and_the_figures_are_read(
    body: bytes, anomalies: set[Anomaly]
) -> None:
    usage = parse_usage(body, SECRET, None)
    assert set(usage.anomalies) == anomalies
    assert usage.plans[0].resources["documents"].allowed == 250


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
    assert caught.value.failure == (reason, f"status {status} in the response: No.", None)


def test_a_failure_without_a_message_is_one_too() -> None:
    with pytest.raises(PollError) as caught:
        parse_usage(response("<status>500</status>"), SECRET, None)
    assert caught.value.detail == "status 500 in the response"


def test_the_status_may_be_missing() -> None:
    assert len(parse_usage(response(element("plan", PLAN)), SECRET, None).plans) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"<group_response><status>200</status></group_response>",
        b'<billings_response xmlns="urn:x"><status>200</status></billings_response>',
        b"<html><body>It works!</body></html>",
        b"",
        b"{}",
        b"<billings_response>",
        b"<billings_response></billings_response><x/>",
        b"<billings_response>\x00</billings_response>",
        b"<billings_response a='1' a='2'/>",
        "<billings_response/>".encode("utf-16"),
        b'<?xml version="1.0" encoding="UTF-16"?><billings_response>\x00</billings_response>',
        b"<!DOCTYPE x><billings_response/>",
        b'<!DOCTYPE x [<!ENTITY n "1">]><billings_response>&n;</billings_response>',
        b'<?xml version="1.0" encoding="UTF-16"?><billings_response/>',
        b"<a>" * 5000,
    ],
    ids=lambda body: repr(body)[:60],
)
def test_another_document_or_no_xml_is_malformed(body: bytes) -> None:
    with pytest.raises(PollError) as caught:
        parse_usage(body, SECRET, None)
    assert caught.value.reason == FailureReason.MALFORMED


@pytest.mark.parametrize(
    ("head", "name", "encoding", "expected"),
    [
        ("\ufeff", "Caf\u00e9", "utf-8", "Caf\u00e9"),
        ('\n <?xml version="1.0"?>', "Caf\u00e9", "utf-8", "Caf\u00e9"),
        ('\ufeff<?xml version="1.0" encoding="utf-8"?>\n', "Caf\u00e9", "utf-8", "Caf\u00e9"),
        ('<?xml version="1.0" encoding="ISO-8859-1"?>', "Caf\u00e9", "latin-1", "Caf\u00e9"),
        ("<?xml version='1.0' encoding='windows-1252'?>", "\u20ac", "cp1252", "\u20ac"),
        ('<?xml version="1.0"?>', "Caf\u00e9", "latin-1", "Caf\ufffd"),
        ("<br />\n<b>Deprecated</b>: x()\n<?xml version='1.0'?>", "Plan", "utf-8", "Plan"),
        ("", "R&D plan", "utf-8", "R&D plan"),
        ("", "R&amp;D &#8211; x", "utf-8", "R&D \u2013 x"),
        ("", "Plan&nbsp;A", "utf-8", "Plan&nbsp;A"),
    ],
)
def test_a_response_with_another_beginning_encoding_or_ampersand_is_read(
    head: str, name: str, encoding: str, expected: str
) -> None:
    body = head + response(element("plan", PLAN | {"plan_name": name})).decode()
    usage = parse_usage(body.encode(encoding), SECRET, None)
    assert usage.plans == (parsed().plans[0]._replace(name=expected),)


def test_billions_of_laughs_are_refused_before_they_are_read() -> None:
    entities = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(9))
    body = f'<!DOCTYPE x [<!ENTITY e0 "ha">{entities}]><billings_response>&e9;</billings_response>'
    with pytest.raises(PollError, match="document type declaration"):
        parse_usage(body.encode(), SECRET, None)


def test_usage_is_requested_with_the_key_in_the_body_and_nowhere_else() -> None:
    settings = xtracta_settings(base_url="https://gateway.example.com/x/")
    own, other = (usage_request(settings, SECRET, group) for group in (None, 456))
    assert own.url == "https://gateway.example.com/x/v1/billings/usage"
    assert (own.method, own.body) == ("POST", f"api_key={KEY}".encode())
    assert other.body == f"api_key={KEY}&group_id=456".encode()
    assert own.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert KEY not in repr(own) + own.url + str(own.headers)


def test_a_key_with_special_characters_is_encoded() -> None:
    body = usage_request(xtracta_settings(), Secret("a&b=c+d%/"), None).body
    assert body == b"api_key=a%26b%3Dc%2Bd%25%2F"


def test_the_tree_of_groups_is_requested_from_the_vendor() -> None:
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
    assert parse_groups(body, SECRET) == (
        {
            "1": Group("Head", ""),
            "2": Group("Branch", "1"),
            "3": Group("", "2"),
            "4": Group("", "1"),
        },
        0,
    )


@pytest.mark.parametrize("inner", ["<Id>x</Id>", "<Id>1</Id><Id>2</Id>", "<Id/>", "<Id>-1</Id>"])
def test_a_group_whose_id_cannot_be_read_costs_only_itself(inner: str) -> None:
    body = f"<group_response><group>{inner}</group><group><Id>7</Id></group></group_response>"
    assert parse_groups(body.encode(), SECRET) == ({"7": Group("", "")}, 1)


def test_a_parent_or_name_that_cannot_be_read_costs_only_itself() -> None:
    inner = "<Id>1</Id><ParentId>x</ParentId><Name><b>Head</b></Name>"
    body = f"<group_response><group>{inner}</group></group_response>"
    assert parse_groups(body.encode(), SECRET) == ({"1": Group("", "")}, 0)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (response("<message>No.</message>"), "No."),
        (response(f"<message>bad key {KEY}</message>"), "<secret>"),
        (response("<message>a\nb</message>"), "a\ufffdb"),
        (response("<message>a</message><message>b</message>"), ""),
        (response("<message><b>No.</b></message>"), ""),
        (response(), ""),
        (b"No.", None),
        (b"<html><message>No.</message></html>", None),
    ],
)
def test_of_an_error_response_its_message_is_shown(body: bytes, words: str | None) -> None:
    assert error_message(body, SECRET) == words
