"""Log lines: their fields, and that each record is one line whatever it contains."""

from __future__ import annotations

import io
import json
import logging
import re
from typing import Literal, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.logging import FORMATS, ExceptionRateLimit, Json, Logfmt, set_up

Level: TypeAlias = Literal["debug", "info", "warn", "error"]


def record(message: str = "target is down", **fields: object) -> logging.LogRecord:
    attributes = {"msg": message, "levelname": "WARNING", "created": 1_780_000_000.25}
    return logging.makeLogRecord(attributes | fields)


def test_a_logfmt_line_has_time_level_message_and_fields_in_order() -> None:
    line = Logfmt().format(record(target="acme eu", duration=0.25, reason="auth"))
    assert line == (
        'ts=2026-05-28T20:26:40.250Z level=warn msg="target is down" '
        'target="acme eu" duration=0.25 reason=auth'
    )


def test_a_json_line_has_the_same() -> None:
    line = Json().format(record(target="é", duration=0.25, what=Exception))
    assert line == (
        '{"ts": "2026-05-28T20:26:40.250Z", "level": "warn", "msg": "target is down", '
        '"target": "é", "duration": 0.25, "what": "<class \'Exception\'>"}'
    )


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain-text:1/2", "plain-text:1/2"),
        ("", '""'),
        ("two words", '"two words"'),
        ('a "quote"', '"a \\"quote\\""'),
        ("a=b", '"a=b"'),
        ("one\ntwo", '"one\\ntwo"'),
        ("back\\slash", '"back\\\\slash"'),
        ("\x1b[31m", '"\\u001b[31m"'),
        (7, "7"),
        (None, "None"),
    ],
)
def test_logfmt_quotes_ambiguous_values(value: object, written: str) -> None:
    assert Logfmt().format(record(value=value)).split(" value=")[1] == written


@given(st.text(), st.text(), st.sampled_from([Logfmt(), Json()]))
def test_a_record_is_one_line(message: str, value: str, formatter: logging.Formatter) -> None:
    line = formatter.format(record("%s", args=(message,), detail=value))
    assert "\n" not in line
    assert "\r" not in line


@given(st.text(), st.text())
def test_json_preserves_message_and_fields(message: str, value: str) -> None:
    line = json.loads(Json().format(record("%s", args=(message,), detail=value)))
    assert (line["msg"], line["detail"]) == (message, value)


@pytest.mark.parametrize("formatter", [Logfmt(), Json()])
def test_an_exception_without_a_traceback_is_its_type_alone(formatter: logging.Formatter) -> None:
    error = ValueError("the key k1")
    line = formatter.format(record(exc_info=(ValueError, error, None)))
    assert "ValueError" in line
    assert "k1" not in line
    assert "exception" not in formatter.format(record(exc_info=(None, None, None)))


def test_an_exception_is_its_type_and_place_without_its_text() -> None:
    with pytest.raises(ValueError, match="k1") as caught:
        int("the key k1")
    line = Logfmt().format(record(exc_info=(ValueError, caught.value, caught.tb)))
    assert re.search(r' exception="ValueError \(test_logging\.py:[0-9]+\)"$', line)


def fail(error: Exception) -> None:
    raise error


def raised(error: Exception) -> logging.LogRecord:
    """A record of an exception that was raised by `fail`."""
    with pytest.raises(type(error)):
        fail(error)
    return record(exc_info=(type(error), error, error.__traceback__))


def test_an_exception_is_logged_once_a_minute_for_each_type_and_place() -> None:
    now = 0.0
    limit = ExceptionRateLimit(lambda: now)

    def passes() -> list[bool]:
        other_place = record(exc_info=(ValueError, ValueError(), None))
        return [
            limit.filter(each)
            for each in (raised(ValueError()), raised(TypeError()), other_place, record())
        ]

    assert passes() == [True, True, True, True]
    now = 59.9
    assert passes() == [False, False, False, True]
    now = 60.0
    assert passes() == [True, True, True, True]
    assert limit.filter(record(exc_info=(None, None, None)))


def test_repeated_exceptions_are_limited_once_logging_is_set_up() -> None:
    stream = io.StringIO()
    set_up("info", "logfmt", stream)
    for _ in range(3):
        logging.getLogger("exporter").error("failed", exc_info=ValueError())
    assert len(stream.getvalue().splitlines()) == 1


def logged(level: Level, log_format: Literal["logfmt", "json"]) -> list[str]:
    stream = io.StringIO()
    set_up(level, log_format, stream)
    for name in ("exporter.polling.poll", "httpx", "httpcore.http11", "another"):
        for number in (logging.DEBUG, logging.INFO, logging.WARNING):
            logging.getLogger(name).log(number, "%s says", name)
    return stream.getvalue().splitlines()


@pytest.mark.parametrize(
    ("level", "logged_levels"),
    [
        ("debug", ["debug", "info", "warn"]),
        ("info", ["info", "warn"]),
        ("warn", ["warn"]),
        ("error", []),
    ],
)
def test_the_level_applies_to_the_exporter_and_http_libraries_are_not_logged(
    level: Level, logged_levels: list[str]
) -> None:
    lines = [json.loads(line) for line in logged(level, "json")]
    assert [(each["level"], each["msg"]) for each in lines] == [
        *((each, "exporter.polling.poll says") for each in logged_levels),
        ("warn", "another says"),
    ]


def test_the_formats_are_logfmt_and_json() -> None:
    assert list(FORMATS) == ["logfmt", "json"]
    (line,) = logged("error", "logfmt")
    assert line.endswith(' level=warn msg="another says"')


def test_lines_go_to_standard_error_by_default(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up("info", "logfmt")
    logging.getLogger("exporter").info("here")
    captured = capsys.readouterr()
    assert captured.err.endswith(" level=info msg=here\n")
    assert captured.out == ""
