"""The configuration: strict YAML to frozen models, with every problem at once and its line.

No vendor is known here by name: each hands in its settings, a subclass of `Target`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from exporter.config.errors import (
    Problem,
    config_error,
)
from exporter.config.types import (
    BaseUrl,
    CertificateFile,
    Duration,
    EnvKey,
    FileKey,
    InlineKey,
    Name,
    Proxy,
)

if TYPE_CHECKING:
    from exporter.secrets import KeySource

_TIMEOUT: Final = 20.0
_STALE_INTERVALS: Final = 3
_KEY_PLACES: Final = ("api_key_file", "api_key_env", "api_key")


class Model(BaseModel):
    """A mapping of the configuration: frozen, strict, without unknown keys.

    YAML's lists arrive as tuples: declare `tuple[X, ...]`. Docstrings of fields are the schema's
    descriptions. Validators of a field raise `problems.wrong(message)`.
    """

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        hide_input_in_errors=True,
        allow_inf_nan=False,
        validate_default=False,
        arbitrary_types_allowed=True,
    )


class PollSettings(Model):
    """How often a target is polled."""

    interval: Duration = Duration(15 * 60)
    """Time from one poll of a target to the next."""

    timeout: Duration = Field(
        default_factory=lambda data: Duration(min(_TIMEOUT, data["interval"])),
        validate_default=True,
    )
    """Time for a whole poll, all its requests included; default: 20 seconds, or the interval."""

    stale_after: Duration = Field(
        default_factory=lambda data: Duration(_STALE_INTERVALS * data["interval"]),
        validate_default=True,
    )
    """Age at which values that could not be renewed are withdrawn; default: three intervals."""

    @field_validator("timeout")
    @classmethod
    def _within_interval(cls, value: Duration, info: ValidationInfo) -> Duration:
        if value > info.data.get("interval", value):
            raise config_error("timeout must be at most interval")
        return value

    @field_validator("stale_after")
    @classmethod
    def _beyond_interval(cls, value: Duration, info: ValidationInfo) -> Duration:
        if value < info.data.get("interval", value):
            raise config_error("stale_after must be at least interval")
        return value


class Poll(PollSettings):
    """How often targets are polled, and what all polls together may use."""

    max_concurrent: int = Field(16, ge=1, le=10_000)
    """Polls that may be starting at the same time, over all targets. One that still waits for its
    vendor after a second no longer counts: a hung vendor delays no other's targets."""

    requests_per_second: float = Field(5.0, ge=0.001, le=1000)
    """Requests that may be started in a second, for each API host."""


class Http(Model):
    """How the vendors' APIs are reached."""

    proxy_url: Proxy | None = None
    """An HTTP proxy; it may hold a user and a password."""

    proxy_from_environment: bool = False
    """Whether HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY are followed."""

    tls_ca_file: CertificateFile | None = None
    """Certificates (PEM) to trust instead of the usual authorities."""


class Alerts(Model):
    """When what is left of an allowance is worth an alert."""

    warning_ratio: float = Field(0.2, ge=0, le=1)
    """Share of an allowance, 0 to 1, below which a warning is due."""

    critical_ratio: float = Field(0.05, ge=0, le=1, validate_default=True)
    """The same for a critical alert; at most the warning's."""

    @field_validator("critical_ratio")
    @classmethod
    def _below_warning(cls, value: float, info: ValidationInfo) -> float:
        if value > info.data.get("warning_ratio", value):
            raise config_error("critical_ratio must be at most warning_ratio")
        return value


class Target(Model):
    """What every vendor's targets have; a vendor adds its own keys, and a Literal for `vendor`.

    `poll`, `http` and `alerts` are effective values: the file's defaults with the target's own
    keys over them. Targets without keys of their own share the defaults' objects.
    """

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": [place]} for place in _KEY_PLACES]}
    )

    name: Name
    """The target's name, unique in the file: the label `target` of every metric."""

    vendor: str
    """Whose API is asked."""

    base_url: BaseUrl | None = None
    """Where the API is, for a gateway, a self-hosted installation or a test."""

    api_key_file: FileKey | None = None
    """A file whose one line is the API key; it is read again when it changes."""

    api_key_env: EnvKey | None = None
    """The environment variable that holds the API key."""

    api_key: InlineKey | None = Field(None, validate_default=True)
    """The API key itself; a file is the better place."""

    poll: PollSettings = Field(default_factory=PollSettings)
    """Overrides the defaults key by key."""

    http: Http = Field(default_factory=Http)
    """Overrides the defaults key by key."""

    alerts: Alerts = Field(default_factory=Alerts)
    """Overrides the defaults key by key."""

    def model_post_init(self, _context: object, /) -> None:
        """Forget which keys the file gave: nobody asks, and it is a lot to keep for each target."""
        self.__pydantic_fields_set__.clear()

    @field_validator("api_key")
    @classmethod
    def _one_key(cls, value: object, info: ValidationInfo) -> object:
        # A place that is wrong itself is missing in `data`, and has been reported.
        places = [info.data.get(place, "") for place in _KEY_PLACES[:-1]] + [value]
        if sum(place is not None for place in places) != 1:
            raise config_error(f"needs exactly one of {', '.join(_KEY_PLACES)}")
        return value

    @property
    def address(self) -> str:
        """Where the API answers, without a trailing slash."""
        return self.base_url or ""

    @property
    def key(self) -> KeySource:
        """Where the API key is kept."""
        source = self.api_key_file or self.api_key_env or self.api_key
        assert source is not None  # noqa: S101  the validator above saw to it
        return source


class Defaults(Model):
    """The file's sections beside the targets: defaults for every target."""

    poll: Poll = Field(default_factory=Poll)
    """How often targets are polled, and what all polls together may use."""

    http: Http = Field(default_factory=Http)
    """How the vendors' APIs are reached."""

    alerts: Alerts = Field(default_factory=Alerts)
    """When what is left of an allowance is worth an alert."""


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration that can be used.

    Args:
        poll, http, alerts: the defaults.
        targets: in the file's order.
        warnings: what is odd about it, in the order of lines.
    """

    poll: Poll
    http: Http
    alerts: Alerts
    targets: tuple[Target, ...]
    warnings: tuple[Problem, ...] = ()
