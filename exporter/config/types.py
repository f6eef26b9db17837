"""The kinds of values that a configuration holds: durations, URLs, files and keys."""

from __future__ import annotations

import ipaddress
import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Self, TypeAlias
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, Field, GetPydanticSchema, ValidationInfo
from pydantic_core import core_schema

from exporter.config.errors import config_error
from exporter.model import PollError
from exporter.secrets import REDACTED, KeyFile, Secret, StaticKey, validate_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler

_UNITS: Final = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
_DURATION: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([smhd])")
_LONGEST: Final = 365 * 86_400
_URL: Final = re.compile(r"https?://[!-~]+", re.IGNORECASE)
_NOT_IN_URL: Final = re.compile(r'["<>\\^`{|}]')
_LABEL: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_IN_BRACKETS: Final = re.compile(r"([^\[\]]*@)?\[[0-9A-Fa-f:.]+\](:[0-9]+)?")
_HOST_LENGTH: Final = 253
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# A key put where its file or variable belongs must not be quoted: only what cannot well be one is.
_QUOTABLE: Final = re.compile(r"[A-Z_][A-Z_0-9]*|.*/.*")


@dataclass(frozen=True, slots=True)
class ValidationContext:
    """What the words of a configuration refer to.

    Args:
        folder: where relative paths start.
        environ: the environment variables.
    """

    folder: Path = Path()
    environ: Mapping[str, str] = field(default_factory=dict)


class Duration(float):
    """Seconds, above 0 and up to 365 days, written as `90s`, `15m`, `6h` or `1d`."""

    __slots__ = ()

    @classmethod
    def parse(cls, value: object) -> Self:
        """The duration that a configuration's text means; one that is a duration already stays."""
        if isinstance(value, cls):
            return value
        match = _DURATION.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise config_error("must be a duration such as 90s, 15m, 6h or 1d")
        seconds = cls(float(match[1]) * _UNITS[match[2]])
        if not 0 < seconds <= _LONGEST:
            raise config_error("must be a duration above 0s and up to 365d")
        return seconds

    @property
    def text(self) -> str:
        """As a configuration says it, in the largest unit that needs no fraction."""
        for unit, size in _UNITS.items():
            if self % size == 0:
                return f"{int(self // size)}{unit}"
        return f"{self:.9f}".rstrip("0") + "s"

    @classmethod
    def __get_pydantic_core_schema__(
        cls, _source: object, _handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(cls.parse)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _schema: core_schema.CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{_DURATION.pattern}$", "examples": ["15m"]}


class ProxyUrl(Secret):
    """A proxy's URL, which may hold a user and a password: shown without them."""

    __slots__ = ()

    def __repr__(self) -> str:
        scheme, _, rest = self.reveal().partition("://")
        _, at, host = rest.rpartition("@")
        return f"{scheme}://{REDACTED}@{host}" if at else self.reveal()


def _text(value: object, kind: str) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise config_error(f"must be {kind}, as text; put it in quotes")
    return value


def _checked_url(value: object) -> tuple[str, SplitResult]:
    """A URL without a trailing slash, and its parts; every part can be used as it is."""
    text = _text(value, "a URL such as https://api.example.com")
    if not _URL.fullmatch(text) or _NOT_IN_URL.search(text):
        raise config_error(
            "must be a URL that starts with https:// or http:// and has no odd characters"
        )
    if "?" in text or "#" in text:
        raise config_error("must be a URL without a query or a fragment")
    parts = _split(text)
    if parts is None or not _is_host(parts.hostname or "", parts.netloc):
        raise config_error("must be a URL with a valid host and port")
    return text.rstrip("/"), parts


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        usable = parts.port != 0 and not parts.netloc.endswith(":")
        if "[" in parts.netloc:
            ipaddress.IPv6Address(parts.hostname or "")
    except ValueError:
        return None
    return parts if usable else None


def _is_host(host: str, netloc: str) -> bool:
    if "[" in netloc:
        return _IN_BRACKETS.fullmatch(netloc) is not None
    return len(host) <= _HOST_LENGTH and all(_LABEL.fullmatch(label) for label in host.split("."))


def _base_url(value: object, _info: ValidationInfo) -> str:
    text, parts = _checked_url(value)
    if "@" in parts.netloc:
        raise config_error("must be a URL without a user; a key has places of its own")
    return text


def _proxy_url(value: object, _info: ValidationInfo) -> ProxyUrl:
    if isinstance(value, ProxyUrl):  # a default, on its way into a target
        return value
    text, parts = _checked_url(value)
    if parts.path.strip("/"):
        raise config_error("must be a proxy's URL, without a path")
    return ProxyUrl(text)


def _path(value: object, info: ValidationInfo) -> Path:
    context: ValidationContext = info.context or ValidationContext()
    return context.folder / _text(value, "a file's path")


def _certificates(value: object, info: ValidationInfo) -> Path:
    if isinstance(value, Path):  # as above
        return value
    path = _path(value, info)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        raise config_error("must name a file of certificates in PEM format") from None
    except OSError as error:
        raise config_error(f"names a file that cannot be read: {error.strerror}") from None
    return path


def _key_file(value: object, info: ValidationInfo) -> KeyFile:
    key = KeyFile(_path(value, info))
    try:
        key.read()
    except PollError as error:
        raise config_error(f"{error.detail}{_quoted(str(value))}") from None
    return key


def _key_variable(value: object, info: ValidationInfo) -> StaticKey:
    context: ValidationContext = info.context or ValidationContext()
    name = _text(value, "an environment variable's name")
    if not _VARIABLE.fullmatch(name):
        raise config_error("must be an environment variable's name: letters, digits and _")
    if name not in context.environ:
        raise config_error(f"the environment variable is not set{_quoted(name)}")
    try:
        secret = validate_key(context.environ[name], "the environment variable")
    except PollError as error:
        raise config_error(f"{error.detail}{_quoted(name)}") from None
    return StaticKey(secret, name)


def _inline_key(value: object, _info: ValidationInfo) -> StaticKey:
    if not isinstance(value, str):
        raise config_error("must be text; put it in quotes")
    try:
        return StaticKey(validate_key(value, "the value"))
    except PollError as error:
        raise config_error(error.detail) from None


def _quoted(name: str) -> str:
    return f" ({name})" if _QUOTABLE.fullmatch(name) else ""


def _printable(value: str) -> str:
    if not value.isprintable():
        raise config_error("must have printable characters only")
    return value


def _read_by(function: core_schema.WithInfoValidatorFunction, **shape: str) -> GetPydanticSchema:
    """Has `function` alone make the value of a field, whose text has this shape in the schema."""
    return GetPydanticSchema(
        lambda _source, _handler: core_schema.with_info_plain_validator_function(function),
        lambda _schema, _handler: {"type": "string", **shape},
    )


Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_printable)]
BaseUrl: TypeAlias = Annotated[str, _read_by(_base_url, format="uri")]
Proxy: TypeAlias = Annotated[ProxyUrl, _read_by(_proxy_url, format="uri")]
CertificateFile: TypeAlias = Annotated[Path, _read_by(_certificates)]
FileKey: TypeAlias = Annotated[KeyFile, _read_by(_key_file)]
EnvKey: TypeAlias = Annotated[StaticKey, _read_by(_key_variable, pattern=f"^{_VARIABLE.pattern}$")]
InlineKey: TypeAlias = Annotated[StaticKey, _read_by(_inline_key)]
