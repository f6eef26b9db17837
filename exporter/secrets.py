"""API keys: where they come from, and a type that no log, error, page or repr can show."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import quote

from exporter.files import fingerprint, open_nonblocking
from exporter.model import FailureReason, PollError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

REDACTED: Final = "<secret>"
_MAX_BYTES: Final = 4096
_TELLING: Final = 8  # a text that shares a run of this many characters with a key is not shown
_KEY: Final = re.compile(r"[\x21-\x7e]+")
_NOISE: Final = re.compile(r"[^a-z0-9]+")


class Secret:
    """A key that shows itself only through `reveal()`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The key itself, for the one request that needs it."""
        return self._value

    def redact(self, text: str) -> str:
        """`text`, or a placeholder if it holds a telling part of the key in any usual form."""
        is_telling = any(
            look[at : at + length] in pieces
            for look in (text.lower(), _bare(text))
            for length, pieces in _telling_pieces(self._value).items()
            for at in range(len(look) - length + 1)
        )
        return REDACTED if is_telling else text

    def __repr__(self) -> str:
        return REDACTED

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)


def _windows(text: str) -> Iterator[str]:
    """Every telling run of `text`; all of it where it is no longer than one."""
    if text:
        yield from (text[at : at + _TELLING] for at in range(max(1, len(text) - _TELLING + 1)))


def _bare(text: str) -> str:
    """Letters and digits alone, so that a key with blanks or hyphens put in is still found."""
    return _NOISE.sub("", text.lower())


@lru_cache(maxsize=4)  # those of every key would be 8 KB a target; a list needs those of one
def _telling_pieces(key: str) -> Mapping[int, set[str]]:
    """The pieces that tell of a key, by their length."""
    pieces: dict[int, set[str]] = {}
    for run in _runs(key):
        pieces.setdefault(len(run), set()).add(run)
    return pieces


def _runs(key: str) -> Iterator[str]:
    if len(key) < _TELLING:  # its other forms would be found in many a text
        yield _bare(key) or key
        return
    raw = key.encode()
    # Base64 of a key inside a longer text starts at one of three phases.
    phases = [base64.b64encode(b"\0" * pad + raw).decode()[2 * pad :] for pad in range(3)]
    for form in (key, key[::-1], quote(key, safe=""), raw.hex(), *phases):
        yield from _windows(form.lower())
        yield from _windows(_bare(form))


class KeySource(Protocol):
    """Where a target's key is kept."""

    def read(self) -> Secret:
        """The key as it is now.

        Raises:
            PollError: secret, when there is no usable key.
        """
        ...

    def fingerprint(self) -> object:
        """Something that changes when the key may have changed; costs no more than a stat."""
        ...


@dataclass(frozen=True, slots=True)
class StaticKey:
    """A key from the configuration, or from the environment variable that is named."""

    secret: Secret
    variable: str | None = None

    def read(self) -> Secret:
        """The key as it was given."""
        return self.secret

    def fingerprint(self) -> object:
        """Never changes."""
        return None


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A key in a file, read again for each poll: a rotated key needs no restart."""

    path: Path

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
        """That of the file."""
        return fingerprint(self.path)

    def is_readable_by_all(self) -> bool:
        """Whether any user of the machine can read the key."""
        try:
            return bool(self.path.stat().st_mode & 0o004)
        except OSError:
            return False


def validate_key(text: str, origin: str) -> Secret:
    """The key in `text`, without the line end that editors add.

    Raises:
        PollError: secret, when it is empty or cannot stand in an HTTP header.
    """
    key = text.removesuffix("\n").removesuffix("\r")
    if not key.strip():
        raise PollError(FailureReason.SECRET, f"{origin} is empty")
    if not _KEY.fullmatch(key):
        raise PollError(
            FailureReason.SECRET,
            f"{origin} has a blank, a control or a non-ASCII character in its key",
        )
    return Secret(key)
