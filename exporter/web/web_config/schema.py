"""The shape of a web configuration file, and the files that it names.

The format is that of the exporter-toolkit's docs/web-configuration.md; names are its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias

from pydantic import Field, PlainValidator, ValidationInfo, create_model

from exporter.config.errors import config_error
from exporter.config.models import Model
from exporter.durations import parse_duration
from exporter.files import open_nonblocking

if TYPE_CHECKING:
    from pathlib import Path

_MOST_BYTES: Final = 2**20
_MAX_INTERVAL: Final = 24 * 3600.0


class Sources:
    """The files that a web configuration is made of, as they were when it was.

    What changed is told by what they hold: time stamps are too coarse for a user who must go.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._found: dict[Path, bytes | str] = {}

    def read(self, name: str) -> bytes | str:
        """What a file holds, or why it cannot be had; relative names start at the folder."""
        path = self._folder / name
        self._found[path] = content = _content(path)
        return content

    def are_current(self) -> bool:
        """Whether all of them are as they were."""
        return all(_content(path) == found for path, found in self._found.items())


def _content(path: Path) -> bytes | str:
    try:
        with open(path, "rb", opener=open_nonblocking) as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return content if len(content) <= _MOST_BYTES else f"is larger than {_MOST_BYTES} bytes"


def _file(value: object, info: ValidationInfo) -> bytes:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise config_error("expected a file path as a string")
    sources: Any = info.context
    content: bytes | str = sources.read(value)
    if isinstance(content, str):
        raise config_error(f"the file {content}")
    return content


def _inline(value: object) -> bytes:
    if not isinstance(value, str):
        raise config_error("expected PEM as a string")
    return value.encode()


def _seconds(value: object) -> float:
    if type(value) is int and value == 0:
        return 0.0
    try:
        seconds = parse_duration(value if isinstance(value, str) else "")
    except ValueError:
        raise config_error("expected a duration such as 1s, 300ms or 1m30s, or 0") from None
    if seconds > _MAX_INTERVAL:
        raise config_error("must be at most 24h")
    return seconds


_File: TypeAlias = Annotated[bytes, PlainValidator(_file)]
_Inline: TypeAlias = Annotated[bytes, PlainValidator(_inline)]
_Version: TypeAlias = Literal["TLS10", "TLS11", "TLS12", "TLS13"]
_HeaderText: TypeAlias = Annotated[str, Field(pattern=r"^[\x20-\x7e]*$")]


class TlsServer(Model):
    """`tls_server_config`: with its files' content, and unchecked but for types."""

    cert: _Inline | None = None
    cert_file: _File | None = None
    key: _Inline | None = None
    key_file: _File | None = None
    client_ca: _Inline | None = None
    client_ca_file: _File | None = None
    client_auth_type: Literal[
        "NoClientCert",
        "RequestClientCert",
        "RequireAnyClientCert",
        "RequireClientCert",  # an old name of the one before
        "VerifyClientCertIfGiven",
        "RequireAndVerifyClientCert",
    ] = "NoClientCert"
    client_allowed_sans: tuple[str, ...] = Field((), min_length=1)
    min_version: _Version = "TLS12"
    max_version: _Version = "TLS13"
    cipher_suites: tuple[str, ...] = ()
    prefer_server_cipher_suites: bool = True
    curve_preferences: tuple[str, ...] = ()


_HEADERS: Final[Any] = {  # whose names are no identifiers
    "Content-Security-Policy": (_HeaderText, ""),
    "Strict-Transport-Security": (_HeaderText, ""),
    "X-Content-Type-Options": (Literal["nosniff", ""], ""),
    "X-Frame-Options": (Literal["deny", "sameorigin", ""], ""),
    "X-XSS-Protection": (_HeaderText, ""),
}
Headers: Any = create_model("Headers", __base__=Model, **_HEADERS)


class HttpServer(Model):
    """`http_server_config`."""

    http2: bool = False
    headers: Headers = Field(default_factory=Headers)


class RateLimit(Model):
    """`rate_limit`: `interval` in seconds, as Go writes durations; 0 for no limit."""

    interval: Annotated[float, PlainValidator(_seconds)]
    burst: int = Field(0, ge=0, le=1_000_000)


class WebFile(Model):
    """The whole file; `basic_auth_users` holds a hash by each user's name."""

    tls_server_config: TlsServer | None = None
    http_server_config: HttpServer = Field(default_factory=HttpServer)
    basic_auth_users: dict[str, Any] = Field(default_factory=dict)
    rate_limit: RateLimit | None = None
