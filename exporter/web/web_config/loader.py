"""Loads a web configuration: the file format of the official Prometheus exporters, read strictly.

Every option takes effect, or the file is refused with the name of the option. Accepted without
effect, with a warning in the log where the official exporters differ:

    http2: true ......................... HTTP/1.1 is served
    several curve_preferences ........... Python can set only one: the first is
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
from exporter.config.yaml_parser import Document, YamlError, read_yaml
from exporter.web.basic_auth import validate_hash
from exporter.web.web_config.models import RateLimit, WebConfig
from exporter.web.web_config.schema import VERIFYING, SourceFiles, TlsServerConfig, WebConfigFile
from exporter.web.web_config.tls import (
    CIPHER_SUITES,
    CURVES,
    TLS13_SUITES,
    Tls,
    TlsError,
    create_context,
    normalize_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_log = logging.getLogger(__name__)

_NEEDS_RESTART: Final = Problem(
    0, "tls_server_config", "cannot be added or removed without a restart"
)
_EMPTIED: Final = Problem(0, "", "the file is empty; write {} to remove all settings")
_EMPTY: Final = Problem(0, "", "the file is empty; requests need neither TLS nor a password")

_Finding: TypeAlias = tuple[Steps, str]


class _UnsupportedError(Exception):
    """Settings that are not supported, or contradict each other."""

    def __init__(self, findings: list[_Finding]) -> None:
        super().__init__()
        self.findings = findings


class LiveWebConfig:
    """A web configuration that is loaded again when its files change.

    Raises:
        ConfigError: it is invalid at the start; with every error.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._logged: set[Problem] = set()
        self._files = SourceFiles(path.parent)
        self._last_valid, warnings = load_web_config(path, self._files)
        self._error: ConfigError | None = None
        self._log_warnings(warnings)

    def current(self) -> WebConfig:
        """The current web configuration.

        Raises:
            ConfigError: it is invalid; the log has the reason.
        """
        if not self._files.are_current():
            self._reload()
        if self._error:
            # It is raised many times: without this its traceback would grow each time.
            raise self._error.with_traceback(None)
        return self._last_valid

    def _reload(self) -> None:
        self._files = SourceFiles(self._path.parent)
        try:
            config, warnings = load_web_config(self._path, self._files)
            self._check_change(config, warnings)
        except ConfigError as error:
            self._error = error
            extra = {"detail": str(error)}
            _log.error("invalid web configuration; rejecting requests", extra=extra)
        else:
            self._last_valid, self._error = config, None
            _log.info("web configuration reloaded")
            self._log_warnings(warnings)

    def _check_change(self, config: WebConfig, warnings: list[Problem]) -> None:
        """Raise a ConfigError if a valid web configuration cannot replace the last one."""
        # An editor may have truncated the file before it writes the new content.
        if _EMPTY in warnings and self._last_valid != WebConfig():
            raise ConfigError(self._path, [_EMPTIED])
        if (config.tls is None) != (self._last_valid.tls is None):
            raise ConfigError(self._path, [_NEEDS_RESTART])

    def _log_warnings(self, warnings: list[Problem]) -> None:
        for problem in warnings:
            if problem not in self._logged:
                self._logged.add(problem)
                extra = {"detail": problem.describe(self._path)}
                _log.warning("problem in the web configuration", extra=extra)


def load_web_config(path: Path, files: SourceFiles) -> tuple[WebConfig, list[Problem]]:
    """The web configuration at `path`, and warnings: what does not have its full effect.

    Args:
        path: the file.
        files: reads this file and those that it refers to.

    Raises:
        ConfigError: with the errors.
    """
    content = files.read(path.name)
    if isinstance(content, str):
        raise ConfigError(path, [Problem(0, "", content)])
    if _is_blank(content):
        return WebConfig(), [_EMPTY]
    try:
        document = read_yaml(content)
    except YamlError as error:
        raise ConfigError(path, [error.problem]) from None
    if document.problems:
        raise ConfigError(path, document.problems)
    try:
        file = WebConfigFile.model_validate(document.data, context=files)
        config = _convert(file)
    except ValidationError as error:
        errors = [(each.steps, each.message) for each in model_errors(error, WebConfigFile)]
    except _UnsupportedError as error:
        errors = error.findings
    else:
        return config, _problems(document, _warnings(file))
    raise ConfigError(path, _problems(document, errors))


