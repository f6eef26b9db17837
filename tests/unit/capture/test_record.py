"""Recording: what a capture holds, and that no credential is in any of its files."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, Literal

import pytest
from captures import NOW, files, recorded, replayed
from disguises import DISGUISES, reveals_key
from hypothesis import given
from hypothesis import strategies as st
from raw_http_server import head, peer
from vendor_calls import CLIENT, affinda_settings, run, xtracta_settings

from exporter.capture.format import Call
from exporter.capture.record import KEY, REMOVED
from exporter.client.client import Request, Response
from exporter.config.models import Model, Target
from exporter.config.types import InlineKey
from exporter.model import FailureReason, PollError, PollFailure, PollResult
from exporter.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from captures import Probe

    from exporter.client.client import RoundTripper
    from exporter.vendors.base import Poller, Transport

CANARY: Final = "xq071Zk7wVb94Jp+/T=uG"
COOKIE: Final = "s3ss-Qw81Lm20Xc"
PLAN: Final = """<?xml version="1.0"?>
<billings_response><status>200</status><message>{}</message><plan><id>7</id>
<plan_name>Yearly</plan_name><allowed_documents>10</allowed_documents>
<used_documents>4</used_documents><available_documents>6</available_documents>
<group_id>481</group_id></plan></billings_response>"""


def always(
    body: str | bytes, headers: tuple[tuple[str, str], ...] = (), status: int = 200
) -> RoundTripper:
    """The same response to every request."""

    async def send(_: Request) -> Response:
        return Response(status, headers, body if isinstance(body, bytes) else body.encode())

    return send


def fails(error: Exception) -> RoundTripper:
    async def send(_: Request) -> Response:
        raise error

    return send


def sender_of(request: Request) -> Poller:
    """A poller that sends this request."""

    async def poll(send: Transport, _now: float) -> PollResult:
        await send(request)
        return PollResult(())

    return poll


def everything(probe: Probe) -> str:
    """All bytes and all paths that a capture has on disk."""
    with TemporaryDirectory() as folder:
        written = files(probe.capture, Path(folder) / "capture")
    return "\n".join(f"{path}\n{content.decode('latin-1')}" for path, content in written.items())


def test_a_request_is_recorded_without_the_parameter_that_holds_the_key() -> None:
    probe = recorded([xtracta_settings(groups=(481,))], always(PLAN))
    (usage, groups) = probe.capture.targets[0].exchanges
    assert usage.call == Call(
        "POST", "https://api-app.xtracta.com/v1/billings/usage", "group_id=481"
    )
    assert groups.call == Call("POST", "https://api-app.xtracta.com/v1/group/list", "")


def test_a_parameter_with_the_key_is_left_out_of_a_query() -> None:
    request = Request("GET", f"https://api/x?a=1&token={CANARY}&b=2", body=b"\xff=1")
    calls = (
        recorded([plugin_target()], always("{}"), poller=sender_of(request))
        .capture.targets[0]
        .exchanges
    )
    assert calls[0].call == Call("GET", "https://api/x?a=1&b=2", "\ufffd=1")


def test_a_response_is_recorded_as_it_was_received() -> None:
    body = b'\xef\xbb\xbf{\r\n "new": 1.0\0}\xff'
    probe = recorded([affinda_settings()], always(body, (("x-a", "1"), ("x-a", "2")), 203))
    exchange = probe.capture.targets[0].exchanges[0]
    assert exchange.outcome == Response(203, (("x-a", "1"), ("x-a", "2")), body)


def test_a_failure_on_the_wire_is_recorded_as_that() -> None:
    error = PollError(FailureReason.DNS, "the vendor's host name cannot be resolved", 3.0)
    probe = recorded([affinda_settings()], fails(error))
    assert probe.capture.targets[0].exchanges[0].outcome == error.failure
    assert replayed(probe.capture)[0].result == probe.outcomes[0].result == error.failure


def test_an_unexpected_error_is_recorded_by_type_and_place_without_its_text() -> None:
    probe = recorded([affinda_settings()], fails(ValueError(CANARY)))
    outcome = probe.capture.targets[0].exchanges[0].outcome
    assert isinstance(outcome, PollFailure)
    assert outcome.reason == FailureReason.INTERNAL
    assert outcome.detail.startswith("unexpected ValueError (test_record.py:")
    assert replayed(probe.capture)[0].result == probe.outcomes[0].result


def test_the_settings_hold_neither_keys_nor_how_the_vendor_is_reached() -> None:
    settings = recorded([affinda_settings(workspaces=("w1",))], always("{}")).capture.targets[0]
    assert settings.settings == {
        "name": "acme",
        "vendor": "affinda",
        "poll": {"interval": "15m", "timeout": "20s", "stale_after": "45m"},
        "alerts": {"warning_ratio": 0.2, "critical_ratio": 0.05},
        "organization": "oRg1",
        "region": "api",
        "workspaces": ["w1"],
        "document_types": "none",
        "discovery": {"interval": "6h", "include": [], "exclude": [], "max_scopes": 100},
    }
    assert (settings.started, settings.ended) == (NOW, NOW + 1)


def test_a_missing_key_is_recorded_and_replayed(tmp_path: Path) -> None:
    target = affinda_settings(api_key=None, api_key_file=str(tmp_path / "none"))
    probe = recorded([target], always("{}"))
    assert probe.capture.targets[0].exchanges == ()
    assert probe.outcomes[0].result == PollFailure(
        FailureReason.SECRET, "the key file cannot be read: No such file or directory"
    )
    assert replayed(probe.capture)[0].result == probe.outcomes[0].result


@pytest.mark.parametrize("disguise", DISGUISES.values(), ids=DISGUISES)
@pytest.mark.parametrize("frame", ['{{"errors": [{{"detail": "bad {}"}}]}}', "{}", PLAN])
def test_a_key_that_a_response_repeats_is_in_no_file_and_is_treated_alike(
    frame: str, disguise: Callable[[str], str]
) -> None:
    text = frame.format(disguise(CANARY))
    for target in (affinda_settings(api_key=CANARY), xtracta_settings(api_key=CANARY)):
        for status in (200, 401):
            headers = (("x-echo", text.replace("\n", " ")), ("x-" + disguise(CANARY), "1"))
            probe = recorded([target], always(text, headers, status))
            assert not reveals_key(CANARY, everything(probe))
            assert replayed(probe.capture)[0].result == probe.outcomes[0].result


ESCAPES: Final[Mapping[str, Callable[[str], str]]] = {
    "JSON, every character": lambda key: "".join(f"\\u{ord(each):04x}" for each in key),
    "JSON, slashes": lambda key: key.replace("/", "\\/"),
    "XML, decimal": lambda key: "".join(f"&#{ord(each)};" for each in key),
    "XML, hexadecimal": lambda key: "".join(f"&#x{ord(each):x};" for each in key),
    "URL, every character": lambda key: "".join(f"%{ord(each):02X}" for each in key),
}


@pytest.mark.parametrize("escape", ESCAPES.values(), ids=ESCAPES)
def test_an_escaped_key_is_in_no_file(escape: Callable[[str], str]) -> None:
    text = f"&amp; &#9999999; \\n {escape(CANARY)}!"
    probe = recorded([affinda_settings(api_key=CANARY)], always(text, status=401))
    outcome = probe.capture.targets[0].exchanges[0].outcome
    assert isinstance(outcome, Response)
    assert outcome.body.decode() == f"&amp; &#9999999; \\n {KEY}!"


def test_what_a_replacement_puts_together_is_removed_too() -> None:
    key = f"{KEY[9:]}abcd1234"
    probe = recorded([affinda_settings(api_key=key)], always(f"{key}abcd1234", status=401))
    assert "abcd1234" not in everything(probe)


def test_a_key_of_one_target_is_not_in_the_responses_of_another() -> None:
    targets = [affinda_settings(name="a"), affinda_settings(name="b", api_key=CANARY)]
    assert not reveals_key(CANARY, everything(recorded(targets, always(f"who is {CANARY}?"))))


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("set-cookie", f"sid={COOKIE}; Path=/; HttpOnly", COOKIE),
        ("set-cookie", f'sid="{COOKIE}"', COOKIE),
        ("x-session-token", COOKIE, COOKIE),
        ("authorization", f"Basic {COOKIE}", f"Basic {COOKIE}"),
    ],
)
def test_a_credential_in_a_response_is_in_no_file(name: str, value: str, secret: str) -> None:
    for body in (secret, secret.upper(), base64.b64encode(secret.encode()).decode()):
        probe = recorded([affinda_settings()], always(f"you are {body}", ((name, value),)))
        assert not reveals_key(secret, everything(probe))
        outcome = probe.capture.targets[0].exchanges[0].outcome
        assert isinstance(outcome, Response)
        assert outcome.headers == ((name, REMOVED),)


def test_a_header_that_only_asks_for_a_credential_stays() -> None:
    headers = (("www-authenticate", 'Bearer realm="api"'), ("x-auth-state", "not signed in"))
    probe = recorded([affinda_settings()], always('"not signed in"', headers, 401))
    outcome = probe.capture.targets[0].exchanges[0].outcome
    assert isinstance(outcome, Response)
    assert outcome.headers == (headers[0], ("x-auth-state", REMOVED))
    assert outcome.body == b'"not signed in"'


def test_the_proxys_password_is_in_no_file() -> None:
    proxy = f"http://user:{CANARY.replace('/', '%2F')}@proxy.example:3128"
    probe = recorded([affinda_settings()], always(f"407 for user:{CANARY}", status=407), proxy)
    assert not reveals_key(CANARY, everything(probe))


KEYS: Final = st.from_regex(r"[A-Za-z0-9+/_-]{12,40}", fullmatch=True).filter(
    lambda key: len({*key}) > 8 and any(map(str.isdigit, key))
)


@given(
    key=KEYS,
    disguises=st.lists(st.sampled_from([*DISGUISES.values()]), min_size=1, max_size=3),
    between=st.text(max_size=20),
    place=st.sampled_from(["body", "header", "cookie", "detail"]),
    status=st.sampled_from([200, 401, 500]),
)
def test_no_file_reveals_a_key_whatever_a_response_repeats(
    key: str, disguises: list[Callable[[str], str]], between: str, place: str, status: int
) -> None:
    text = between.join(disguise(key) for disguise in disguises)
    header = text.encode("latin-1", "replace").decode("latin-1")
    send = {
        "body": always(text.encode(errors="replace"), (), status),
        "header": always("", (("x-info", header),), status),
        "cookie": always(text.encode(errors="replace"), (("set-cookie", f"a={key}"),), status),
        "detail": fails(PollError(FailureReason.CONNECT, text)),
    }[place]
    api_key = "an0ther-made-up-key" if place == "cookie" else key
    probe = recorded([affinda_settings(api_key=api_key)], send)
    assert not reveals_key(key, everything(probe))


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_a_key_split_by_chunks_and_gzip_is_in_no_file(size: int) -> None:
    content = json.dumps({"errors": [{"detail": f"bad {CANARY}"}]}).encode()
    sent = gzip.compress(content[:20]) + gzip.compress(content[20:])
    pieces = [sent[at : at + size] for at in range(0, len(sent), size)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    headers = (b"Transfer-Encoding: chunked", b"Content-Encoding: gzip")

    async def main() -> Response:
        async with peer(lambda _: [head(*headers, status=b"401 No") + chunks]) as there:
            target = affinda_settings()
            return await CLIENT.round_tripper(target.http)(Request("GET", there.url))

    response = run(main())
    probe = recorded(
        [affinda_settings(api_key=CANARY)], always(response.body, response.headers, 401)
    )
    assert "bad" in everything(probe)
    assert not reveals_key(CANARY, everything(probe))
    assert replayed(probe.capture)[0].result == PollFailure(
        FailureReason.AUTH, "HTTP status 401: <secret>"
    )


# Plug-ins


class Extra(Model):
    """A section of a plug-in's settings."""

    client_secret: InlineKey
    password: Secret


