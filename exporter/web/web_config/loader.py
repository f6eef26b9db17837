"""The web configuration: the file that every official Prometheus exporter takes, read strictly.

Each option takes effect, or the file is refused with the option's name. Refused are:

    http2: true ................................. HTTP/1.1 is all that is spoken here
    TLS10, TLS11 ................................ broken, and off in OpenSSL
    RequestClientCert, RequireAnyClientCert ..... take any certificate, which Python's ssl cannot
    a second one of curve_preferences ........... Python's ssl can set one
    suites of TLS 1.3 in cipher_suites .......... cannot be chosen, in Go as well
    a bcrypt cost over 15 ....................... over two seconds for a login
    a key without a value ....................... what was forgotten must not mean "open"

The file, and those it names, are read again when they change. While they are broken nobody is let
in; switching TLS on or off needs a restart.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from pydantic import ValidationError

from exporter.config.errors import (
    ConfigError,
    Problem,
    Steps,
    format_path,
    model_errors,
    suggestion,
)
from exporter.config.yaml_parser import Document, Plain, YamlError, read_yaml
from exporter.web.basic_auth import problem_of_hash
from exporter.web.web_config.models import Rate, WebConfig
from exporter.web.web_config.schema import HttpServer, RateLimit, Sources, TlsServer, WebFile
from exporter.web.web_config.tls import (
    CIPHER_SUITES,
    CLIENT_AUTH,
    CURVES,
    VERSIONS,
    Tls,
    TlsError,
    canonical,
    context,
    set_cipher_suites,
    set_curve,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

_log = logging.getLogger(__name__)

_SUITES_OF_13: Final = frozenset(
    {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
)

_Finding: TypeAlias = tuple[Steps, str]


class LiveWebConfig:
    """A web configuration as its files say now.

    Raises:
        ConfigError: with everything that is wrong at the start.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found, self._sources = read_web_config(path)
        self._has_tls = self.current().tls is not None

    def current(self) -> WebConfig:
        """The web configuration, read again if any of its files has changed.

        Raises:
            ConfigError: it is broken now, and the log says how.
        """
        if not self._sources.are_current():
            self._found, self._sources = self._read_again()
        if isinstance(self._found, ConfigError):
            raise self._found.with_traceback(None)  # raised many times; let none of them add to it
        return self._found

    def _read_again(self) -> tuple[WebConfig | ConfigError, Sources]:
        found, sources = read_web_config(self._path)
        if isinstance(found, WebConfig) and (found.tls is not None) != self._has_tls:
            message = "cannot be added or removed without a restart"
            found = ConfigError(self._path, [Problem(0, "tls_server_config", message)])
        if isinstance(found, ConfigError):
            _log.error("web configuration broken; nobody is let in", extra={"detail": str(found)})
        else:
            _log.info("web configuration reloaded")
        return found, sources


def read_web_config(path: Path) -> tuple[WebConfig | ConfigError, Sources]:
    """The web configuration at `path`, or everything that is wrong; and what was read for it."""
    sources = Sources(path.parent)
    content = sources.read(path.name)
    if isinstance(content, str):
        return ConfigError(path, [Problem(0, "", content)]), sources
    try:
        document = read_yaml(content)
    except YamlError as error:
        return ConfigError(path, [error.problem]), sources
    problems = {(problem.line, problem.path): problem for problem in document.problems}
    reader = _Reader(document, sources, problems)
    found = reader.web_config()
    return found or ConfigError(path, reader.problems.values()), sources


@dataclass(frozen=True, slots=True)
class _Reader:
    """Makes a web configuration of a document; of each place it keeps the first problem."""

    document: Document
    sources: Sources
    problems: dict[tuple[int, str], Problem]

    def web_config(self) -> WebConfig | None:
        """The web configuration, if there are no problems."""
        self._report(_empty(self.document.data, ()))
        try:
            file = WebFile.model_validate(self.document.data, context=self.sources)
        except ValidationError as error:
            self._report((each.steps, each.message) for each in model_errors(error, WebFile))
            return None
        self._report(_refused(file))
        if self.problems:
            return None
        try:
            return _built(file)
        except TlsError as error:
            self._report([(("tls_server_config", error.key), error.message)])
            return None

    def _report(self, findings: Iterable[_Finding]) -> None:
        for steps, message in findings:
            line, _ = self.document.locate(steps)
            place = line, format_path(steps)
            self.problems.setdefault(place, Problem(*place, message))


def _empty(data: Plain, steps: Steps) -> Iterator[_Finding]:
    """Every key without a value: what was forgotten there must not mean that anybody may come."""
    if data is None:
        yield steps, "is empty; say something, or leave it out"
    elif isinstance(data, dict):
        for key, below in data.items():
            yield from _empty(below, (*steps, key))


