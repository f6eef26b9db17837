"""The schema of a web configuration file, and reading the files that it refers to.

The format is that of the exporter-toolkit's docs/web-configuration.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias

from pydantic import (
    BeforeValidator,
    Field,
    PlainValidator,
    ValidationInfo,
    create_model,
    field_validator,
)

from exporter.config.errors import config_error
from exporter.config.models import Model
from exporter.durations import parse_duration
from exporter.files import read_regular_file

if TYPE_CHECKING:
    from pathlib import Path

_MAX_FILE_SIZE: Final = 2**20  # bytes


class SourceFiles:
    """The files of a web configuration, with their content when it was loaded.

    Changes are detected by content: time stamps are too coarse to rely on when a user is removed.

    Args:
        directory: that of the web configuration; relative paths start there.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._contents: dict[Path, bytes | str] = {}

    def read(self, name: str) -> bytes | str:
        """The content of a file, or why it cannot be read."""
        path = self._directory / name
        self._contents[path] = content = _read(path)
        return content

    def are_current(self) -> bool:
        """Whether no file has changed."""
        return all(_read(path) == content for path, content in self._contents.items())


def _read(path: Path) -> bytes | str:
    try:
        content = read_regular_file(path, _MAX_FILE_SIZE + 1)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return content if len(content) <= _MAX_FILE_SIZE else f"is larger than {_MAX_FILE_SIZE} bytes"


def _read_file(value: object, info: ValidationInfo) -> bytes:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise config_error("expected a file path as a string")
    files: Any = info.context
    content: bytes | str = files.read(value)
    if isinstance(content, str):
        raise config_error(f"the file {content}")
    return content


def _encode(value: object) -> bytes:
    if not isinstance(value, str):
        raise config_error("expected PEM as a string")
    return value.encode()


def _parse_interval(value: object) -> float:
    if type(value) is int and value == 0:
        return 0.0
    try:
        return parse_duration(value if isinstance(value, str) else "")
    except ValueError:
        raise config_error("expected a duration such as 1s, 300ms or 1m30s, or 0") from None


def _number_as_text(value: object) -> object:
    """A number as text: the official exporters accept `X-XSS-Protection: 1`."""
    return str(value) if type(value) in {int, float} else value


_FileContent: TypeAlias = Annotated[bytes, PlainValidator(_read_file)]
_InlinePem: TypeAlias = Annotated[bytes, PlainValidator(_encode)]
VERIFYING: Final = "RequireAndVerifyClientCert"
_NOT_SUPPORTED: Final = {  # what the official exporters accept
    **dict.fromkeys(("TLS10", "TLS11"), "insecure and not supported; use TLS12 or TLS13"),
    **dict.fromkeys(
        ("RequestClientCert", "RequireAnyClientCert", "RequireClientCert"),
        f"Python's ssl cannot accept unverified certificates; use {VERIFYING}",
    ),
}
_Version: TypeAlias = Literal["TLS12", "TLS13"]
_HeaderValue: TypeAlias = Annotated[
    str, Field(pattern=r"^[\x20-\x7e]*$"), BeforeValidator(_number_as_text)
]


class _Section(Model):
    """A mapping of the file, in which every key needs a value."""

    @field_validator("*", mode="before")
    @classmethod
    def _has_value(cls, value: object) -> object:
        if value is None:
            raise config_error("has no value; add one or remove the key")
        return value


class TlsServerConfig(_Section):
    """`tls_server_config`, with the content of its files; only types are validated."""

    cert: _InlinePem | None = None
    cert_file: _FileContent | None = None
    key: _InlinePem | None = None
    key_file: _FileContent | None = None
    client_ca: _InlinePem | None = None
    client_ca_file: _FileContent | None = None
    client_auth_type: Literal[
        "NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"
    ] = "NoClientCert"
    client_allowed_sans: tuple[str, ...] = Field((), min_length=1)
    min_version: _Version = "TLS12"
    max_version: _Version = "TLS13"
    cipher_suites: tuple[str, ...] = ()
    prefer_server_cipher_suites: bool = True
    curve_preferences: tuple[str, ...] = ()

    @field_validator("client_auth_type", "min_version", "max_version", mode="before")
    @classmethod
    def _is_supported(cls, value: object) -> object:
        if isinstance(value, str) and value in _NOT_SUPPORTED:
            raise config_error(_NOT_SUPPORTED[value])
        return value

    def pem(self, key: Literal["cert", "key", "client_ca"]) -> bytes | None:
        """What is given inline or as a file, also if it is empty: that must not mean a default."""
        inline: bytes | None = getattr(self, key)
        from_file: bytes | None = getattr(self, f"{key}_file")
        return from_file if inline is None else inline


_HEADERS: Final[Any] = {  # their names are not identifiers
    "Content-Security-Policy": (_HeaderValue, ""),
    "Strict-Transport-Security": (_HeaderValue, ""),
    "X-Content-Type-Options": (Literal["nosniff", ""], ""),
    "X-Frame-Options": (Literal["deny", "sameorigin", ""], ""),
    "X-XSS-Protection": (_HeaderValue, ""),
}
Headers: Any = create_model("Headers", __base__=_Section, **_HEADERS)


class HttpServerConfig(_Section):
    """`http_server_config`."""

    http2: bool = False
    headers: Headers = Field(default_factory=Headers)


class RateLimitConfig(_Section):
    """`rate_limit`: `interval` in seconds, 0 for no limit."""

    interval: Annotated[float, PlainValidator(_parse_interval)]
    burst: int = Field(0, ge=0)


class WebConfigFile(_Section):
    """The whole file; `basic_auth_users` has a hash for each user name."""

    tls_server_config: TlsServerConfig | None = None
    http_server_config: HttpServerConfig = Field(default_factory=HttpServerConfig)
    basic_auth_users: dict[str, Any] = Field(default_factory=dict)
    rate_limit: RateLimitConfig | None = None
