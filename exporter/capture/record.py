"""Records the requests of a poll and what came of them, without keys."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel

from exporter.capture.format import Call, Capture, Exchange, TargetCapture
from exporter.client.client import Response
from exporter.config.models import KEY_FIELDS
from exporter.logging import describe_exception
from exporter.model import FailureReason, PollError, PollFailure
from exporter.secrets import REDACTED, MissingKey, Secret, SecretFinder, StaticKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from exporter.client.client import Request
    from exporter.config.models import Target
    from exporter.model import PollOutcome, PollResult
    from exporter.polling.poll import PollTarget
    from exporter.secrets import KeySource
    from exporter.vendors.base import Transport

KEY: Final = "qz0-KEY-qz0-KEY-qz0"
"""Stands for every key: a replay polls with it, so that quoting it has the same effect."""
REMOVED: Final = "REMOVED"
"""Stands for cookies and other credentials."""
_MIN_LENGTH: Final = 8  # shorter values of cookies and passwords are found in many texts
_CREDENTIAL: Final = re.compile(
    r"auth|cookie|(?<!cache-)key|passw|secret|session|signature|token|credential", re.IGNORECASE
)
_ESCAPE: Final = re.compile(
    r"\\u([0-9a-fA-F]{4})|%([0-9a-fA-F]{2})|\\(.)"
    r"|&(?:#[xX][0-9a-fA-F]{1,6}|#[0-9]{1,7}|amp|lt|gt|quot|apos);"
)


class ProbedTarget(Protocol):
    """A target, and where the responses to its requests come from."""

    target: Target

    async def round_trip(self, request: Request, /) -> Response:
        """The response; see `RoundTripper`."""

    def now(self) -> float:
        """The time, Unix seconds."""

    async def poll(self, poll_target: PollTarget) -> PollOutcome:
        """Poll once.

        Args:
            poll_target: this target, with a transport over `round_trip`.
        """


class Recorder:
    """Records one poll of a target, in memory.

    Args:
        probed: its key is read now, once: what is sent is what is removed.
        proxy: the URL of its proxy, if it has one.

    Attributes:
        captured: after the poll: what was recorded, with all that the responses quote.
        keys, credentials: what must be removed from it.
    """

    captured: TargetCapture

    def __init__(self, probed: ProbedTarget, proxy: str | None) -> None:
        self.target, self._key_error = _with_fixed_key(probed.target)
        self.keys = {*_keys(self.target)}
        self.credentials = {*_passwords(proxy)}
        self.now = probed.now
        self._probed = probed
        self._finder = SecretFinder(self.keys)
        self._exchanges: list[Exchange] = []

    async def round_trip(self, request: Request, /) -> Response:
        """The response; see `RoundTripper`."""
        number, call = len(self._exchanges), call_without_keys(request, self._finder)
        self._exchanges.append(Exchange(call, None))
        self.credentials |= {*_sent_credentials(request)}
        try:
            response = await self._probed.round_trip(request)
        except PollError as error:
            self._exchanges[number] = Exchange(call, error.failure)
            raise
        except Exception as error:
            detail = f"unexpected {describe_exception(error)}"
            self._exchanges[number] = Exchange(call, PollFailure(FailureReason.INTERNAL, detail))
            raise
        self._exchanges[number] = Exchange(call, response)
        self.credentials |= {*_received_credentials(response)}
        return response

    async def poll(self, poll_target: PollTarget) -> PollOutcome:
        """Poll once; see `ProbedTarget`."""
        started = 0.0

        async def poller(send: Transport, now: float, /) -> PollResult:
            nonlocal started
            started = now
            return await poll_target.poller(send, now)

        outcome = await self._probed.poll(poll_target._replace(poller=poller))
        self.captured = TargetCapture(
            self.target.model_dump(
                mode="json", exclude={*KEY_FIELDS, "http"}, exclude_none=True, fallback=str
            ),
            self._key_error,
            started,
            outcome.at,
            outcome.duration,
            tuple(self._exchanges),
        )
        return outcome


def _with_fixed_key(target: Target) -> tuple[Target, str | None]:
    """The target with its key as it is now, and why it has none, if it has none."""
    try:
        return _with_key(target, api_key=StaticKey(target.key.read())), None
    except PollError as error:
        return without_key(target, error.detail), error.detail


def without_key(target: Target, detail: str) -> Target:
    """A target whose key cannot be used, and why."""
    return _with_key(target, api_key_env=MissingKey("", detail))


def _with_key(target: Target, **key: KeySource) -> Target:
    return target.model_copy(update=dict.fromkeys(KEY_FIELDS) | key)


def _keys(settings: BaseModel) -> Iterator[Secret]:
    """The secrets among the settings of a target, also those that a plug-in adds."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, StaticKey):
            yield value.secret
        elif isinstance(value, Secret):
            yield value
        elif isinstance(value, BaseModel) and name != "http":
            yield from _keys(value)


def _passwords(proxy: str | None) -> Iterator[Secret]:
    userinfo = unquote(urlsplit(proxy or "").netloc.rpartition("@")[0])
    yield from _secrets([userinfo, userinfo.partition(":")[2]])