class PluginSettings(Target):
    """The settings of a plug-in that signs its requests with more than a key."""

    vendor: Literal["folio"]
    extra: Extra
    account: InlineKey


EXTRA: Final = {
    "client_secret": "cl1entS3cretValue",
    "password": Secret("pa55wordThatIsLong"),
}


def plugin_target() -> PluginSettings:
    return PluginSettings.model_validate(
        {
            "name": "acme",
            "vendor": "folio",
            "api_key": CANARY,
            "extra": EXTRA,
            "account": "acc0unt12",
        }
    )


def test_the_secrets_of_a_plugs_own_settings_are_in_no_file() -> None:
    quoted = "cl1entS3cretValue pa55wordThatIsLong acc0unt12"
    headers = {"X-Signature": "s1gn4tureOfAll", "Accept": "text/plain; charset=utf-8"}
    request = Request("GET", "https://api/x", headers)
    probe = recorded(
        [plugin_target()],
        always(f"{quoted} s1gn4tureOfAll text/plain"),
        poller=sender_of(request),
    )
    outcome = probe.capture.targets[0].exchanges[0].outcome
    assert isinstance(outcome, Response)
    assert outcome.body.decode() == f"{KEY} {KEY} {KEY} {REMOVED} text/plain"
    settings = probe.capture.targets[0].settings
    assert settings["account"] == KEY
    assert settings["extra"] == {"client_secret": KEY, "password": KEY}
