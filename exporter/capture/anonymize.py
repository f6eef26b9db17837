"""Replaces what identifies somebody in a capture by stand-ins; structure and figures stay."""

from __future__ import annotations

import json
import re
from enum import Enum, auto
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlencode, urlsplit
from xml.sax.saxutils import escape

from exporter.capture.documents import rewrite
from exporter.capture.format import Call, Capture, Exchange, TargetCapture
from exporter.capture.record import KEY, REMOVED
from exporter.client.client import Response

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
_COMMON_SETTINGS: Final = frozenset({"name", "vendor", "poll", "alerts"})
_NO_NAME: Final = "no-name"  # a pattern that fits no name


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
    found = _Found()
    for target in capture.targets:
        _rewrite_target(target, fields[target.vendor], found)
    stand_ins = _StandIns(found, fields.values())
    targets = tuple(
        _rewrite_target(target, fields[target.vendor], stand_ins) for target in capture.targets
    )
    return Anonymized(
        capture._replace(targets=targets, is_anonymized=True), tuple(sorted(stand_ins.sentences))
    )


class _Visitor(Protocol):
    """Sees each value of a capture, and gives the new one."""

    def value(self, kind: _Kind, value: str, /) -> str: ...
    def target(self, name: str, /) -> str: ...
    def base_url(self, url: str, domains: tuple[str, ...], /) -> str: ...
    def patterns(self, patterns: tuple[str, ...], /) -> tuple[str, ...]: ...


class _Found:
    """The visitor that collects all values, and changes none."""

    def __init__(self) -> None:
        self.values: dict[_Kind, set[str]] = {kind: set() for kind in _Kind}
        self.targets: list[str] = []
        self.base_urls: set[str] = set()

    def value(self, kind: _Kind, value: str, /) -> str:
        self.values[kind].add(value)
        return value

    def target(self, name: str, /) -> str:
        self.targets.append(name)
        return name

    def base_url(self, url: str, domains: tuple[str, ...], /) -> str:
        host = urlsplit(url).hostname or ""
        if not any(host == domain or host.endswith(f".{domain}") for domain in domains):
            self.base_urls.add(url)
        return url

    def patterns(self, patterns: tuple[str, ...], /) -> tuple[str, ...]:
        return patterns


class _StandIns:
    """The visitor that gives the stand-ins.

    Args:
        found: every value.
        fields: of all vendors.
    """

    def __init__(self, found: _Found, fields: Iterable[IdentifyingFields]) -> None:
        self.sentences: set[str] = set()
        self._numbers, self._identifiers = _identifiers(found.values[_Kind.IDENTIFIER])
        names = sorted(found.values[_Kind.NAME])
        self._names = _numbered("name", [name for name in names if name.strip()])
        unknown = sorted(found.values[_Kind.UNKNOWN])
        self._texts = _numbered("text", [text for text in unknown if not _FIGURE.fullmatch(text)])
        self._targets = _numbered("target", found.targets)
        self._base_urls = _base_urls(found.base_urls)
        hosts = {
            urlsplit(old).hostname or "": urlsplit(new).hostname or ""
            for old, new in self._base_urls.items()
        }
        known = {**self._names, **self._identifiers, **hosts}
        self._in_sentences = _Replacements(known, is_in_words=True)
        words = {word for each in fields for word in _words(each)}
        # What is a word may be a state or a unit.
        clear = {
            value: new
            for value, new in known.items()
            if value not in self._names or len(value.split()) > 1
        }
        self._in_plain = _Replacements(
            {value: new for value, new in clear.items() if value.lower() not in words},
            is_in_words=False,
        )
        self._number = re.compile(
            rf"(?<![0-9.,])({'|'.join(sorted(self._numbers)) or '(?!)'})(?![0-9]|[.,][0-9])"
        )

    def value(self, kind: _Kind, value: str, /) -> str:
        match kind:
            case _Kind.IDENTIFIER:
                return self._identifier(value)
            case _Kind.NAME:
                return KEY if KEY in value else self._names.get(value, value)
            case _Kind.UNKNOWN:
                return self._texts.get(value, value)
            case _Kind.PARAMETER:
                known = self._names.get(value) or self._identifier(value)
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

    def target(self, name: str, /) -> str:
        return self._targets[name]

    def base_url(self, url: str, _domains: tuple[str, ...], /) -> str:
        return self._base_urls.get(url, url)

    def patterns(self, patterns: tuple[str, ...], /) -> tuple[str, ...]:
        """The names that patterns fit, in their place: the stand-ins fit no pattern."""
        fitting = [
            new
            for name, new in self._names.items()
            if any(fnmatchcase(name.lower(), pattern.lower()) for pattern in patterns)
        ]
        every = [pattern for pattern in patterns if not pattern.strip("*")]
        return tuple(every or fitting or [_NO_NAME] * bool(patterns))


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


def _base_urls(urls: Iterable[str]) -> dict[str, str]:
    parts = {url: urlsplit(url) for url in sorted(urls)}
    hosts = _numbered("host", dict.fromkeys(each.hostname or "" for each in parts.values()))
    paths = _numbered("path", dict.fromkeys(each.path for each in parts.values() if each.path))
    return {
        url: f"{each.scheme}://{hosts[each.hostname or '']}.example"
        + (f":{each.port}" if each.port else "")
        + (f"/{paths[each.path]}" if each.path else "")
        for url, each in parts.items()
    }


