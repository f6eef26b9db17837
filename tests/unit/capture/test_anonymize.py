"""Anonymizing: nothing that identifies is left, and a replay gives the same figures."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import pytest
from captures import ACCOUNTS, NOW, PLAN, figures, files, recorded, replayed
from hypothesis import given
from hypothesis import strategies as st
from laws import examples
from vendor_calls import KEY, affinda_settings, responses, xtracta_settings

from exporter.capture.anonymize import anonymize
from exporter.capture.format import Call, Capture, Exchange, TargetCapture
from exporter.capture.record import KEY as STAND_IN
from exporter.capture.record import REMOVED
from exporter.client.client import Response
from exporter.demo.accounts import Accounts, Group, Organization, Scope
from exporter.demo.vendors import Vendors
from exporter.model import FailureReason, PollFailure
from exporter.vendors import VENDORS
from exporter.vendors.base import IdentifyingFields

if TYPE_CHECKING:
    from exporter.client.client import Request

FIELDS: Final = {name: vendor.fields for name, vendor in VENDORS.items() if vendor.fields}
SETTINGS: Final = {"name": "acme-eu", "vendor": "affinda", "organization": "oRg00001"}
USAGE: Final = "https://api.affinda.com/v3/usage?organization=oRg00001"
NAMED: Final = b'[{"identifier": "oRg00001", "name": "Acme & S\\u00f6hne"}]'


def capture_of(*exchanges: Exchange, **settings: object) -> Capture:
    target = TargetCapture(SETTINGS | settings, None, NOW, NOW, 0.0, exchanges)
    return Capture("1.0", "3.11", NOW, is_anonymized=False, targets=(target,))


def received(body: bytes, url: str = USAGE, *headers: tuple[str, str]) -> Exchange:
    return Exchange(Call("GET", url, ""), Response(200, headers, body))


def rewritten(body: str, *others: Exchange, **settings: object) -> str:
    """The body of a response in the anonymous capture."""
    capture = capture_of(received(body.encode()), received(NAMED), *others, **settings)
    outcome = anonymize(capture, FIELDS).capture.targets[0].exchanges[0].outcome
    assert isinstance(outcome, Response)
    return outcome.body.decode()


EXPECTED: Final = {
    # identifiers
    '{"scopeIdentifier":"oRg00001","total":1.0}': '{"scopeIdentifier":"id-1","total":1.0}',
    '{"oRg00001": {"count": 4}}': '{"id-1": {"count": 4}}',
    '{"id": "00456.0", "identifier": 456.0}': '{"id": "1001.0", "identifier": 1001.0}',
    '{"user_id": 77, "accountId": "x"}': '{"user_id": 1001, "accountId": "id-2"}',
    # those that are not valid, or empty, stay so
    '{"identifier": "legacy:42"}': '{"identifier": "id-1."}',
    f'{{"identifier": "{70 * "x"}"}}': f'{{"identifier": "id-2{66 * "x"}"}}',
    f'{{"identifier": {20 * "4"}}}': f'{{"identifier": 1001{20 * "0"}}}',
    '{"identifier": "", "name": " ", "id": 0, "organization": null}': None,
    # names
    "<a><Name>R&amp;D</Name></a>": "<a><Name>name-2</Name></a>",
    '{"name": 7, "plan": {"name": "R"}}': '{"name": 7, "plan": {"name": "name-3"}}',
    # sentences
    '{"detail": "No oRg00001."}': '{"detail": "No id-1."}',
    '{"detail": "ACME & S\\u00d6HNE!"}': '{"detail": "name-1!"}',
    '{"detail": "xAcme & S\\u00f6hney"}': '{"detail": "xname-1y"}',
    '{"detail": "?o=oRg00001&n=Acme%20%26%20S%C3%B6hne"}': '{"detail": "?o=id-1&n=name-1"}',
    '{"detail": "?n=Acme+%26+S%C3%B6hne"}': '{"detail": "?n=name-1"}',
    '{"detail": "Acme &amp; S&#246;hne"}': '{"detail": "name-1"}',
    '{"detail": "Acme & S\\\\u00f6hne"}': '{"detail": "name-1"}',
    '{"detail": "jane@acme.example, 10.1.2.3"}': '{"detail": "somebody@host.example, 192.0.2.1"}',
    '{"id": 45, "detail": "45 of 450"}': '{"id": 1001, "detail": "1001 of 450"}',
    "Sorry, oRg00001": "Sorry, id-1",
    "<html>oRg00001</html>": "<html>id-1</html>",
    "<a><!-- oRg00001 --></a>": "<a><!-- id-1 --></a>",
    # figures, dates and states
    '{"scope": "organization", "end": "2026-05-17", "count": "1,000"}': None,
    '{"seen": "2026-05-17T10:00:00Z", "seats": 12, "share": "7 %", "off": "false"}': None,
    # other texts
    '{"owner": "Jane", "seats": 12}': '{"owner": "text-1", "seats": 12}',
    '{"scope": "of Acme & S\\u00f6hne"}': '{"scope": "of name-1"}',
    # a key stays a key
    f'{{"identifier": "{STAND_IN}", "name": "A {STAND_IN}"}}': (
        f'{{"identifier": "{STAND_IN}", "name": "{STAND_IN}"}}'
    ),
}


@pytest.mark.parametrize(("body", "expected"), EXPECTED.items())
def test_what_identifies_is_replaced_and_figures_stay(body: str, expected: str | None) -> None:
    assert rewritten(body) == (expected or body)


@pytest.mark.parametrize("name", ["organization", "total", "Unlimited", "EUR", "a", "id"])
def test_a_name_that_is_a_common_word_is_not_replaced_in_fields_of_figures(name: str) -> None:
    body = f'{{"scope": "organization", "total": "{name}", "count": "unlimited", "a": 1}}'
    assert rewritten(body, received(json.dumps([{"name": name}]).encode())) == body


def test_an_identifier_that_is_a_common_word_is_not_replaced_in_fields_of_figures() -> None:
    body = '{"scope": "workspace", "total": 1}'
    assert rewritten(body, received(b'[{"identifier": "workspace"}]')) == body


def anonymous(capture: Capture) -> TargetCapture:
    return anonymize(capture, FIELDS).capture.targets[0]


def test_urls_forms_and_settings_have_the_same_stand_ins() -> None:
    keys = {
        "base_url": "https://gw.acme.example:8443/affinda",
        "workspaces": ["w2", "w1"],
        "document_types": "all",
        "region": "api",
        "allowance": {"credits": 400, "currency": "EUR"},
    }
    url = "https://gw.acme.example:8443/affinda/v3/oRg00001/usage?workspace=w1&end=2026-05-17&q=w2"
    capture = capture_of(received(b"{}", url), **keys)
    found = anonymous(capture)
    assert found.settings == {
        "name": "target-1",
        "vendor": "affinda",
        "organization": "id-1",
        "base_url": "https://host-1.example:8443/path-1",
        "workspaces": ["id-3", "id-2"],
        "document_types": "all",
        "region": "api",
        "allowance": {"credits": 400, "currency": "EUR"},
    }
    assert found.exchanges[0].call.url == (
        "https://host-1.example:8443/path-1/v3/id-1/usage?workspace=id-2&end=2026-05-17&q=id-3"
    )
    assert anonymize(capture, FIELDS).capture.is_anonymized


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        ("https://api.eu1.affinda.com", "https://api.eu1.affinda.com"),
        ("https://affinda.com", "https://affinda.com"),
        ("https://affinda.com.acme.example", "https://host-1.example"),
        ("http://10.0.0.1:80", "http://host-1.example:80"),
    ],
)
def test_only_the_vendors_own_hosts_stay(base_url: str, expected: str) -> None:
    found = anonymous(capture_of(received(b"{}", f"{base_url}/v3/usage"), base_url=base_url))
    assert found.settings["base_url"] == expected
    assert found.exchanges[0].call.url == f"{expected}/v3/usage"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("group_id=481&name=x", "group_id=1001&name=name-1"),
        ("recursive=481&page=007&of=481", "recursive=481&page=007&of=1001"),
        ('{"group_id": 481, "q": "Jane"}', '{"group_id": 1001, "q": "text-1"}'),
        ("<a><Id>481</Id></a>", "<a><Id>1001</Id></a>"),
    ],
)
def test_bodies_of_requests_are_rewritten(body: str, expected: str) -> None:
    call = Call("POST", "https://api-app.xtracta.com/v1/billings/usage", body)
    found = anonymous(capture_of(Exchange(call, None), vendor="xtracta", groups=[481]))
    assert (found.exchanges[0].call.body, found.settings["groups"]) == (expected, [1001])


def test_headers_stay_only_where_they_cannot_identify() -> None:
    headers = (("content-type", "text/plain"), ("x-request-id", "acme-1"), ("retry-after", "3"))
    outcome = anonymous(capture_of(received(b"", USAGE, *headers))).exchanges[0].outcome
    assert outcome == Response(200, (headers[0], ("x-request-id", REMOVED), headers[2]), b"")


def test_a_failure_on_the_wire_does_not_name_the_host() -> None:
    failure = PollFailure(FailureReason.TLS, "certificate is not valid for 'gw.acme.example'")
    call = Call("GET", "https://gw.acme.example/v3/usage", "")
    capture = capture_of(Exchange(call, failure), base_url="https://gw.acme.example")
    assert anonymous(capture).exchanges[0].outcome == failure._replace(
        detail="certificate is not valid for 'host-1.example'"
    )


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["claims*"], ["name-2"]),
        (["*", "claims*"], ["*", "name-2"]),
        (["nothing"], ["no-name"]),
        ([], []),
    ],
)
def test_patterns_become_the_names_that_they_fit(patterns: list[str], expected: list[str]) -> None:
    names = b'[{"identifier": "w1", "name": "Archive"}, {"identifier": "w2", "name": "Claims EU"}]'
    discovery = {"include": patterns, "exclude": patterns, "interval": "6h"}
    found = anonymous(capture_of(received(names), discovery=discovery))
    assert found.settings["discovery"] == {
        "include": expected,
        "exclude": expected,
        "interval": "6h",
    }


FOLIO: Final = IdentifyingFields(frozenset({"tenant"}), frozenset(), frozenset(), ())


def test_a_host_that_a_plug_in_makes_of_a_setting_has_its_stand_in() -> None:
    call = Call("GET", "https://umbrella.folio.example/pages/umbrella", "")
    capture = capture_of(Exchange(call, None), vendor="folio", tenant="umbrella", shade=2.5)
    found = anonymize(capture, {"folio": FOLIO}).capture.targets[0]
    assert found.exchanges[0].call.url == "https://id-1.folio.example/pages/id-1"
    assert (found.settings["tenant"], found.settings["shade"]) == ("id-1", 2.5)


# Properties

LETTERS: Final = "ABCDEFGHJKMNPQRSTUVWXYZ"
IDENTIFIERS: Final = st.text(LETTERS, min_size=7, max_size=9).map(lambda text: f"i{text}9")
NAMES: Final = st.builds(
    "{}{}{}".format,
    st.text(LETTERS, min_size=6, max_size=8),
    st.text("\"'&<>/\\%+ \u00e9\u2013\t;#:", max_size=4),
    st.text(LETTERS, min_size=6, max_size=8),
)
NUMBERS: Final = st.integers(10_000_000, 99_999_999)


@st.composite
def vendors_and_values(draw: st.DrawFn) -> tuple[Accounts, set[str]]:
    """Accounts with such identifiers and names, all different."""
    identifiers = draw(st.lists(IDENTIFIERS, min_size=5, max_size=5, unique=True))
    names = draw(st.lists(NAMES, min_size=8, max_size=8, unique=True))
    numbers = draw(st.lists(NUMBERS, min_size=4, max_size=4, unique=True))
    plans = tuple(
        replace(PLAN, id=number, name=name)
        for number, name in zip(numbers[:2], names[:2], strict=True)
    )
    organization = Organization(
        *(identifiers[0], names[2], KEY, lambda day: day.day),
        tuple(
            Scope(identifier, name, lambda day: day.day % 3)
            for identifier, name in zip(identifiers[1:3], names[3:5], strict=True)
        ),
        (Scope(identifiers[3], names[5], lambda day: day.day % 4),),
    )
    branch = Group(numbers[3], names[7], plans=plans[1:])
    group = Group(numbers[2], names[6], KEY, plans[:1], subgroups=(branch,))
    accounts = replace(ACCOUNTS, organizations=(organization,), groups=(group,))
    return accounts, {*identifiers[:4], *names, *map(str, numbers)}


@examples(15)
@given(vendors_and_values(), st.sampled_from(["workspace=", "document_type=", "nothing"]))
def test_no_file_has_an_identifier_or_a_name_and_the_figures_are_the_same(
    known: tuple[Accounts, set[str]], failing: str
) -> None:
    accounts, identifying = known
    organization = accounts.organizations[0].identifier
    quoted = json.dumps({"errors": [{"detail": f"No {each}!"} for each in sorted(identifying)]})
    working = responses(Vendors(accounts))

    async def send(request: Request) -> Response:
        if failing in request.url:
            return Response(403, (("x-who", organization),), quoted.encode())
        return await working(request)

    targets = [
        affinda_settings(
            organization=organization,
            workspaces="all",
            document_types="all",
            allowance={"credits": 9000, "period": "year"},
        ),
        xtracta_settings(name="nz", groups="all"),
    ]
    probe = recorded(targets, send)
    capture = anonymize(probe.capture, FIELDS).capture
    with TemporaryDirectory() as folder:
        written = files(capture, Path(folder) / "capture")
    everything = "\n".join(f"{path}\n{content.decode()}" for path, content in written.items())
    # Letters and digits are in no encoding other than themselves.
    pieces = {piece for each in identifying for piece in re.findall(r"[A-Za-z0-9]{6,}", each)}
    assert [piece for piece in pieces if piece in everything] == []
    replay = [figures(outcome.result) for outcome in replayed(capture)]
    assert replay == [figures(outcome.result) for outcome in probe.outcomes]
