"""API keys: where they come from, and a type that logs, errors, pages and reprs cannot show."""

from __future__ import annotations

import base64
import re
import stat
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import quote

from exporter.files import fingerprint, open_nonblocking
from exporter.model import FailureReason, PollError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

REDACTED: Final = "<secret>"
_MAX_BYTES: Final = 4096
_MIN_LEAK_LENGTH: Final = 8  # this many consecutive characters of a key are never shown
_KEY: Final = re.compile(r"[\x21-\x7e]+")
_ALPHANUMERIC: Final = re.compile(r"[a-z0-9]")
_NOT_ALPHANUMERIC: Final = re.compile(r"[^a-z0-9]+")
_MISTAKES: Final = (
    (r"[\"'].*|.*[\"']", "has quotes around the key; remove them"),
    (r"\$[({A-Za-z_].*|\{\{.*|%[A-Za-z_]+%", "has a variable that was not expanded, not a key"),
    (r"[A-Za-z_][A-Za-z0-9_]*=[^=].*", "has NAME=value; only the key is expected"),
    (r"<.*>", "has a placeholder, not a key"),
)


class Secret:
    """A key that only `reveal()` shows."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The key itself, for the request that needs it."""
        return self._value

    def redact(self, text: str) -> str:
        """`text`, or a placeholder if it contains a part of the key in any common encoding."""
        return REDACTED if any(_spans(text, _fragments(self._value))) else text

    def __repr__(self) -> str:
        return REDACTED

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)


def _alphanumeric(text: str) -> str:
    """Letters and digits alone, which finds a key with separators put in."""
    return _NOT_ALPHANUMERIC.sub("", text.lower())


class SecretFinder:
    """Finds parts of any of several secrets, in one pass over a text.

    Args:
        secrets: the secrets.
    """

    def __init__(self, secrets: Iterable[Secret]) -> None:
        self._fragments: dict[int, set[str]] = {}
        for secret in secrets:
            for length, fragments in _fragments(secret.reveal()).items():
                self._fragments.setdefault(length, set()).update(fragments)

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Begin and end of each part in `text`, in any common encoding; they may overlap."""
        return _spans(text, self._fragments)


def _spans(text: str, fragments: Mapping[int, set[str]]) -> Iterator[tuple[int, int]]:
    lower = text.lower()
    if len(lower) != len(text):  # of some characters the lower case is two
        lower = "".join(character.lower()[0] for character in text)
    yield from _matches(lower, fragments)
    places: list[int] = []
    for begin, end in _matches(_NOT_ALPHANUMERIC.sub("", lower), fragments):
        places = places or [match.start() for match in _ALPHANUMERIC.finditer(lower)]
        yield places[begin], places[end - 1] + 1


def _matches(form: str, fragments: Mapping[int, set[str]]) -> Iterator[tuple[int, int]]:
    for length, of_length in fragments.items():
        for at in range(len(form) - length + 1):
            if form[at : at + length] in of_length:
                yield at, at + length


@lru_cache(maxsize=4)  # those of every key would be 8 KB a target; a list needs those of one
def _fragments(key: str) -> Mapping[int, set[str]]:
    """The fragments that identify a key, by length."""
    if len(key) < _MIN_LEAK_LENGTH:  # its encodings would be found in many texts
        whole = _alphanumeric(key) or key
        return {len(whole): {whole}}
    raw = key.encode()
    # Base64 of a key inside a longer text starts at one of three phases.
    phases = [base64.b64encode(b"\0" * pad + raw).decode()[2 * pad :] for pad in range(3)]
    fragments: dict[int, set[str]] = {}
    for form in (key, key[::-1], quote(key, safe=""), raw.hex(), *phases):
        for text in filter(None, (form.lower(), _alphanumeric(form))):
            for at in range(max(1, len(text) - _MIN_LEAK_LENGTH + 1)):
                fragment = text[at : at + _MIN_LEAK_LENGTH]
                fragments.setdefault(len(fragment), set()).add(fragment)
    return fragments


class KeySource(Protocol):
    """The source of a target's key; `str()` is what a configuration shows of it."""

    __slots__ = ()

    def read(self) -> Secret:
        """The current key.

        Raises:
            PollError: secret, if there is no usable key.
        """
        ...

    def fingerprint(self) -> object:
        """A value that changes when the key may have changed; costs at most a stat."""
        return None


@dataclass(frozen=True, slots=True)
class StaticKey(KeySource):
    """A key from the configuration, or from the environment variable `variable`."""

    secret: Secret
    variable: str | None = None

    def __str__(self) -> str:
        return self.variable or REDACTED

    def read(self) -> Secret:
        """The key."""
        return self.secret


@dataclass(frozen=True, slots=True)
class MissingKey(KeySource):
    """An environment variable without a usable key, and the reason."""

    variable: str
    detail: str

    def __str__(self) -> str:
        return self.variable

    def read(self) -> Secret:
        """Fails."""
        raise PollError(FailureReason.SECRET, self.detail)


@dataclass(frozen=True, slots=True)
class KeyFile(KeySource):
    """A key in a file that is read for each poll, so that a rotated key needs no restart."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def read(self) -> Secret:
        """The file's one line."""
        try:
            with open(self.path, "rb", opener=open_nonblocking) as file:
                raw = file.read(_MAX_BYTES + 1)
        except OSError as error:
            raise PollError(
                FailureReason.SECRET, f"the key file cannot be read: {error.strerror}"
            ) from None
        if len(raw) > _MAX_BYTES:
            raise PollError(FailureReason.SECRET, f"the key file is longer than {_MAX_BYTES} bytes")
        return validate_key(raw.decode("latin-1"), "the key file")

    def fingerprint(self) -> object:
        """The fingerprint of the file."""
        return fingerprint(self.path)

    def is_world_readable(self) -> bool:
        """Whether every user of the machine can read the key.

        Raises:
            OSError: the file cannot be found.
        """
        return bool(self.path.stat().st_mode & stat.S_IROTH)


def validate_key(text: str, origin: str) -> Secret:
    """The key in `text`, without the line end that editors add.

    Raises:
        PollError: secret, if it is empty, cannot stand in an HTTP header, or cannot be a key.
    """
    key = text.removesuffix("\n").removesuffix("\r")
    if not key.strip():
        raise PollError(FailureReason.SECRET, f"{origin} is empty")
    for pattern, message in _MISTAKES:
        if re.fullmatch(pattern, key):
            raise PollError(FailureReason.SECRET, f"{origin} {message}")
    if not _KEY.fullmatch(key):
        raise PollError(
            FailureReason.SECRET, f"{origin} has a space, control or non-ASCII character in the key"
        )
    return Secret(key)
