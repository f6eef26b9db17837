"""The types of a configuration's values, and the message for each error."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError, create_model, field_validator
from pydantic_core import PydanticCustomError

from exporter.config.errors import model_errors
from exporter.config.models import Alerts, Http, Model, Poll, Target
from exporter.config.types import BaseUrl, Duration, Proxy, ProxyUrl


def probe(annotation: object) -> type[Model]:
    field: Any = (annotation, ...)
    return create_model("Probe", __base__=Model, field=field)


def message(annotation: object, value: object) -> str:
    model = probe(annotation)
    with pytest.raises(ValidationError) as caught:
        model.model_validate({"field": value})
    (error,) = model_errors(caught.value, model)
    return error.message


def value(annotation: object, given_value: object) -> object:
    model = probe(annotation)
    return getattr(model.model_validate({"field": given_value}), "field")  # noqa: B009  dynamic


@pytest.mark.parametrize("text", ["15m", "1h30m", "500ms", "1y"])
def test_a_duration_is_shown_as_it_was_written(text: str) -> None:
    assert Duration.parse(text).text == text


@pytest.mark.parametrize("text", ["0s", "0.4ms", "1y1ms", "999999999y"])
def test_a_duration_out_of_range_is_refused(text: str) -> None:
    assert message(Duration, text) == "must be between 1ms and 1y"


@pytest.mark.parametrize("given_value", ["", "soon", 15, None])
def test_another_value_is_not_a_duration(given_value: object) -> None:
    assert message(Duration, given_value) == "expected a duration such as 90s, 15m or 1h30m"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://api.example.com", "https://api.example.com"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("http://[::1]:8080/v2//", "http://[::1]:8080/v2"),
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
def test_a_url_with_an_invalid_host_or_port_is_refused(host: str) -> None:
    assert message(BaseUrl, f"http://{host}/") == "invalid host or port in the URL"


@pytest.mark.parametrize(
    "text", ["ftp://a", "//a", "http:a", "http://a b", "http://a\\b", "http://\u00e4"]
)
def test_a_url_with_invalid_characters_is_refused(text: str) -> None:
    assert message(BaseUrl, text).startswith("expected a URL that starts with https:// or http://")


@given(st.text(max_size=30), st.sampled_from(["http://", "https://", ""]))
def test_any_text_is_refused_or_an_ascii_url(text: str, scheme: str) -> None:
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
        (Annotated[float, Field(lt=5)], 5, "must be less than 5"),
        (Annotated[str, Field(pattern="^a$")], "b", "invalid format"),
        (Annotated[str, Field(min_length=2)], "b", "expected 2 or more characters"),
        (Annotated[str, Field(max_length=2)], "bbb", "expected at most 2 characters"),
        (Annotated[tuple[int, ...], Field(max_length=1)], (1, 2), "expected at most 1 entries"),
        (dict[str, int], 5, "expected a mapping"),
        (Literal["a"] | int, "b", "expected 'a', or expected a whole number"),
        (date, "2026-01-01", "invalid value"),
    ],
)
def test_each_error_has_its_message(annotation: object, given_value: object, expected: str) -> None:
    assert message(annotation, given_value) == expected


VALUES = [None, True, -1, 0, 5, 1.5, float("inf"), "", "x", "\0", "x" * 200, (), (1,), {}, {"x": 1}]


@pytest.mark.parametrize("model", [Poll, Http, Alerts, Target], ids=lambda model: model.__name__)
def test_no_error_of_a_model_has_the_fallback_message(model: type[Model]) -> None:
    for field in model.model_fields:
        for each in VALUES:
            try:
                model.model_validate({"name": "one", "vendor": "acme", field: each})
            except ValidationError as invalid:
                messages = [error.message for error in model_errors(invalid, model)]
                assert "invalid value" not in messages


def test_a_misspelt_key_in_a_list_of_sections_gets_a_suggestion() -> None:
    assert message(tuple[Http, ...] | None, ({"proxy": None},)) == (
        'unknown key; did you mean "proxy_url"?'
    )


def test_messages_of_other_validators_are_not_shown() -> None:
    class Probe(Model):
        field: str

        @field_validator("field")
        @classmethod
        def _refuse(cls, value: str) -> str:
            raise PydanticCustomError("theirs", "the value is {value}", {"value": value})

    with pytest.raises(ValidationError) as caught:
        Probe.model_validate({"field": "s3cr3t"})
    assert [error.message for error in model_errors(caught.value, Probe)] == ["invalid value"]


def test_settings_can_be_validated_without_a_file() -> None:
    target = Target.model_validate({"name": "one", "vendor": "acme", "api_key": "k1"})
    assert target.key.read().reveal() == "k1"
    assert target.poll.stale_after.text == "45m"
    assert "k1" not in repr(target)


@pytest.mark.parametrize("text", ["http://a/v1", "http://a/v3", "http://a/gateway/v3/"])
def test_a_base_url_with_the_version_of_the_api_is_refused_with_the_remedy(text: str) -> None:
    assert message(BaseUrl, text).startswith(f"remove {text.rstrip('/')[-3:]} from the end")


def test_a_key_of_a_section_is_referred_to_the_section() -> None:
    with pytest.raises(ValidationError) as caught:
        Target.model_validate({"name": "a", "vendor": "b", "api_key": "k", "interval": "1h"})
    (error,) = model_errors(caught.value, Target)
    assert error.message == 'unknown key; it belongs under "poll"'
