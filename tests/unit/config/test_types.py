"""The kinds of values in a configuration, and the words for each way to be wrong."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError, create_model, field_validator
from pydantic_core import PydanticCustomError

from exporter.config.errors import explain
from exporter.config.models import Alerts, Http, Model, Poll, Target
from exporter.config.types import BaseUrl, Duration, Proxy, ProxyUrl


def probe(annotation: object) -> type[Model]:
    field: Any = (annotation, ...)
    return create_model("Probe", __base__=Model, field=field)


def message(annotation: object, value: object) -> str:
    model = probe(annotation)
    with pytest.raises(ValidationError) as caught:
        model.model_validate({"field": value})
    (finding,) = explain(caught.value, model)
    return finding.message


def value(annotation: object, given_value: object) -> object:
    model = probe(annotation)
    return getattr(model.model_validate({"field": given_value}), "field")  # noqa: B009  dynamic


@pytest.mark.parametrize(
    ("text", "seconds", "shown"),
    [
        ("0.5s", 0.5, "0.5s"),
        ("90s", 90, "90s"),
        ("15m", 900, "15m"),
        ("60m", 3600, "1h"),
        ("1.5h", 5400, "90m"),
        ("6h", 21600, "6h"),
        ("365d", 31_536_000, "365d"),
    ],
)
def test_a_duration_is_seconds_and_is_shown_in_its_largest_unit(
    text: str, seconds: float, shown: str
) -> None:
    duration = Duration.parse(text)
    assert duration == seconds
    assert duration.text == shown


@given(st.floats(1e-6, 31_536_000).map(Duration))
def test_a_duration_that_is_shown_means_itself(duration: Duration) -> None:
    assert Duration.parse(duration.text) == pytest.approx(duration, abs=1e-9)


@pytest.mark.parametrize(
    "text",
    ["", "s", "1", "1 s", "-1s", "1w", "1M", "1_0s", ".5s", "1.s", "\u0661s", "1e3s", "1s\n"],
)
def test_another_text_is_no_duration(text: str) -> None:
    assert message(Duration, text) == "must be a duration such as 90s, 15m, 6h or 1d"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://api.example.com", "https://api.example.com"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("http://[::1]:8080/v3//", "http://[::1]:8080/v3"),
        ("HTTPS://my_host/a/b", "HTTPS://my_host/a/b"),
    ],
)
def test_a_url_loses_its_trailing_slash(text: str, url: str) -> None:
    assert value(BaseUrl, text) == url


@pytest.mark.parametrize(
    "host",
    [
        "",
        ":80",
        "a..b",
        ".a",
        "a.",
        "-a",
        "a-",
        "a" * 64,
        "a." * 127 + "aa",
        "[::",
        "[1.2.3.4]",
        "[1:2]",
        "[::1%eth0]",
        "[::1]x]",
        "a:",
        "a:0",
        "a:65536",
        "a:b",
        "a,b",
        "a:1:2",
    ],
)
def test_a_url_whose_host_or_port_cannot_be_reached_is_refused(host: str) -> None:
    assert message(BaseUrl, f"http://{host}/") == "must be a URL with a valid host and port"


@pytest.mark.parametrize(
    "text", ["ftp://a", "//a", "http:a", "http://a b", "http://a\\b", "http://\u00e4"]
)
def test_a_url_with_odd_parts_is_refused(text: str) -> None:
    assert message(BaseUrl, text).startswith("must be a URL that starts with https:// or http://")


@given(st.text(max_size=30), st.sampled_from(["http://", "https://", ""]))
def test_any_text_is_a_url_or_is_refused(text: str, scheme: str) -> None:
    try:
        url = value(BaseUrl, scheme + text)
    except ValidationError:
        return
    assert str(url).isascii()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://user:p@ssword@proxy:3128", "http://<secret>@proxy:3128"),
        ("http://proxy:3128/", "http://proxy:3128"),
    ],
)
def test_a_proxy_is_shown_without_its_user(text: str, shown: str) -> None:
    proxy = value(Proxy, text)
    assert isinstance(proxy, ProxyUrl)
    assert repr(proxy) == shown
    assert proxy.reveal() == text.rstrip("/")


@pytest.mark.parametrize(
    ("annotation", "given_value", "expected"),
    [
        (Annotated[float, Field(lt=5)], 5, "must be below 5"),
        (Annotated[str, Field(pattern="^a$")], "b", "has a form that is not allowed here"),
        (Annotated[str, Field(min_length=2)], "b", "must have 2 or more characters"),
        (Annotated[str, Field(max_length=2)], "bbb", "must have at most 2 characters"),
        (Annotated[tuple[int, ...], Field(max_length=1)], (1, 2), "must have at most 1 entries"),
        (dict[str, int], 5, "must be a mapping of keys to values"),
        (Literal["a"] | int, "b", "must be 'a', or must be a whole number"),
        (date, "2026-01-01", "is not valid here"),
    ],
)
def test_each_error_has_plain_words(annotation: object, given_value: object, expected: str) -> None:
    assert message(annotation, given_value) == expected


VALUES = [None, True, -1, 0, 5, 1.5, float("inf"), "", "x", "\0", "x" * 200, (), (1,), {}, {"x": 1}]


@pytest.mark.parametrize("model", [Poll, Http, Alerts, Target], ids=lambda model: model.__name__)
def test_every_error_that_can_occur_has_words_of_its_own(model: type[Model]) -> None:
    for field in model.model_fields:
        for each in VALUES:
            try:
                model.model_validate({"name": "one", "vendor": "acme", field: each})
            except ValidationError as error:
                said = [finding.message for finding in explain(error, model)]
                assert "is not valid here" not in said


def test_a_misspelt_key_is_recognised_below_a_list() -> None:
    assert message(tuple[Http, ...] | None, ({"proxy": None},)) == (
        'unknown key; did you mean "proxy_url"?'
    )


def test_words_that_others_raise_are_not_shown() -> None:
    class Probe(Model):
        field: str

        @field_validator("field")
        @classmethod
        def _refuse(cls, value: str) -> str:
            raise PydanticCustomError("theirs", "the value is {value}", {"value": value})

    with pytest.raises(ValidationError) as caught:
        Probe.model_validate({"field": "s3cr3t"})
    assert [finding.message for finding in explain(caught.value, Probe)] == ["is not valid here"]


def test_settings_can_be_made_without_a_file() -> None:
    target = Target.model_validate({"name": "one", "vendor": "acme", "api_key": "k1"})
    assert target.key.read().reveal() == "k1"
    assert target.poll.stale_after.text == "45m"
    assert "k1" not in repr(target)
