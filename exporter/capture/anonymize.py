"""Replaces what identifies somebody in a capture by stand-ins; structure and figures stay."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from enum import Enum, auto
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlencode, urlsplit
from xml.sax.saxutils import escape

from exporter.capture.documents import rewrite
from exporter.capture.format import Call, Capture, Exchange, TargetCapture
from exporter.capture.record import KEY, REMOVED
from exporter.client.client import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from exporter.model import PollFailure
    from exporter.vendors.base import IdentifyingFields

_NUMBER: Final = re.compile(r"0*([1-9][0-9]*)(\.0+)?")
_NOT_IDENTIFYING: Final = re.compile(r"\s*|0+")
_FIGURE: Final = re.compile(
    r"[-+]?[0-9][0-9,. ]*%?|[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.,()A-Za-z+ -]*)?|true|false|null|",
)
_IDENTIFYING_FIELD: Final = re.compile(
    r"(^|.*[_-])(id|uuid|guid)|.*[a-z](Id|ID)|.*(identifier|phone|mail|account|number|reference).*"
)
_VALID_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9_-]*")
_MAX_IDENTIFIER: Final = 64
_MAX_DIGITS: Final = 15
_MIN_LENGTH: Final = 3  # of a value that is recognized in a sentence
_MIN_LENGTH_IN_WORD: Final = 6  # of a value that is recognized inside of a word
_EMAIL: Final = re.compile(r"[A-Za-z0-9._+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_ADDRESS: Final = re.compile(r"(?<![0-9.])[0-9]{1,3}(\.[0-9]{1,3}){3}(?![0-9.])")
# Behind a letter or digit that is the end of an escape, a value begins.
_BEFORE: Final = r"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{2})|(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{4}))"
_AFTER: Final = r"(?![A-Za-z0-9])"
_HEADERS: Final = frozenset(
    {"cache-control", "connection", "content-encoding", "content-length", "content-type", "date"}
    | {"retry-after", "server", "transfer-encoding", "vary"}
)


class _Kind(Enum):
    """What the value of a field is."""

    IDENTIFIER = auto()
    NAME = auto()
    SENTENCE = auto()
    PLAIN = auto()
    PARAMETER = auto()
    UNKNOWN = auto()


class Anonymized(NamedTuple):
    """An anonymous capture.

    Args:
        capture: with stand-ins.
        texts: sentences of the vendors that are still in it, to look at before it is shared.
    """

    capture: Capture
    texts: tuple[str, ...]


def anonymize(capture: Capture, fields: Mapping[str, IdentifyingFields]) -> Anonymized:
    """A capture with a stand-in for each identifier, name, host and unknown text.

    The same value has the same stand-in everywhere. Stand-ins of identifiers are in the order of
    the identifiers, in which scopes are polled. A replay gives the same figures.

    Args:
        capture: without secrets.
        fields: by vendor.
    """
    found: defaultdict[_Kind, set[str]] = defaultdict(set)

    def collect(kind: _Kind, value: str) -> str:
        found[kind].add(value)
        return value

    for target in capture.targets:
        _Rewriting(fields[target.vendor], collect).target(target)
    base_urls = _base_urls(capture.targets, fields)
    stand_ins = _StandIns(found, base_urls, fields.values())
    names = _numbered("target", [target.name for target in capture.targets])
    targets = tuple(
        _Rewriting(fields[target.vendor], stand_ins, stand_ins.names, base_urls).target(
            target._replace(settings={**target.settings, "name": names[target.name]})
        )
        for target in capture.targets
    )
    return Anonymized(
        capture._replace(targets=targets, is_anonymized=True), tuple(sorted(stand_ins.sentences))
    )


def _base_urls(
    targets: Iterable[TargetCapture], fields: Mapping[str, IdentifyingFields]
) -> dict[str, str]:
    """Stand-ins of the configured URLs, except the vendors' own."""
    parts = {}
    for target in targets:
        url = target.settings.get("base_url", "")
        host = urlsplit(url).hostname or ""
        domains = fields[target.vendor].domains
        if url and not any(f".{host}".endswith(f".{domain}") for domain in domains):
            parts[url] = urlsplit(url)
    hosts = _numbered("host", sorted({each.hostname or "" for each in parts.values()}))
    paths = _numbered("path", sorted({each.path for each in parts.values() if each.path}))
    return {
        url: f"{each.scheme}://{hosts[each.hostname or '']}.example"
        + (f":{each.port}" if each.port else "")
        + (f"/{paths[each.path]}" if each.path else "")
        for url, each in parts.items()
    }