def _words(fields: IdentifyingFields) -> set[str]:
    return {*fields.identifiers, *fields.names, *fields.messages, *fields.plain, *fields.keywords}


class _Replacements:
    """Replaces known values in a text, however they are quoted there.

    Args:
        known: stand-ins by value.
        is_in_words: whether long values are replaced inside of words, too.
    """

    def __init__(self, known: Mapping[str, str], *, is_in_words: bool) -> None:
        self._stand_ins: dict[str, str] = {}
        for value, new in known.items():
            if len(value) >= _MIN_LENGTH:
                self._stand_ins |= {form.lower(): new for form in _forms(value)}
        longest_first = sorted(self._stand_ins, key=lambda form: (-len(form), form))
        whole = [re.escape(form) for form in longest_first]
        alternatives = [rf"{_BEFORE}(?:{'|'.join(whole)}){_AFTER}"] if whole else ["(?!)"]
        if is_in_words:
            long = [re.escape(form) for form in longest_first if len(form) >= _MIN_LENGTH_IN_WORD]
            alternatives = [*long, *alternatives]
        self._pattern = re.compile("|".join(alternatives), re.IGNORECASE)

    def __call__(self, text: str) -> str:
        return self._pattern.sub(lambda each: self._stand_ins.get(each[0].lower(), each[0]), text)


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


def _rewrite_target(
    target: TargetCapture, fields: IdentifyingFields, visitor: _Visitor
) -> TargetCapture:
    settings = {
        name: _rewrite_setting(name, value, fields, visitor)
        for name, value in target.settings.items()
        if name not in _COMMON_SETTINGS
    }
    bases = str(target.settings.get("base_url") or ""), str(settings.get("base_url") or "")
    rewriting = _Rewriting(fields, visitor, *bases)
    return target._replace(
        settings={**target.settings, **settings, "name": visitor.target(target.name)},
        exchanges=tuple(
            Exchange(rewriting.call(call), outcome and rewriting.outcome(outcome))
            for call, outcome in target.exchanges
        ),
    )


def _rewrite_setting(name: str, value: Any, fields: IdentifyingFields, visitor: _Visitor) -> Any:  # noqa: ANN401  of any shape
    if isinstance(value, dict):
        return {key: _rewrite_setting(key, item, fields, visitor) for key, item in value.items()}
    if name == "base_url":
        return visitor.base_url(value, fields.domains)
    if name in {"include", "exclude"} and isinstance(value, tuple):
        return visitor.patterns(value)
    if isinstance(value, tuple):
        return tuple(_rewrite_setting(name, item, fields, visitor) for item in value)
    kind = _kind(name, fields)
    if kind not in {_Kind.IDENTIFIER, _Kind.NAME} or type(value) not in {int, str}:
        return value
    return value if value in fields.keywords else type(value)(visitor.value(kind, str(value)))


@lru_cache(maxsize=1024)
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
    """Rewrites the exchanges of a target.

    Args:
        fields: the vendor's.
        visitor: gives the new values.
        base, new_base: the URL of the API where it is configured, and the new one.
    """

    fields: IdentifyingFields
    visitor: _Visitor
    base: str
    new_base: str

    def call(self, call: Call) -> Call:
        head, _, query = call.url.partition("?")
        is_based = bool(self.base) and head.startswith(self.base)
        path = head.removeprefix(self.base) if is_based else head
        segments = "/".join(map(self._segment, path.split("/")))
        url = (self.new_base if is_based else "") + segments
        body = (
            self._body(call.body.encode()).decode()
            if call.body.lstrip()[:1] in {"{", "[", "<"}
            else self._parameters(call.body)
        )
        return Call(call.method, f"{url}?{self._parameters(query)}" if query else url, body)

    def _segment(self, raw: str) -> str:
        value = unquote(raw)
        new = self.visitor.value(_Kind.PARAMETER, value)
        return raw if new == value else quote(new, safe=":")

    def _parameters(self, text: str) -> str:
        pairs = parse_qsl(text, keep_blank_values=True)
        return urlencode([(name, self._parameter(name, value)) for name, value in pairs])

    def _parameter(self, name: str, value: str) -> str:
        kind = _kind(name, self.fields)
        is_declared = name.lower() in self.fields.identifiers | self.fields.names
        is_known = is_declared or kind == _Kind.PLAIN
        return self.visitor.value(kind if is_known else _Kind.PARAMETER, value)

    def outcome(self, outcome: Response | PollFailure) -> Response | PollFailure:
        if not isinstance(outcome, Response):
            return outcome._replace(detail=self.visitor.value(_Kind.PLAIN, outcome.detail))
        headers = tuple(
            (name, value if name in _HEADERS else REMOVED) for name, value in outcome.headers
        )
        return Response(outcome.status, headers, self._body(outcome.body))

    def _body(self, body: bytes) -> bytes:
        return rewrite(
            body, lambda field, value: self.visitor.value(_kind(field, self.fields), value)
        )