def _refused(file: WebFile) -> Iterator[_Finding]:
    """What is of the right type, and still cannot be."""
    if file.tls_server_config:
        for key, message in _refused_tls(file.tls_server_config):
            yield ("tls_server_config", *key), message
    if file.http_server_config.http2:
        yield (
            ("http_server_config", "http2"),
            "http2 is not offered; set it to false, or leave it out",
        )
    for user, hashed in file.basic_auth_users.items():
        if odd := _refused_user(user, hashed):
            yield ("basic_auth_users", user), odd
    if file.rate_limit and file.rate_limit.interval and not file.rate_limit.burst:
        yield ("rate_limit", "burst"), "must be at least 1, or no request would be let through"


def _refused_user(user: str, hashed: object) -> str | None:
    if ":" in user:
        return "a name with a colon can never log in"
    return (
        problem_of_hash(hashed)
        if isinstance(hashed, str)
        else "expected a string; put the value in quotes"
    )


def _refused_tls(tls: TlsServer) -> Iterator[_Finding]:
    for inline, from_file in (("cert", "cert_file"), ("key", "key_file")):
        if (getattr(tls, inline) is None) == (getattr(tls, from_file) is None):
            yield (inline,), f"exactly one of {inline} and {from_file} is needed"
    yield from _refused_clients(tls)
    yield from _refused_versions(tls)
    if len(tls.curve_preferences) > 1:
        yield ("curve_preferences",), "Python's ssl can set one curve only"
    for index, curve in enumerate(tls.curve_preferences):
        if curve not in CURVES:
            yield ("curve_preferences", index), f"unknown curve; {suggestion(curve, CURVES)}"
    for index, suite in enumerate(tls.cipher_suites):
        if suite in _SUITES_OF_13:
            yield ("cipher_suites", index), "is of TLS 1.3, whose suites cannot be chosen"
        elif suite not in CIPHER_SUITES:
            yield ("cipher_suites", index), f"unknown suite; {suggestion(suite, CIPHER_SUITES)}"


def _refused_clients(tls: TlsServer) -> Iterator[_Finding]:
    kind = tls.client_auth_type
    if kind not in CLIENT_AUTH:
        yield ("client_auth_type",), "Python's ssl takes no certificate that it cannot verify"
    if tls.client_ca is not None and tls.client_ca_file is not None:
        yield ("client_ca",), "at most one of client_ca and client_ca_file"
    for key in ("client_ca", "client_ca_file"):
        if getattr(tls, key) is not None and kind == "NoClientCert":
            yield (key,), "needs a client_auth_type that verifies certificates"
    if tls.client_allowed_sans and kind != "RequireAndVerifyClientCert":
        yield ("client_allowed_sans",), "needs client_auth_type: RequireAndVerifyClientCert"


def _refused_versions(tls: TlsServer) -> Iterator[_Finding]:
    for key in ("min_version", "max_version"):
        if getattr(tls, key) not in VERSIONS:
            yield (key,), "is broken, and not offered; TLS12 and TLS13 are"
    if tls.min_version > tls.max_version:
        yield ("max_version",), "must not be below min_version"
    if tls.min_version == "TLS13" and tls.cipher_suites:
        yield ("cipher_suites",), "are for TLS 1.2, which min_version excludes"


def _built(file: WebFile) -> WebConfig:
    return WebConfig(
        _tls(file.tls_server_config) if file.tls_server_config else None,
        _headers(file.http_server_config),
        dict(file.basic_auth_users),
        _rate(file.rate_limit) if file.rate_limit else None,
    )


def _tls(tls: TlsServer) -> Tls:
    """As described.

    Raises:
        TlsError: with a key that is in the file.
    """
    try:
        made = context(
            _either(tls.cert, tls.cert_file) or b"",
            _either(tls.key, tls.key_file) or b"",
            _either(tls.client_ca, tls.client_ca_file),
            tls.client_auth_type,
            (tls.min_version, tls.max_version),
        )
        first = tls.prefer_server_cipher_suites
        set_cipher_suites(made, tls.cipher_suites, server_first=first)
        for curve in tls.curve_preferences:
            set_curve(made, curve)
    except TlsError as error:
        key = error.key if error.key in tls.model_fields_set else f"{error.key}_file"
        raise TlsError(key, error.message) from None
    names = frozenset(map(canonical, tls.client_allowed_sans))
    return Tls(made, names or None)


def _either(inline: bytes | None, from_file: bytes | None) -> bytes | None:
    """What is given. Empty is not missing: it must not mean the system's authorities."""
    return from_file if inline is None else inline


def _headers(http: HttpServer) -> tuple[tuple[bytes, bytes], ...]:
    """Those that are given and not blank."""
    given: Mapping[str, str] = dict(http.headers)
    return tuple((name.lower().encode(), value.encode()) for name, value in given.items() if value)


def _rate(rate: RateLimit) -> Rate | None:
    return Rate(rate.interval, rate.burst) if rate.interval else None
