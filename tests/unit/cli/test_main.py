"""The command line: arguments, output and exit status."""

from __future__ import annotations

import os
import platform
import re
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from exporter_process import (
    affinda_target,
    configuration,
    done,
    xtracta_target,
)

from exporter.app import VERSION
from exporter.cli.flags import BOOLEAN_FLAGS
from exporter.cli.main import COMMANDS, split_command
from exporter.server.sockets import bound_sockets

if TYPE_CHECKING:
    from pathlib import Path

    from cli_runner import CliRunner

NOWHERE = "http://127.0.0.1:9"  # nothing listens there
INVALID_ADDRESS = "--web.listen-address=nonsense"  # ends a program that tries to serve


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
invalid configuration:
{path}:1: pol: unknown key; did you mean "poll"?
{path}:2: poll.interval: expected a duration such as 90s, 15m or 1h30m
{path}:4: targets[0].vendor: unknown vendor; did you mean "affinda"?
{path}:5: targets[1]: expected exactly one of api_key_file, api_key_env, api_key
{path}:5: targets[1].name: duplicate name; targets[0] has it too
"""


# check


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "{}"],
        ["check", "--config.file={}"],
        ["check", "--config.file", "{}"],
        ["--config.file", "{}", "check"],
        ["--log.level=debug", "--config.file={}", "check", "--log.format", "json"],
        ["--config.check", "--config.file={}"],
        ["--config.check", "serve", "--config.file={}"],
        ["serve", "--config.check", "--config.file={}"],
    ],
)
def test_check_reports_that_a_file_is_valid(
    run_cli: CliRunner, good: Path, arguments: list[str]
) -> None:
    result = run_cli(*(argument.format(good) for argument in arguments))
    assert result == (0, f"{good} is valid: 2 targets\n", "")


def test_check_counts_a_single_target(run_cli: CliRunner, tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(configuration(xtracta_target(NOWHERE)))
    assert run_cli("check", str(path)) == (0, f"{path} is valid: 1 target\n", "")


@pytest.mark.parametrize("arguments", [["check"], ["--config.check"], ["serve"], [], ["probe"]])
def test_an_invalid_file_is_refused_with_every_problem_and_its_line(
    run_cli: CliRunner, bad: Path, arguments: list[str]
) -> None:
    assert run_cli(*arguments, f"--config.file={bad}") == (1, "", problems_of(bad))


@pytest.mark.e2e
def test_an_invalid_file_ends_the_program_without_a_traceback(bad: Path) -> None:
    assert done(f"--config.file={bad}") == (1, "", problems_of(bad))


def test_an_invalid_file_is_reported_before_an_invalid_address(
    run_cli: CliRunner, bad: Path
) -> None:
    status, _, errors = run_cli(f"--config.file={bad}", "--web.listen-address=nonsense")
    assert (status, errors) == (1, problems_of(bad))


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
def test_a_duplicate_scope_is_a_problem(
    run_cli: CliRunner, tmp_path: Path, vendor: str, more: str, words: str
) -> None:
    path = tmp_path / "twice.yaml"
    path.write_text(
        f"targets:\n  - {{name: a, vendor: {vendor}, api_key: made-up-key,\n    {more}}}\n"
    )
    expected = f"invalid configuration:\n{path}:3: targets[0].{words}\n"
    assert run_cli("check", str(path)) == (1, "", expected)


def test_a_missing_file_is_reported(run_cli: CliRunner, tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    words = f"invalid configuration:\n{path}: cannot be read: No such file or directory\n"
    assert run_cli("check", str(path)) == (1, "", words)


# Flags and variables


def test_an_address_that_is_invalid_or_in_use_is_reported(run_cli: CliRunner, good: Path) -> None:
    (taken,) = bound_sockets(["127.0.0.1:0"])
    address = f"127.0.0.1:{taken.getsockname()[1]}"
    for given, words in [
        ("nonsense", "invalid listen address 'nonsense'; expected HOST:PORT or :PORT"),
        (address, f"cannot listen on {address}: Address already in use"),
    ]:
        result = run_cli(f"--config.file={good}", f"--web.listen-address={given}")
        assert result == (1, "", f"{words}\n")
    taken.close()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--nonsense"], "unrecognized arguments: --nonsense"),
        (["prob"], 'unknown command "prob"; expected probe'),
        (["--config.fil=x"], "unrecognized arguments: --config.fil=x"),
        (["quit"], 'unknown command "quit"; expected serve, check, probe'),
        (["check", "--log.level=loud"], "argument --log.level: invalid choice: 'loud'"),
        (["probe", "--config.file={}", "nobody"], "unknown target: nobody"),
    ],
)
def test_misuse_is_reported_with_exit_status_2(
    run_cli: CliRunner, good: Path, arguments: list[str], words: str
) -> None:
    status, output, errors = run_cli(*(argument.format(good) for argument in arguments))
    assert (status, output) == (2, "")
    assert words in errors


@pytest.mark.parametrize("command", ["serve", "demo", "healthcheck"])
@pytest.mark.parametrize("url", ["http://[::1", "docusage", "example.com/docusage", "/docusage"])
def test_an_invalid_external_url_is_refused(run_cli: CliRunner, command: str, url: str) -> None:
    status, output, errors = run_cli(command, f"--web.external-url={url}")
    assert (status, output) == (2, "")
    assert errors.endswith(
        ": error: invalid --web.external-url; expected https://example.com/docusage\n"
    )


@pytest.mark.parametrize("variable", ["DOCUSAGE_LOG_LEVEL", "DOCUSAGE_LOG_FORMAT"])
def test_a_variable_is_limited_to_the_choices_of_its_flag(
    run_cli: CliRunner, good: Path, variable: str
) -> None:
    status, _, errors = run_cli("check", str(good), environ={variable: "loud"})
    assert status == 2
    assert "must be one of " in errors


def test_flags_can_be_set_by_variables_and_override_them(
    run_cli: CliRunner, good: Path, bad: Path
) -> None:
    environ = {"DOCUSAGE_CONFIG_FILE": str(good), "DOCUSAGE_CONFIG_CHECK": "true"}
    assert run_cli(environ=environ) == (0, f"{good} is valid: 2 targets\n", "")
    assert run_cli(f"--config.file={bad}", environ=environ)[0] == 1
    assert run_cli("check", environ=environ | {"DOCUSAGE_CONFIG_FILE": ""})[2].startswith(
        "invalid configuration:\nconfig.yaml: "
    )


@pytest.mark.parametrize("value", ["true", "True", "TRUE", "1"])
def test_a_boolean_flag_is_set_by_its_variable(run_cli: CliRunner, good: Path, value: str) -> None:
    environ = {"DOCUSAGE_CONFIG_CHECK": value}
    result = run_cli(f"--config.file={good}", INVALID_ADDRESS, environ=environ)
    assert result == (0, f"{good} is valid: 2 targets\n", "")


@pytest.mark.parametrize("value", ["false", "False", "0", ""])
def test_a_boolean_flag_is_unset_by_its_variable(
    run_cli: CliRunner, good: Path, value: str
) -> None:
    environ = {"DOCUSAGE_CONFIG_CHECK": value}
    status, output, errors = run_cli(f"--config.file={good}", INVALID_ADDRESS, environ=environ)
    assert (status, output) == (1, "")
    assert errors.startswith("invalid listen address 'nonsense'")


@pytest.mark.parametrize("variable", ["CONFIG_CHECK", "CONFIG_ENABLE_AUTO_RELOAD"])
def test_an_invalid_variable_of_a_boolean_flag_is_refused_by_name(
    run_cli: CliRunner, good: Path, variable: str
) -> None:
    environ = {f"DOCUSAGE_{variable}": "yes"}
    result = run_cli(f"--config.file={good}", INVALID_ADDRESS, environ=environ)
    assert result[:2] == (2, "")
    assert result[2].endswith(f": error: DOCUSAGE_{variable} must be true or false\n")


def test_a_boolean_flag_overrides_its_variable(run_cli: CliRunner, good: Path) -> None:
    environ = {"DOCUSAGE_CONFIG_CHECK": "yes"}
    arguments = ["--config.check", f"--config.file={good}", INVALID_ADDRESS]
    assert run_cli(*arguments, environ=environ)[0] == 0


@pytest.mark.parametrize("arguments", [["--version"], ["check", "--version"]])
def test_version_prints_version_revision_and_python(
    run_cli: CliRunner, arguments: list[str]
) -> None:
    status, output, errors = run_cli(*arguments)
    assert (status, errors) == (0, "")
    first, second = output.splitlines()
    assert re.fullmatch(rf"docusage-exporter, version {VERSION} \(revision: [0-9a-z]+\)", first)
    assert second == f"  python version: {platform.python_version()}"
    assert re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", VERSION)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_is_in_the_general_help(
    run_cli: CliRunner, command: str
) -> None:
    status, output, errors = run_cli(command, "--help")
    assert (status, errors) == (0, "")
    assert output.startswith("usage: docusage-exporter ")
    assert "--log.level {debug,info,warn,error}" in output
    assert re.search(rf"^  {command} +[a-z]", run_cli("--help")[1], re.MULTILINE)


def flags_of(help_text: str) -> set[str]:
    return set(re.findall(r"^  --([a-z.-]+)", help_text, re.MULTILINE))


def test_the_flags_are_those_of_a_prometheus_exporter(run_cli: CliRunner) -> None:
    assert flags_of(run_cli("--help")[1]) >= {
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


@pytest.mark.parametrize(
    ("arguments", "command", "rest"),
    [
        ([], "serve", []),
        (["--config.file", "check"], "serve", ["--config.file", "check"]),
        (["--config.file", "x", "check", "y"], "check", ["--config.file", "x", "y"]),
        (["--config.file=x", "check"], "check", ["--config.file=x"]),
        (["--config.check", "serve"], "serve", ["--config.check"]),
        (["probe", "check"], "probe", ["check"]),
    ],
)
def test_the_command_is_the_first_argument_that_is_not_a_flag_or_its_value(
    arguments: list[str], command: str, rest: list[str]
) -> None:
    assert split_command(arguments) == (command, rest)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_flags_without_a_value_are_known_before_the_command_is(
    run_cli: CliRunner, command: str
) -> None:
    text = run_cli(command, "--help")[1]
    without_value = set(re.findall(r"^  (?:-h, )?(--[a-z.-]+)(?:  .*)?$", text, re.MULTILINE))
    assert without_value <= BOOLEAN_FLAGS


@pytest.mark.parametrize("level", ["warn", "warning"])
@pytest.mark.parametrize("is_variable", [False, True])
def test_the_level_warn_may_be_written_as_warning(
    run_cli: CliRunner, good: Path, level: str, *, is_variable: bool
) -> None:
    environ = {"DOCUSAGE_LOG_LEVEL": level} if is_variable else {}
    flags = [] if is_variable else [f"--log.level={level}"]
    assert run_cli("check", str(good), *flags, environ=environ)[0] == 0


# Keys that are not there


@pytest.fixture
def keyless(tmp_path: Path) -> Path:
    path = tmp_path / "keyless.yaml"
    target = affinda_target(NOWHERE, "no-key").replace("api_key: made", "api_key_file: keys/made")
    path.write_text(configuration(affinda_target(NOWHERE), target))
    return path


def test_check_reports_a_missing_key_and_does_not_with_no_secrets(
    run_cli: CliRunner, keyless: Path
) -> None:
    problem = "targets[1].api_key_file: the key file cannot be read: No such file or directory"
    errors = f"invalid configuration:\n{keyless}:14: {problem} (keys/made-up-key-a)\n"
    assert run_cli("check", str(keyless)) == (1, "", errors)
    assert run_cli("check", "--no-secrets", str(keyless)) == (
        0,
        f"{keyless} is valid: 2 targets\n",
        "",
    )


def test_probe_warns_of_a_missing_key_and_polls_the_other_targets(
    run_cli: CliRunner, keyless: Path, base_url: str
) -> None:
    keyless.write_text(keyless.read_text().replace(NOWHERE, base_url))
    status, output, errors = run_cli("probe", f"--config.file={keyless}")
    assert status == 1
    assert output.splitlines()[1].startswith("acme-a ")
    reason = "secret: the key file cannot be read: No such file or directory"
    assert output.splitlines()[2] == f"no-key: down: {reason}"
    (warning,) = errors.splitlines()
    assert (
        f' level=warn msg="problem in the configuration" target=no-key detail="{keyless}:14: '
        in (warning)
    )


# Pipes


def test_check_reads_a_pipe(run_cli: CliRunner, good: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = Thread(target=pipe.write_bytes, args=(good.read_bytes(),))
    writer.start()
    assert run_cli("check", str(pipe)) == (0, f"{pipe} is valid: 2 targets\n", "")
    writer.join()


def test_a_pipe_cannot_be_reloaded_on_change(run_cli: CliRunner, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    flags = f"--config.file={tmp_path}/pipe", "--config.enable-auto-reload"
    status, _, errors = run_cli(*flags)
    assert status == 2
    assert errors.endswith("--config.enable-auto-reload needs a regular file, not a pipe\n")
