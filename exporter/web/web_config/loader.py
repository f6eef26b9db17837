"""Loads a web configuration: the file format of the official Prometheus exporters, read strictly.

Every option takes effect, or the file is refused with the name of the option. Accepted without
effect, with a warning in the log where the official exporters differ:

    http2: true ......................... HTTP/1.1 is served
    several curve_preferences ........... before Python 3.15 only one can be set: the first is
    TLS 1.3 suites in cipher_suites ..... cannot be chosen, in Go neither

Refused, although the official exporters accept it:

    TLS10, TLS11 ........................ insecure, and disabled in OpenSSL
    RequestClientCert, RequireAnyClientCert .. not supported by Python's ssl
    RequireAndVerifyClientCert without a client_ca .. would accept any certificate of a public CA
    a bcrypt cost over 15 ............... more than two seconds for a login
    a key without a value ............... an omission must not open the exporter

The file, and those it refers to, are read again when they change. While they are invalid, all
requests are rejected; adding or removing TLS needs a restart.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
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
from exporter.web.basic_auth import validate_hash
from exporter.web.web_config.models import RateLimit, WebConfig
from exporter.web.web_config.schema import (
    HttpServerConfig,
    SourceFiles,
    TlsServerConfig,
    WebConfigFile,
)
from exporter.web.web_config.tls import (
    CIPHER_SUITES,
    CLIENT_AUTH,
    CURVES,
    TLS13_SUITES,
    VERSIONS,
    Tls,
    TlsError,
    create_context,
    normalize_name,
    set_cipher_suites,
    set_curves,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

_log = logging.getLogger(__name__)

_VERIFYING: Final = "RequireAndVerifyClientCert"
_NEEDS_RESTART: Final = Problem(
    0, "tls_server_config", "cannot be added or removed without a restart"
)
_EMPTIED: Final = Problem(0, "", "the file is empty; write {} to remove all settings")
_EMPTY: Final = Problem(0, "", "the file is empty; requests need neither TLS nor a password")

_Finding: TypeAlias = tuple[Steps, str]


@dataclass(frozen=True, slots=True)
class LoadedWebConfig:
    """The result of loading a web configuration.

    Args:
        result: the web configuration, or every error in it.
        files: the files that were read.
        warnings: settings that do not have their full effect.
        is_empty: whether the file contains no settings at all, not even `{}`.
    """

    result: WebConfig | ConfigError
    files: SourceFiles
    warnings: tuple[Problem, ...] = ()
    is_empty: bool = False


class LiveWebConfig:
    """A web configuration that is loaded again when its files change.

    Raises:
        ConfigError: it is invalid at the start; with every error.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._logged: set[Problem] = set()
        self._loaded = load_web_config(path)
        self._last_valid = self.current()
        self._log_warnings()

    def current(self) -> WebConfig:
        """The current web configuration.

        Raises:
            ConfigError: it is invalid; the log has the reason.
        """
        if not self._loaded.files.are_current():
            self._reload()
        if isinstance(self._loaded.result, ConfigError):
            # It is raised many times: without this its traceback would grow each time.
            raise self._loaded.result.with_traceback(None)
        return self._loaded.result

    def _reload(self) -> None:
        self._loaded = load_web_config(self._path)
        if problem := self._refused_change():
            self._loaded = replace(self._loaded, result=ConfigError(self._path, [problem]))
        if isinstance(self._loaded.result, ConfigError):
            detail = str(self._loaded.result)
            _log.error("invalid web configuration; rejecting requests", extra={"detail": detail})
        else:
            self._last_valid = self._loaded.result
            _log.info("web configuration reloaded")
            self._log_warnings()

    def _refused_change(self) -> Problem | None:
        """Why a valid web configuration cannot replace the last one."""
        loaded = self._loaded
        if isinstance(loaded.result, ConfigError):
            return None
        # An editor may have truncated the file before it writes the new content.
        if loaded.is_empty and self._last_valid != WebConfig():
            return _EMPTIED
        is_same = (loaded.result.tls is None) == (self._last_valid.tls is None)
        return None if is_same else _NEEDS_RESTART

    def _log_warnings(self) -> None:
        for problem in self._loaded.warnings:
            if problem not in self._logged:
                self._logged.add(problem)
                extra = {"detail": problem.describe(self._path)}
                _log.warning("problem in the web configuration", extra=extra)