def _is_blank(content: bytes) -> bool:
    """Whether there are only comments and blank lines."""
    return all(not line or line.startswith(b"#") for line in map(bytes.strip, content.splitlines()))


def _problems(document: Document, findings: Iterable[_Finding]) -> list[Problem]:
    return [
        Problem(document.locate(steps)[0], format_path(steps), message)
        for steps, message in findings
    ]


def _convert(file: WebConfigFile) -> WebConfig:
    if errors := list(_errors(file)):
        raise _UnsupportedError(errors)
    limit, headers = file.rate_limit, file.http_server_config.headers
    return WebConfig(
        _tls(file.tls_server_config) if file.tls_server_config else None,
        tuple((name.lower().encode(), value.encode()) for name, value in headers if value),
        file.basic_auth_users,
        RateLimit(limit.interval, limit.burst) if limit and limit.interval else None,
    )


def _tls(settings: TlsServerConfig) -> Tls:
    try:
        context = create_context(settings)
    except TlsError as error:
        key = error.key if error.key in settings.model_fields_set else f"{error.key}_file"
        raise _UnsupportedError([(("tls_server_config", key), error.message)]) from None
    return Tls(context, frozenset(map(normalize_name, settings.client_allowed_sans)) or None)


def _warnings(file: WebConfigFile) -> Iterator[_Finding]:
    if file.http_server_config.http2:
        yield ("http_server_config", "http2"), "HTTP/2 is not supported; HTTP/1.1 is served"
    if file.rate_limit and file.rate_limit.interval and not file.rate_limit.burst:
        yield ("rate_limit",), "all requests are rejected; set burst to at least 1"
    if file.tls_server_config and len(file.tls_server_config.curve_preferences) > 1:
        yield (
            ("tls_server_config", "curve_preferences"),
            "Python can set one curve; the first that OpenSSL supports is used",
        )


def _errors(file: WebConfigFile) -> Iterator[_Finding]:
    """Values of the right type that are not supported, or contradict each other."""
    if file.tls_server_config:
        for key, message in _tls_errors(file.tls_server_config):
            yield ("tls_server_config", *key), message
    for user, hashed in file.basic_auth_users.items():
        error = "a user name cannot contain a colon" if ":" in user else validate_hash(str(hashed))
        if error:
            yield ("basic_auth_users", user), error


def _tls_errors(tls: TlsServerConfig) -> Iterator[_Finding]:
    for key in ("cert", "key"):
        if len(tls.model_fields_set & {key, f"{key}_file"}) != 1:
            yield (key,), f"exactly one of {key} and {key}_file is required"
    yield from _client_errors(tls)
    if tls.min_version > tls.max_version:
        yield ("max_version",), "must not be less than min_version"
    for index, curve in enumerate(tls.curve_preferences):
        if curve not in CURVES:
            yield ("curve_preferences", index), f"unknown curve; {suggestion(curve, CURVES)}"
    for index, suite in enumerate(tls.cipher_suites):
        if suite not in CIPHER_SUITES and suite not in TLS13_SUITES:
            yield ("cipher_suites", index), f"unknown suite; {suggestion(suite, CIPHER_SUITES)}"
    suites = CIPHER_SUITES.keys() & set(tls.cipher_suites)
    if tls.min_version == "TLS13" and suites:
        yield ("cipher_suites",), "apply to TLS 1.2, which min_version excludes"
    if tls.max_version == "TLS12" and tls.cipher_suites and not suites:
        yield ("cipher_suites",), "none of them is for TLS 1.2"


def _client_errors(tls: TlsServerConfig) -> Iterator[_Finding]:
    kind = tls.client_auth_type
    authorities = sorted(tls.model_fields_set & {"client_ca", "client_ca_file"})
    if kind == VERIFYING and not authorities:
        yield ("client_auth_type",), "client_ca or client_ca_file is required"
    if len(authorities) > 1:
        yield ("client_ca",), "at most one of client_ca and client_ca_file is allowed"
    elif authorities and kind == "NoClientCert":
        yield (authorities[0],), "requires a client_auth_type that verifies certificates"
    if tls.client_allowed_sans and kind != VERIFYING:
        yield ("client_allowed_sans",), f"requires client_auth_type: {VERIFYING}"
