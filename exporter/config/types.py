"""The types of a configuration's values: durations, URLs, files and keys."""

from __future__ import annotations

import ipaddress
import re
import ssl
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple, Self, TypeAlias
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, Field, GetPydanticSchema, ValidationInfo
from pydantic_core import core_schema

from exporter.config.errors import config_error
from exporter.days import DAY_SECONDS
from exporter.durations import PATTERN, format_duration, parse_duration
from exporter.model import PollError
from exporter.secrets import REDACTED, KeyFile, MissingKey, Secret, StaticKey, validate_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler

_MAX_DURATION: Final = 365 * DAY_SECONDS
_URL: Final = re.compile(r"https?://[!-~]+", re.IGNORECASE)
_INVALID_IN_URL: Final = re.compile(r'["<>\\^`{|}]')
_LABEL: Final = "[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
# At most 253 characters, in labels of at most 63.
_HOST: Final = rf"(?=[^:]{{1,253}}(:|$))({_LABEL}\.)*{_LABEL}"
_AUTHORITY: Final = re.compile(rf"(.*@)?({_HOST}|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_API_VERSION: Final = re.compile(r"/v[13]$")  # of a vendor's paths, which the exporter appends


class ValidationContext(NamedTuple):
    """What a configuration refers to.

    Args:
        folder: the start of relative paths.
        environ: the environment variables.
    """

    folder: Path = Path()
    environ: Mapping[str, str] = MappingProxyType({})


class Duration(float):
    """Seconds, in whole milliseconds from 1ms to 1y, written as `90s`, `15m` or `1h30m`."""

    __slots__ = ()

    @classmethod
    def parse(cls, value: object) -> Self:
        """The duration of a configuration's text; a duration stays as it is."""
        if isinstance(value, cls):
            return value
        try:
            seconds = cls(round(parse_duration(value if isinstance(value, str) else ""), 3))
        except ValueError:
            raise config_error("expected a duration such as 90s, 15m or 1h30m") from None
        if not 0 < seconds <= _MAX_DURATION:
            raise config_error("must be between 1ms and 1y")
        return seconds

    @property
    def text(self) -> str:
        """As a configuration has it."""
        return format_duration(self)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, _source: object, _handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls.parse,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda duration: duration.text, when_used="json"
            ),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _schema: core_schema.CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{PATTERN}$", "examples": ["15m"]}


class ProxyUrl(Secret):
    """A proxy's URL: its user and password are not shown."""

    __slots__ = ()

    def __repr__(self) -> str:
        scheme, _, rest = self.reveal().partition("://")
        _, at, host = rest.rpartition("@")
        return f"{scheme}://{REDACTED}@{host}" if at else self.reveal()


def _string(value: object, kind: str) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise config_error(f"expected {kind} as a string; put the value in quotes")
    return value


def _parse_url(value: object) -> tuple[str, SplitResult]:
    """A URL without a trailing slash, and its parts; every part is usable as it is."""
    text = _string(value, "a URL such as https://api.example.com")
    if not _URL.fullmatch(text) or _INVALID_IN_URL.search(text):
        raise config_error("expected a URL that starts with https:// or http://, in plain ASCII")
    if "?" in text or "#" in text:
        raise config_error("expected a URL without a query or fragment")
    with suppress(ValueError):
        parts = urlsplit(text)
        if "[" in parts.netloc:
            ipaddress.IPv6Address(parts.hostname or "")
        if _AUTHORITY.fullmatch(parts.netloc) and parts.port != 0:
            return text.rstrip("/"), parts
    raise config_error("invalid host or port in the URL")


def _base_url(value: object, _info: ValidationInfo) -> str:
    text, parts = _parse_url(value)
    if "@" in parts.netloc:
        raise config_error("expected a URL without a user; the key has settings of its own")
    if version := _API_VERSION.search(text):
        raise config_error(
            f"remove {version[0]} from the end of the URL: the exporter appends the API's paths"
        )
    return text


def _proxy_url(value: object, _info: ValidationInfo) -> ProxyUrl:
    if isinstance(value, ProxyUrl):  # a default, merged into a target
        return value
    text, parts = _parse_url(value)
    if parts.path.strip("/"):
        raise config_error("expected a proxy URL without a path")
    return ProxyUrl(text)


def _path(value: object, info: ValidationInfo) -> Path:
    context: ValidationContext = info.context or ValidationContext()
    return context.folder / _string(value, "a file path")


def _certificates(value: object, info: ValidationInfo) -> Path:
    if isinstance(value, Path):  # as above
        return value
    path = _path(value, info)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        raise config_error("expected a file of certificates in PEM format") from None
    except OSError as error:
        raise config_error(f"the file cannot be read: {error.strerror}") from None
    return path


def _key_variable(value: object, info: ValidationInfo) -> StaticKey | MissingKey:
    context: ValidationContext = info.context or ValidationContext()
    name = _string(value, "the name of an environment variable")
    if not _VARIABLE.fullmatch(name):
        raise config_error("invalid name of an environment variable; use letters, digits and _")
    if name not in context.environ:
        return MissingKey(name, "the environment variable is not set")
    try:
        return StaticKey(validate_key(context.environ[name], "the environment variable"), name)
    except PollError as error:
        return MissingKey(name, error.detail)


def _inline_key(value: object, _info: ValidationInfo) -> StaticKey:
    if not isinstance(value, str):
        raise config_error("expected a string; put the value in quotes")
    try:
        return StaticKey(validate_key(value, "the value"))
    except PollError as error:
        raise config_error(error.detail) from None


def _printable(value: str) -> str:
    if not value.isprintable():
        raise config_error("expected printable characters only")
    return value


def _parsed_by(
    function: core_schema.WithInfoValidatorFunction, **json_schema: str
) -> GetPydanticSchema:
    """Has `function` alone validate a field, which is a string with this JSON Schema."""
    return GetPydanticSchema(
        lambda _source, _handler: core_schema.with_info_plain_validator_function(
            function, serialization=core_schema.to_string_ser_schema()
        ),
        lambda _schema, _handler: {"type": "string", **json_schema},
    )


Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_printable)]
BaseUrl: TypeAlias = Annotated[str, _parsed_by(_base_url, format="uri")]
Proxy: TypeAlias = Annotated[ProxyUrl, _parsed_by(_proxy_url, format="uri")]
CertificateFile: TypeAlias = Annotated[Path, _parsed_by(_certificates)]
FileKey: TypeAlias = Annotated[KeyFile, _parsed_by(lambda text, info: KeyFile(_path(text, info)))]
EnvKey: TypeAlias = Annotated[
    StaticKey | MissingKey, _parsed_by(_key_variable, pattern=f"^{_VARIABLE.pattern}$")
]
InlineKey: TypeAlias = Annotated[StaticKey, _parsed_by(_inline_key)]