def load_web_config(path: Path) -> LoadedWebConfig:
    """Load the web configuration at `path`."""
    files = SourceFiles(path.parent)
    content = files.read(path.name)
    if isinstance(content, str):
        return LoadedWebConfig(ConfigError(path, [Problem(0, "", content)]), files)
    if _is_blank(content):
        return LoadedWebConfig(WebConfig(), files, (_EMPTY,), is_empty=True)
    try:
        document = read_yaml(content)
    except YamlError as error:
        return LoadedWebConfig(ConfigError(path, [error.problem]), files)
    loader = _Loader(document, files)
    result = loader.load() or ConfigError(path, loader.problems.values())
    return LoadedWebConfig(result, files, tuple(loader.warnings))


def _is_blank(content: bytes) -> bool:
    """Whether there are only comments and blank lines."""
    return all(not line or line.startswith(b"#") for line in map(bytes.strip, content.splitlines()))


@dataclass(frozen=True, slots=True)
class _Loader:
    """Converts a document; of each place it reports the first error only."""

    document: Document
    files: SourceFiles
    problems: dict[tuple[int, str], Problem] = field(default_factory=dict)
    warnings: list[Problem] = field(default_factory=list)

    def load(self) -> WebConfig | None:
        """The web configuration, unless there are errors."""
        for problem in self.document.problems:
            self.problems.setdefault((problem.line, problem.path), problem)
        self._report(_keys_without_value(self.document.data, ()))
        try:
            file = WebConfigFile.model_validate(self.document.data, context=self.files)
        except ValidationError as error:
            self._report((each.steps, each.message) for each in model_errors(error, WebConfigFile))
            return None
        self._report(_errors(file))
        if self.problems:
            return None
        try:
            config = self._convert(file)
        except TlsError as error:
            self._report([(("tls_server_config", error.key), error.message)])
            return None
        self.warnings.extend(map(self._problem, _warnings(file)))
        return config

    def _convert(self, file: WebConfigFile) -> WebConfig:
        limit = file.rate_limit
        return WebConfig(
            self._tls(file.tls_server_config) if file.tls_server_config else None,
            _headers(file.http_server_config),
            dict(file.basic_auth_users),
            RateLimit(limit.interval, limit.burst) if limit and limit.interval else None,
        )

    def _tls(self, tls: TlsServerConfig) -> Tls:
        """The TLS settings.

        Raises:
            TlsError: with a key that is in the file.
        """
        try:
            context = create_context(
                _inline_or_file(tls.cert, tls.cert_file) or b"",
                _inline_or_file(tls.key, tls.key_file) or b"",
                _inline_or_file(tls.client_ca, tls.client_ca_file),
                tls.client_auth_type,
                (tls.min_version, tls.max_version),
            )
            prefers_server = tls.prefer_server_cipher_suites
            set_cipher_suites(context, tls.cipher_suites, prefers_server=prefers_server)
            used = set_curves(context, tls.curve_preferences)
        except TlsError as error:
            key = error.key if error.key in tls.model_fields_set else f"{error.key}_file"
            raise TlsError(key, error.message) from None
        if used != tls.curve_preferences:
            steps = "tls_server_config", "curve_preferences"
            message = f"only {', '.join(used)} can be used with this version of Python and OpenSSL"
            self.warnings.append(self._problem((steps, message)))
        return Tls(context, frozenset(map(normalize_name, tls.client_allowed_sans)) or None)

    def _report(self, findings: Iterable[_Finding]) -> None:
        for problem in map(self._problem, findings):
            self.problems.setdefault((problem.line, problem.path), problem)

    def _problem(self, finding: _Finding) -> Problem:
        steps, message = finding
        return Problem(self.document.locate(steps)[0], format_path(steps), message)