def _secrets(texts: Iterable[str]) -> Iterator[Secret]:
    return (Secret(text) for text in texts if len(text) >= _MIN_LENGTH)


def _sent_credentials(request: Request) -> Iterator[Secret]:
    for name, value in request.headers.items():
        if _is_credential(name.lower()):
            yield from _secrets([value.partition(" ")[2] or value])


def _received_credentials(response: Response) -> Iterator[Secret]:
    for name, value in response.headers:
        if "cookie" in name:
            yield from _secrets([value.partition("=")[2].partition(";")[0].strip(' "')])
        elif _is_credential(name) and not value.islower():  # a word is no credential
            yield from _secrets([value])


def _is_credential(header: str) -> bool:
    """Whether a header holds a credential; `WWW-Authenticate` only asks for one."""
    return bool(_CREDENTIAL.search(header)) and "authenticate" not in header


def call_without_keys(request: Request, keys: SecretFinder) -> Call:
    """The request without the parameters of its query and form that hold a key."""
    url, mark, query = request.url.partition("?")
    query = _without_keys(query, keys)
    body = _without_keys((request.body or b"").decode(errors="replace"), keys)
    return Call(request.method, url + mark * bool(query) + query, body)


def _without_keys(parameters: str, keys: SecretFinder) -> str:
    return "&".join(each for each in parameters.split("&") if not _spans(each, keys))


def without_secrets(capture: Capture, recorders: Sequence[Recorder]) -> Capture:
    """The capture without keys and credentials, whatever its responses repeat.

    Args:
        capture: of one probe.
        recorders: of all its targets.
    """
    # In a capture of a replay, the stand-in is the key.
    keys = {key for recorder in recorders for key in recorder.keys} - {Secret(KEY)}
    credentials = {each for recorder in recorders for each in recorder.credentials}
    credentials -= {*keys, Secret(KEY), Secret(REMOVED)}
    cleaner = _Cleaner(SecretFinder(keys), SecretFinder(credentials))
    return capture._replace(targets=tuple(map(cleaner.target, capture.targets)))


class _Cleaner(NamedTuple):
    """Removes secrets from captures.

    Args:
        keys: ours, which may be anywhere.
        credentials: the vendors', which are in responses only.
    """

    keys: SecretFinder
    credentials: SecretFinder

    def target(self, target: TargetCapture) -> TargetCapture:
        exchanges = (
            Exchange(Call(*map(self.text, call)), outcome and self.outcome(outcome))
            for call, outcome in target.exchanges
        )
        return target._replace(settings=self.plain(target.settings), exchanges=tuple(exchanges))

    def plain(self, value: Any) -> Any:  # noqa: ANN401  of any shape
        if isinstance(value, dict):
            return {name: self.plain(item) for name, item in value.items()}
        if isinstance(value, list):
            return list(map(self.plain, value))
        if isinstance(value, str):
            return KEY if value == REDACTED else self.text(value)
        return value

    def outcome(self, outcome: Response | PollFailure) -> Response | PollFailure:
        if isinstance(outcome, PollFailure):
            return outcome._replace(detail=self.received(outcome.detail))
        headers = tuple(
            (self.received(name), REMOVED if _is_credential(name) else self.received(value))
            for name, value in outcome.headers
        )
        body = self.received(outcome.body.decode("latin-1")).encode("latin-1")
        return Response(outcome.status, headers, body)

    def received(self, text: str) -> str:
        return _replace(self.text(text), self.credentials, REMOVED)

    def text(self, text: str) -> str:
        return _replace(text, self.keys, KEY)


def _replace(text: str, secrets: SecretFinder, stand_in: str) -> str:
    """`text` with a stand-in for all parts of secrets, also where they are escaped."""
    pieces, at = list[str](), 0
    for begin, end in _spans(text, secrets):
        if begin >= at:
            pieces += (text[at:begin], stand_in)
        at = max(at, end)
    replaced = "".join((*pieces, text[at:]))
    # The replacement may have put a secret together.
    return stand_in if pieces and _spans(replaced, secrets) else replaced


def _spans(text: str, secrets: SecretFinder) -> list[tuple[int, int]]:
    """In order; found in the text as it is and in the text without its escapes."""
    spans = [*secrets.spans(text)]
    if "\\" in text or "&" in text or "%" in text:
        characters, places = _unescaped(text)
        found = secrets.spans("".join(characters))
        spans += ((places[begin], places[end]) for begin, end in found)
    return sorted(spans)


def _unescaped(text: str) -> tuple[list[str], list[int]]:
    """The characters without the escapes of JSON, XML and URLs; the place of each, and the end."""
    characters, places, at = list[str](), list[int](), 0
    for match in _ESCAPE.finditer(text):
        characters += text[at : match.start()]
        places += range(at, match.start())
        characters.append(_character(match))
        places.append(match.start())
        at = match.end()
    return [*characters, *text[at:]], [*places, *range(at, len(text) + 1)]


def _character(match: re.Match[str]) -> str:
    json_hex, url_hex, json_escape = match.groups()
    if json_hex or url_hex:
        return chr(int(json_hex or url_hex, 16))
    return json_escape or html.unescape(match[0]) or "\ufffd"
