"""Log lines: what they say, and that each is one line whatever is in it."""

from __future__ import annotations

import io
import json
import logging
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.logs import FORMATS, ExceptionRateLimit, Json, Logfmt, set_up


def record(message: str = "target is down", **fields: object) -> logging.LogRecord:
    attributes = {"msg": message, "levelname": "WARNING", "created": 1_780_000_000.25}
    return logging.makeLogRecord(attributes | fields)


def test_a_logfmt_line_has_time_level_message_and_fields_in_order() -> None:
    line = Logfmt().format(record(target="acme eu", duration=0.25, reason="auth"))
    assert line == (
        'ts=2026-05-28T20:26:40.250Z level=warning msg="target is down" '
        'target="acme eu" duration=0.25 reason=auth'
    )


def test_a_json_line_has_the_same() -> None:
    line = Json().format(record(target="é", duration=0.25, what=Exception))
    assert line == (
        '{"ts": "2026-05-28T20:26:40.250Z", "level": "warning", "msg": "target is down", '
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
def test_logfmt_quotes_what_would_be_mistaken(value: object, written: str) -> None:
    assert Logfmt().format(record(value=value)).split(" value=")[1] == written


@given(st.text(), st.text(), st.sampled_from([Logfmt(), Json()]))
def test_nothing_breaks_a_line(message: str, value: str, form: logging.Formatter) -> None:
    line = form.format(record("%s", args=(message,), detail=value))
    assert "\n" not in line
    assert "\r" not in line


@given(st.text(), st.text())
def test_json_gives_back_what_went_in(message: str, value: str) -> None:
    told = json.loads(Json().format(record("%s", args=(message,), detail=value)))
    assert (told["msg"], told["detail"]) == (message, value)


def fail(error: Exception) -> None:
    raise error


def raised(error: Exception) -> logging.LogRecord:
    """A record of an exception that was raised by `fail`."""
    with pytest.raises(type(error)):
        fail(error)
    return record(exc_info=(type(error), error, error.__traceback__))


@pytest.mark.parametrize("form", [Logfmt(), Json()])
def test_of_an_exception_the_type_and_the_place_are_logged_but_not_the_text(
    form: logging.Formatter,
) -> None:
    line = form.format(raised(ValueError("the key k1")))
    place = fail.__code__.co_firstlineno + 1
    assert f"ValueError (test_logs.py:{place})" in line
    assert "k1" not in line
    assert "exception" not in form.format(record(exc_info=(None, None, None)))


def test_an_exception_that_was_never_raised_has_no_place() -> None:
    line = Logfmt().format(record(exc_info=(ValueError, ValueError("k1"), None)))
    assert line.endswith(" exception=ValueError")


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


def logged(level: str, form: Literal["logfmt", "json"]) -> list[str]:
    stream = io.StringIO()
    set_up(level, form, stream)
    for name in ("exporter.polling", "httpx", "httpcore.http11", "another"):
        for said in (logging.DEBUG, logging.INFO, logging.WARNING):
            logging.getLogger(name).log(said, "%s says", name)
    return stream.getvalue().splitlines()


@pytest.mark.parametrize(
    ("level", "said"),
    [
        ("debug", ["debug", "info", "warning"]),
        ("info", ["info", "warning"]),
        ("warning", ["warning"]),
        ("error", []),
    ],
)
def test_the_level_is_the_exporter_s_own_and_libraries_that_quote_stay_silent(
    level: str, said: list[str]
) -> None:
    told = [json.loads(line) for line in logged(level, "json")]
    assert [(each["level"], each["msg"]) for each in told] == [
        *((each, "exporter.polling says") for each in said),
        ("warning", "another says"),
    ]


def test_the_form_is_chosen_by_its_name() -> None:
    assert list(FORMATS) == ["logfmt", "json"]
    (line,) = logged("error", "logfmt")
    assert line.endswith(' level=warning msg="another says"')


def test_lines_go_to_standard_error_unless_told_otherwise(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up("info", "logfmt")
    logging.getLogger("exporter").info("here")
    captured = capsys.readouterr()
    assert captured.err.endswith(" level=info msg=here\n")
    assert captured.out == ""