def _keys_without_value(data: Plain, steps: Steps) -> Iterator[_Finding]:
    if data is None:
        yield steps, "has no value; add one or remove the key"
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from _keys_without_value(value, (*steps, key))


def _warnings(file: WebConfigFile) -> Iterator[_Finding]:
    if file.http_server_config.http2:
        yield ("http_server_config", "http2"), "HTTP/2 is not supported; HTTP/1.1 is served"
    if file.rate_limit and file.rate_limit.interval and not file.rate_limit.burst:
        yield ("rate_limit",), "all requests are rejected; set burst to at least 1"


def _errors(file: WebConfigFile) -> Iterator[_Finding]:
    """Values of the right type that are not supported, or contradict each other."""
    if file.tls_server_config:
        for key, message in _tls_errors(file.tls_server_config):
            yield ("tls_server_config", *key), message
    for user, hashed in file.basic_auth_users.items():
        if error := _user_error(user, hashed):
            yield ("basic_auth_users", user), error


def _user_error(user: str, hashed: object) -> str | None:
    if ":" in user:
        return "a user name cannot contain a colon"
    if not isinstance(hashed, str):
        return "expected a string; put the value in quotes"
    return validate_hash(hashed)


def _tls_errors(tls: TlsServerConfig) -> Iterator[_Finding]:
    for inline, from_file in (("cert", "cert_file"), ("key", "key_file")):
        if (getattr(tls, inline) is None) == (getattr(tls, from_file) is None):
            yield (inline,), f"exactly one of {inline} and {from_file} is required"
    yield from _client_errors(tls)
    yield from _version_errors(tls)
    for index, curve in enumerate(tls.curve_preferences):
        if curve not in CURVES:
            yield ("curve_preferences", index), f"unknown curve; {suggestion(curve, CURVES)}"
    for index, suite in enumerate(tls.cipher_suites):
        if suite not in CIPHER_SUITES and suite not in TLS13_SUITES:
            yield ("cipher_suites", index), f"unknown suite; {suggestion(suite, CIPHER_SUITES)}"


def _client_errors(tls: TlsServerConfig) -> Iterator[_Finding]:
    kind = tls.client_auth_type
    authorities = [key for key in ("client_ca", "client_ca_file") if getattr(tls, key) is not None]
    if kind not in CLIENT_AUTH:
        yield (
            ("client_auth_type",),
            f"Python's ssl cannot accept unverified certificates; use {_VERIFYING}",
        )
    if kind == _VERIFYING and not authorities:
        yield ("client_auth_type",), "client_ca or client_ca_file is required"
    if len(authorities) > 1:
        yield ("client_ca",), "at most one of client_ca and client_ca_file is allowed"
    for key in authorities:
        if kind == "NoClientCert":
            yield (key,), "requires a client_auth_type that verifies certificates"
    if tls.client_allowed_sans and kind != _VERIFYING:
        yield ("client_allowed_sans",), f"requires client_auth_type: {_VERIFYING}"


def _version_errors(tls: TlsServerConfig) -> Iterator[_Finding]:
    for key in ("min_version", "max_version"):
        if getattr(tls, key) not in VERSIONS:
            yield (key,), "insecure and not supported; use TLS12 or TLS13"
    if tls.min_version > tls.max_version:
        yield ("max_version",), "must not be less than min_version"
    suites = CIPHER_SUITES.keys() & set(tls.cipher_suites)
    if tls.min_version == "TLS13" and suites:
        yield ("cipher_suites",), "apply to TLS 1.2, which min_version excludes"
    if tls.max_version == "TLS12" and tls.cipher_suites and not suites:
        yield ("cipher_suites",), "none of them is for TLS 1.2"


def _inline_or_file(inline: bytes | None, from_file: bytes | None) -> bytes | None:
    """The one that is given. An empty one is given: it must not mean the system's authorities."""
    return from_file if inline is None else inline


def _headers(http: HttpServerConfig) -> tuple[tuple[bytes, bytes], ...]:
    """Headers whose value is not empty."""
    values: Mapping[str, str] = dict(http.headers)
    return tuple((name.lower().encode(), value.encode()) for name, value in values.items() if value)