class _StandIns:
    """Gives the stand-in of each value, or the value itself.

    Args:
        found: every value.
        base_urls: stand-ins of URLs.
        fields: of all vendors.

    Attributes:
        names: stand-ins of names.
        sentences: all that were asked for, with stand-ins.
    """

    def __init__(
        self,
        found: Mapping[_Kind, set[str]],
        base_urls: Mapping[str, str],
        fields: Iterable[IdentifyingFields],
    ) -> None:
        self.sentences: set[str] = set()
        self._numbers, self._identifiers = _identifiers(found[_Kind.IDENTIFIER])
        self.names = _numbered("name", sorted(filter(str.strip, found[_Kind.NAME])))
        unknown = (text for text in found[_Kind.UNKNOWN] if not _FIGURE.fullmatch(text))
        self._texts = _numbered("text", sorted(unknown))
        hosts = {
            urlsplit(old).hostname or "": urlsplit(new).hostname or ""
            for old, new in base_urls.items()
        }
        known = {**self.names, **self._identifiers, **hosts}
        self._in_sentences = _replacer(known, is_in_words=True)
        words = set[str]()
        for each in fields:
            words.update(each.identifiers, each.names, each.messages, each.plain, each.keywords)
        # What is a word may be a state or a unit.
        clear = {
            value: new
            for value, new in known.items()
            if value.lower() not in words and (value not in self.names or len(value.split()) > 1)
        }
        self._in_plain = _replacer(clear, is_in_words=False)
        self._number = re.compile(
            rf"(?<![0-9.,])({'|'.join(sorted(self._numbers)) or '(?!)'})(?![0-9]|[.,][0-9])"
        )

    def __call__(self, kind: _Kind, value: str) -> str:
        match kind:
            case _Kind.IDENTIFIER:
                return self._identifier(value)
            case _Kind.NAME:
                return KEY if KEY in value else self.names.get(value, value)
            case _Kind.UNKNOWN:
                return self._texts.get(value, value)
            case _Kind.PARAMETER:
                known = self.names.get(value) or self._identifier(value)
                return self._in_plain(value) if known == value else known
            case _Kind.PLAIN:
                return value if _FIGURE.fullmatch(value) else self._in_plain(value)
        sentence = self._number.sub(lambda each: self._numbers[each[0]], self._in_sentences(value))
        sentence = _EMAIL.sub("somebody@host.example", _ADDRESS.sub("192.0.2.1", sentence))
        self.sentences.add(sentence)
        return sentence

    def _identifier(self, value: str) -> str:
        if KEY in value:
            return KEY
        number = _NUMBER.fullmatch(value)
        if number and number[1] in self._numbers:
            return self._numbers[number[1]] + (number[2] or "")
        return self._identifiers.get(value, value)


