"""The models of a configuration. Each vendor adds its own subclass of `Target`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from exporter.config.errors import Problem, config_error
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
KEY_FIELDS: Final = ("api_key_file", "api_key_env", "api_key")


class Model(BaseModel):
    """A mapping of the configuration: frozen, strict, without unknown keys.

    YAML's lists arrive as tuples: declare `tuple[X, ...]`. A field's docstring is its description
    in the JSON Schema and in the reference. Validators raise `errors.config_error(message)`.
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
    """Time between two polls of a target."""

    timeout: Duration = Field(
        default_factory=lambda data: Duration(min(_TIMEOUT, data["interval"])),
        validate_default=True,
    )
    """Timeout of a poll, all its requests included; at most `interval`. Default: 20s, or `interval`
    if that is less."""

    stale_after: Duration = Field(
        default_factory=lambda data: Duration(_STALE_INTERVALS * data["interval"]),
        validate_default=True,
    )
    """Age at which the values of the last successful poll expire; at least `interval`. Default:
    three times `interval`."""

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
    """How often targets are polled, and limits for all polls together."""

    max_concurrent: int = Field(16, ge=1, le=10_000)
    """Polls that may start at the same time, over all targets. A poll that still waits for its
    vendor after a second no longer counts: a hung vendor delays no other's targets."""

    requests_per_second: float = Field(5.0, ge=0.001, le=1000)
    """Limit of requests per second to each API host."""


class Http(Model):
    """How the vendors' APIs are reached."""

    proxy_url: Proxy | None = None
    """URL of an HTTP proxy, with user and password if it needs them."""

    proxy_from_environment: bool = False
    """Whether the environment variables HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY apply."""

    tls_ca_file: CertificateFile | None = None
    """File of certificates (PEM) to trust instead of the system's."""


class Alerts(Model):
    """Thresholds of the alerts on an allowance."""

    warning_ratio: float = Field(0.2, ge=0, le=1)
    """Share of an allowance, 0 to 1: a warning is due when less is left."""

    critical_ratio: float = Field(0.05, ge=0, le=1, validate_default=True)
    """The same for a critical alert; at most `warning_ratio`."""

    @field_validator("critical_ratio")
    @classmethod
    def _below_warning(cls, value: float, info: ValidationInfo) -> float:
        if value > info.data.get("warning_ratio", value):
            raise config_error("critical_ratio must be at most warning_ratio")
        return value


class Target(Model):
    """The keys of every vendor's targets; a vendor adds its own keys, and a Literal for `vendor`.

    `poll`, `http` and `alerts` are effective values: the file's defaults, overridden by the
    target's own keys. Targets without own keys share the objects of the defaults.
    """

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": [name]} for name in KEY_FIELDS]}
    )

    name: Name
    """Unique name: the label `target` of the target's metrics."""

    vendor: str
    """The vendor whose API is polled."""

    base_url: BaseUrl | None = None
    """URL of the API without its version, for a gateway, a self-hosted installation or a test.
    Default: the vendor's."""

    api_key_file: FileKey | None = None
    """File with the API key as its only line; it is read again when it changes."""

    api_key_env: EnvKey | None = None
    """Name of the environment variable with the API key."""

    api_key: InlineKey | None = Field(None, validate_default=True)
    """The API key itself; prefer a file."""

    poll: PollSettings = Field(default_factory=PollSettings)
    """Overrides the defaults key by key."""

    http: Http = Field(default_factory=Http)
    """Overrides the defaults key by key."""

    alerts: Alerts = Field(default_factory=Alerts)
    """Overrides the defaults key by key."""

    def model_post_init(self, _context: object, /) -> None:
        """Drop the set of given keys: it is not needed, and takes memory for each target."""
        self.__pydantic_fields_set__.clear()

    @field_validator("api_key")
    @classmethod
    def _one_key(cls, value: object, info: ValidationInfo) -> object:
        # An invalid field is missing in `data`, and has been reported.
        given = [info.data.get(name, "") for name in KEY_FIELDS[:-1]] + [value]
        if sum(key is not None for key in given) != 1:
            raise config_error(f"expected exactly one of {', '.join(KEY_FIELDS)}")
        return value

    @property
    def address(self) -> str:
        """The API's URL, without a trailing slash."""
        return self.base_url or ""

    @property
    def key(self) -> KeySource:
        """The source of the API key."""
        source = self.api_key_file or self.api_key_env or self.api_key
        assert source is not None  # noqa: S101  the validator above ensures it
        return source


class Defaults(Model):
    """The file's sections other than the targets: defaults for every target."""

    poll: Poll = Field(default_factory=Poll)
    http: Http = Field(default_factory=Http)
    alerts: Alerts = Field(default_factory=Alerts)


class TargetWarning(NamedTuple):
    """A problem of one target that does not keep the others from being polled."""

    target: str
    problem: Problem


class Config(NamedTuple):
    """A valid configuration.

    Args:
        poll, http, alerts: the defaults.
        targets: in the file's order.
        warnings: in the order of targets.
    """

    poll: Poll
    http: Http
    alerts: Alerts
    targets: tuple[Target, ...]
    warnings: tuple[TargetWarning, ...] = ()
