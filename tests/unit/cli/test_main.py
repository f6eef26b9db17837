"""The command line: what it takes, what it says, and its exit status."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from exporter_process import (
    affinda_target,
    configuration,
    done,
    xtracta_target,
)

from exporter.app import VERSION
from exporter.server.sockets import bound_sockets

if TYPE_CHECKING:
    from pathlib import Path

    from cli_runner import CliRunner

NOWHERE = "http://127.0.0.1:9"  # nothing listens there
NOT_TO_SERVE = "--web.listen-address=nonsense"  # a program that serves after all ends at once


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.yaml"
    path.write_text(configuration(affinda_target(NOWHERE), xtracta_target(NOWHERE)))
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.yaml"
    path.write_text(
        "pol: {interval: 15m}\n"
        "poll: {interval: 15}\n"
        "targets:\n"
        "  - {name: a, vendor: afinda, api_key: made-up-key}\n"
        "  - {name: a, vendor: xtracta}\n"
    )
    return path


def problems_of(path: Path) -> str:
    return f"""\
the configuration cannot be used:
{path}:1: pol: unknown key; did you mean "poll"?
{path}:2: poll.interval: must be a duration such as 90s, 15m, 6h or 1d
{path}:4: targets[0].vendor: unknown vendor; did you mean "affinda"?
{path}:5: targets[1]: needs exactly one of api_key_file, api_key_env, api_key
{path}:5: targets[1].name: is the name of targets[0] already
"""


# check


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "{}"],
        ["check", "--config.file={}"],
        ["--config.check", "--config.file={}"],
        ["serve", "--config.check", "--config.file={}"],
    ],
)
def test_a_good_file_is_said_to_be_valid(said: CliRunner, good: Path, arguments: list[str]) -> None:
    told = said(*(argument.format(good) for argument in arguments))
    assert told == (0, f"{good} is valid: 2 targets\n", "")


@pytest.mark.parametrize("arguments", [["check"], ["--config.check"], ["serve"], [], ["probe"]])
def test_a_bad_file_is_refused_with_every_problem_and_its_line(
    said: CliRunner, bad: Path, arguments: list[str]
) -> None:
    assert said(*arguments, f"--config.file={bad}") == (1, "", problems_of(bad))


@pytest.mark.e2e
def test_a_bad_file_ends_the_program_in_words(bad: Path) -> None:
    assert done(f"--config.file={bad}") == (1, "", problems_of(bad))


def test_nothing_listens_when_the_file_is_bad(said: CliRunner, bad: Path) -> None:
    # The address is not even looked at.
    status, _, words = said(f"--config.file={bad}", "--web.listen-address=nonsense")
    assert (status, words) == (1, problems_of(bad))


@pytest.mark.parametrize(
    ("vendor", "more", "words"),
    [
        ("xtracta", "groups: [4, 5, 5]", "groups: names 5 twice"),
        ("affinda", "organization: o, workspaces: [w1, w1]", "workspaces: names w1 twice"),
        (
            "affinda",
            "organization: o, document_types: [made-up-key-of-20-ch, made-up-key-of-20-ch]",
            "document_types: names an entry twice",
        ),
    ],
)
def test_a_scope_that_is_named_twice_is_a_problem(
    said: CliRunner, tmp_path: Path, vendor: str, more: str, words: str
) -> None:
    path = tmp_path / "twice.yaml"
    path.write_text(
        f"targets:\n  - {{name: a, vendor: {vendor}, api_key: made-up-key,\n    {more}}}\n"
    )
    expected = f"the configuration cannot be used:\n{path}:3: targets[0].{words}\n"
    assert said("check", str(path)) == (1, "", expected)


def test_a_missing_file_is_said_in_words(said: CliRunner, tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    words = (
        f"the configuration cannot be used:\n{path}: cannot be read: No such file or directory\n"
    )
    assert said("check", str(path)) == (1, "", words)


# Flags and variables


def test_an_address_that_is_none_or_in_use_is_said_in_words(said: CliRunner, good: Path) -> None:
    (taken,) = bound_sockets(["127.0.0.1:0"])
    address = f"127.0.0.1:{taken.getsockname()[1]}"
    for given, words in [
        ("nonsense", "invalid listen address 'nonsense'; expected HOST:PORT or :PORT"),
        (address, f"cannot listen on {address}: Address already in use"),
    ]:
        told = said(f"--config.file={good}", f"--web.listen-address={given}")
        assert told == (1, "", f"{words}\n")
    taken.close()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--nonsense"], "unrecognized arguments: --nonsense"),
        (["prob"], "unrecognized arguments: prob"),
        (["--config.fil=x"], "unrecognized arguments: --config.fil=x"),
        (["check", "--log.level=loud"], "argument --log.level: invalid choice: 'loud'"),
        (["probe", "--config.file={}", "nobody"], "no such target: nobody"),
    ],
)
def test_misuse_is_said_in_words_and_has_a_status_of_its_own(
    said: CliRunner, good: Path, arguments: list[str], words: str
) -> None:
    status, output, errors = said(*(argument.format(good) for argument in arguments))
    assert (status, output) == (2, "")
    assert words in errors


@pytest.mark.parametrize("command", ["serve", "demo", "healthcheck"])
@pytest.mark.parametrize("url", ["http://[::1", "docusage", "example.com/docusage", "/docusage"])
def test_an_external_url_that_is_none_is_said_in_words(
    said: CliRunner, command: str, url: str
) -> None:
    status, output, errors = said(command, f"--web.external-url={url}")
    assert (status, output) == (2, "")
    assert errors.endswith(
        ": error: web.external-url must be a URL such as https://example.com/docusage\n"
    )


@pytest.mark.parametrize("variable", ["DOCUSAGE_LOG_LEVEL", "DOCUSAGE_LOG_FORMAT"])
def test_a_variable_is_held_to_the_choices_of_its_flag(
    said: CliRunner, good: Path, variable: str
) -> None:
    status, _, errors = said("check", str(good), environ={variable: "loud"})
    assert status == 2
    assert "must be one of " in errors


def test_a_file_can_be_named_and_checked_by_variables(
    said: CliRunner, good: Path, bad: Path
) -> None:
    environ = {"DOCUSAGE_CONFIG_FILE": str(good), "DOCUSAGE_CONFIG_CHECK": "true"}
    assert said(environ=environ) == (0, f"{good} is valid: 2 targets\n", "")
    assert said(f"--config.file={bad}", environ=environ)[0] == 1
    assert said("check", environ=environ | {"DOCUSAGE_CONFIG_FILE": ""})[2].startswith(
        "the configuration cannot be used:\nconfig.yaml: "
    )


@pytest.mark.parametrize("value", ["true", "True", "TRUE", "1"])
def test_a_switch_is_on_by_its_variable(said: CliRunner, good: Path, value: str) -> None:
    environ = {"DOCUSAGE_CONFIG_CHECK": value}
    told = said(f"--config.file={good}", NOT_TO_SERVE, environ=environ)
    assert told == (0, f"{good} is valid: 2 targets\n", "")


@pytest.mark.parametrize("value", ["false", "False", "0", ""])
def test_a_switch_is_off_by_its_variable(said: CliRunner, good: Path, value: str) -> None:
    environ = {"DOCUSAGE_CONFIG_CHECK": value}
    status, output, errors = said(f"--config.file={good}", NOT_TO_SERVE, environ=environ)
    assert (status, output) == (1, "")
    assert errors.startswith("invalid listen address 'nonsense'")


@pytest.mark.parametrize("variable", ["CONFIG_CHECK", "CONFIG_ENABLE_AUTO_RELOAD"])
def test_a_switch_whose_variable_says_neither_is_refused_by_name(
    said: CliRunner, good: Path, variable: str
) -> None:
    environ = {f"DOCUSAGE_{variable}": "yes"}
    told = said(f"--config.file={good}", NOT_TO_SERVE, environ=environ)
    assert told[:2] == (2, "")
    assert told[2].endswith(f": error: DOCUSAGE_{variable} must be true or false\n")


def test_a_switch_that_is_given_needs_no_variable(said: CliRunner, good: Path) -> None:
    environ = {"DOCUSAGE_CONFIG_CHECK": "yes"}
    arguments = ["--config.check", f"--config.file={good}", NOT_TO_SERVE]
    assert said(*arguments, environ=environ)[0] == 0


def test_the_version_is_told(said: CliRunner) -> None:
    assert said("--version") == (0, f"docusage-exporter {VERSION}\n", "")
    assert re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", VERSION)


@pytest.mark.parametrize(
    "command", ["serve", "check", "probe", "backfill", "demo", "schema", "healthcheck"]
)
def test_every_command_has_help_and_is_named_in_the_help_of_all(
    said: CliRunner, command: str
) -> None:
    status, words, errors = said(command, "--help")
    assert (status, errors) == (0, "")
    assert words.startswith("usage: docusage-exporter ")
    assert "--log.level {debug,info,warning,error}" in words
    assert re.search(rf"^  {command} +[a-z]", said("--help")[1], re.MULTILINE)


def flags_of(words: str) -> set[str]:
    return set(re.findall(r"^  --([a-z.-]+)", words, re.MULTILINE))


def test_the_flags_are_those_of_a_prometheus_exporter(said: CliRunner) -> None:
    assert flags_of(said("--help")[1]) >= {
        "config.file",
        "config.check",
        "config.enable-auto-reload",
        "web.config.file",
        "web.listen-address",
        "web.telemetry-path",
        "web.external-url",
        "web.route-prefix",
        "log.level",
        "log.format",
        "version",
    }