def _identifiers(values: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """The stand-ins of numbers and of other identifiers, each in the order of the values."""
    matches = {value: _NUMBER.fullmatch(value) for value in values}
    digits = sorted({match[1] for match in matches.values() if match})
    first = 10 ** max(3, len(str(len(digits))))
    numbers = {
        # What has too many digits for the vendor's reader still has.
        number: f"{first + place}" + "0" * (len(number) > _MAX_DIGITS) * len(number)
        for place, number in enumerate(digits, 1)
    }
    texts = sorted(
        value
        for value, match in matches.items()
        if not match and not _NOT_IDENTIFYING.fullmatch(value)
    )
    identifiers = {}
    for value, new in _numbered("id", texts).items():
        # What is no valid identifier stays invalid.
        padded = new.ljust(len(value), "x") if len(value) > _MAX_IDENTIFIER else new
        identifiers[value] = padded + "." * (not _VALID_IDENTIFIER.fullmatch(value))
    return numbers, identifiers


def _numbered(word: str, values: Iterable[str]) -> dict[str, str]:
    ordered = list(values)
    digits = len(str(len(ordered)))
    return {value: f"{word}-{number:0{digits}}" for number, value in enumerate(ordered, 1)}


def _replacer(known: Mapping[str, str], *, is_in_words: bool) -> Callable[[str], str]:
    """Replaces known values in a text, however they are quoted there.

    Args:
        known: stand-ins by value.
        is_in_words: whether long values are replaced inside of words, too.
    """
    stand_ins: dict[str, str] = {}
    for value, new in known.items():
        if len(value) >= _MIN_LENGTH:
            stand_ins |= {form.lower(): new for form in _forms(value)}
    longest_first = sorted(stand_ins, key=lambda form: (-len(form), form))
    whole = "|".join(map(re.escape, longest_first)) or "(?!)"
    alternatives = [rf"{_BEFORE}(?:{whole}){_AFTER}"]
    if is_in_words:
        long = [re.escape(form) for form in longest_first if len(form) >= _MIN_LENGTH_IN_WORD]
        alternatives = [*long, *alternatives]
    pattern = re.compile("|".join(alternatives), re.IGNORECASE)
    return lambda text: pattern.sub(lambda each: stand_ins.get(each[0].lower(), each[0]), text)


def _forms(value: str) -> set[str]:
    """A value as it is, and as it is written in URLs, JSON and XML."""
    return {
        value,
        quote(value),
        quote(value, safe=""),
        quote_plus(value),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        escape(value),
        escape(value, {'"': "&quot;", "'": "&apos;"}),
        escape(value, {'"': "&#34;", "'": "&#39;"}).encode("ascii", "xmlcharrefreplace").decode(),
    }


def _kind(field: str | None, fields: IdentifyingFields) -> _Kind:
    """The kind of a field; outside of all fields are sentences, and the empty name is plain."""
    if field is None:
        return _Kind.SENTENCE
    name = field.lower()
    if name in fields.identifiers:
        return _Kind.IDENTIFIER
    if name in fields.names:
        return _Kind.NAME
    if name in fields.messages:
        return _Kind.SENTENCE
    if not name or any(fnmatchcase(name, pattern) for pattern in fields.plain):
        return _Kind.PLAIN
    return _Kind.IDENTIFIER if _IDENTIFYING_FIELD.fullmatch(field) else _Kind.UNKNOWN


class _Rewriting(NamedTuple):
    """Rewrites a target and its exchanges.

    Args:
        fields: the vendor's.
        replace: gives the new value of each value.
        names: stand-ins of names.
        base_urls: stand-ins of URLs.
    """

    fields: IdentifyingFields
    replace: Callable[[_Kind, str], str]
    names: Mapping[str, str] = {}
    base_urls: Mapping[str, str] = {}

    def target(self, target: TargetCapture) -> TargetCapture:
        settings = {
            name: value if name == "name" else self._setting(name, value)
            for name, value in target.settings.items()
        }
        base = target.settings.get("base_url", "")
        exchanges = (
            Exchange(self._call(call, base), outcome and self._outcome(outcome))
            for call, outcome in target.exchanges
        )
        return target._replace(settings=settings, exchanges=tuple(exchanges))

    def _setting(self, name: str, value: Any) -> Any:  # noqa: ANN401  of any shape
        if isinstance(value, dict):
            return {key: self._setting(key, item) for key, item in value.items()}
        if name == "base_url":
            return self.base_urls.get(value, value)
        if name in {"include", "exclude"} and isinstance(value, list):
            return [new for pattern in value for new in self._fitting(pattern)]
        if isinstance(value, list):
            return [self._setting(name, item) for item in value]
        kind = _kind(name, self.fields)
        if kind not in {_Kind.IDENTIFIER, _Kind.NAME} or type(value) not in {int, str}:
            return value
        is_keyword = value in self.fields.keywords
        return value if is_keyword else type(value)(self.replace(kind, str(value)))

    def _fitting(self, pattern: str) -> list[str]:
        """The names that a pattern fits, in its place: the stand-ins fit no pattern."""
        if not pattern.strip("*"):
            return [pattern]
        fitting = (
            new for name, new in self.names.items() if fnmatchcase(name.lower(), pattern.lower())
        )
        return [*fitting] or ["no-name"]

    def _call(self, call: Call, base: str) -> Call:
        head, _, query = call.url.partition("?")
        is_based = bool(base) and head.startswith(base)
        path = head.removeprefix(base) if is_based else head
        segments = "/".join(map(self._segment, path.split("/")))
        url = (self.base_urls.get(base, base) if is_based else "") + segments
        body = (
            self._body(call.body.encode()).decode()
            if call.body.lstrip()[:1] in {"{", "[", "<"}
            else self._parameters(call.body)
        )
        return Call(call.method, f"{url}?{self._parameters(query)}" if query else url, body)

    def _segment(self, raw: str) -> str:
        value = unquote(raw)
        new = self.replace(_Kind.PARAMETER, value)
        return raw if new == value else quote(new, safe=":")

    def _parameters(self, text: str) -> str:
        pairs = parse_qsl(text, keep_blank_values=True)
        return urlencode([(name, self._parameter(name, value)) for name, value in pairs])

    def _parameter(self, name: str, value: str) -> str:
        kind = _kind(name, self.fields)
        is_declared = name.lower() in self.fields.identifiers | self.fields.names
        is_known = is_declared or kind == _Kind.PLAIN
        return self.replace(kind if is_known else _Kind.PARAMETER, value)

    def _outcome(self, outcome: Response | PollFailure) -> Response | PollFailure:
        if not isinstance(outcome, Response):
            return outcome._replace(detail=self.replace(_Kind.PLAIN, outcome.detail))
        headers = tuple(
            (name, value if name in _HEADERS else REMOVED) for name, value in outcome.headers
        )
        return Response(outcome.status, headers, self._body(outcome.body))

    def _body(self, body: bytes) -> bytes:
        return rewrite(body, lambda field, value: self.replace(_kind(field, self.fields), value))
