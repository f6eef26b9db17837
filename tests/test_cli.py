"""The command line: what it takes, what it says, and its exit status."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import threading
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from program import (
    MODULE,
    WORLD,
    affinda_target,
    answered,
    configuration,
    environment,
    running,
    served,
    until,
    values,
    xtracta_target,
)
from pydantic import BaseModel

from exporter.cli import run
from exporter.config.models import Sections
from exporter.demo.vendors import Reply, Request, Vendors
from exporter.listen import bound_sockets
from exporter.metrics import CATALOGUE
from exporter.service import VERSION, load_config
from exporter.vendors import VENDORS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

HERE = Path(__file__).parent
EXAMPLE = HERE.parent / "config.example.yaml"
NOWHERE = "http://127.0.0.1:9"  # nothing listens there


class Said:
    """What a command said, and its exit status."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(
        self, *arguments: str, environ: Mapping[str, str] | None = None
    ) -> tuple[int, str, str]:
        status = exit_status(arguments, environ or {})
        captured = self._capsys.readouterr()
        return status, captured.out, captured.err


def exit_status(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    try:
        return run(arguments, environ)
    except SystemExit as error:  # argparse's way out
        return int(error.code or 0)


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    return Said(capsys)


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
def test_a_good_file_is_said_to_be_valid(said: Said, good: Path, arguments: list[str]) -> None:
    told = said(*(argument.format(good) for argument in arguments))
    assert told == (0, f"{good} is valid: 2 targets\n", "")


@pytest.mark.parametrize("arguments", [["check"], ["--config.check"], ["serve"], [], ["probe"]])
def test_a_bad_file_is_refused_with_every_problem_and_its_line(
    said: Said, bad: Path, arguments: list[str]
) -> None:
    assert said(*arguments, f"--config.file={bad}") == (1, "", problems_of(bad))


def test_nothing_listens_when_the_file_is_bad(said: Said, bad: Path) -> None:
    # The address is not even looked at.
    status, _, words = said(f"--config.file={bad}", "--web.listen-address=nonsense")
    assert (status, words) == (1, problems_of(bad))


def test_a_missing_file_is_said_in_words(said: Said, tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    words = (
        f"the configuration cannot be used:\n{path}: cannot be read: No such file or directory\n"
    )
    assert said("check", str(path)) == (1, "", words)


# Flags and variables


def test_an_address_that_is_none_or_in_use_is_said_in_words(said: Said, good: Path) -> None:
    (taken,) = bound_sockets(["127.0.0.1:0"])
    address = f"127.0.0.1:{taken.getsockname()[1]}"
    for given, words in [
        ("nonsense", "'nonsense' is no address to serve on; write HOST:PORT or :PORT"),
        (address, f"cannot serve on {address}: Address already in use"),
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
    said: Said, good: Path, arguments: list[str], words: str
) -> None:
    status, output, errors = said(*(argument.format(good) for argument in arguments))
    assert (status, output) == (2, "")
    assert words in errors


@pytest.mark.parametrize("variable", ["DOCUSAGE_LOG_LEVEL", "DOCUSAGE_LOG_FORMAT"])
def test_a_variable_is_held_to_the_choices_of_its_flag(
    said: Said, good: Path, variable: str
) -> None:
    status, _, errors = said("check", str(good), environ={variable: "loud"})
    assert status == 2
    assert "must be one of " in errors


def test_a_file_can_be_named_and_checked_by_variables(said: Said, good: Path, bad: Path) -> None:
    environ = {"DOCUSAGE_CONFIG_FILE": str(good), "DOCUSAGE_CONFIG_CHECK": "true"}
    assert said(environ=environ) == (0, f"{good} is valid: 2 targets\n", "")
    assert said(f"--config.file={bad}", environ=environ)[0] == 1
    assert said("check", environ=environ | {"DOCUSAGE_CONFIG_FILE": ""})[2].startswith(
        "the configuration cannot be used:\nconfig.yaml: "
    )


def test_the_version_is_told(said: Said) -> None:
    assert said("--version") == (0, f"docusage-exporter {VERSION}\n", "")
    assert re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", VERSION)


@pytest.mark.parametrize("command", ["serve", "check", "probe", "demo", "schema"])
def test_every_command_has_help_and_is_named_in_the_help_of_all(said: Said, command: str) -> None:
    status, words, errors = said(command, "--help")
    assert (status, errors) == (0, "")
    assert words.startswith("usage: docusage-exporter ")
    assert "--log.level {debug,info,warning,error}" in words
    assert re.search(rf"^  {command} +[a-z]", said("--help")[1], re.MULTILINE)


def flags_of(words: str) -> set[str]:
    return set(re.findall(r"^  --([a-z.-]+)", words, re.MULTILINE))


def test_the_flags_are_those_of_a_prometheus_exporter(said: Said) -> None:
    assert flags_of(said("--help")[1]) >= {
        "config.file",
        "config.check",
        "web.listen-address",
        "web.telemetry-path",
        "web.external-url",
        "web.route-prefix",
        "log.level",
        "log.format",
        "version",
    }


# schema, and the files it is for


@pytest.fixture
def schema(said: Said) -> Draft202012Validator:
    status, words, errors = said("schema")
    assert (status, errors) == (0, "")
    found = json.loads(words)
    Draft202012Validator.check_schema(found)
    return Draft202012Validator(found)


@pytest.mark.parametrize("path", [EXAMPLE, HERE / "data" / "product-example.yaml"])
def test_the_examples_are_valid_by_the_schema(schema: Draft202012Validator, path: Path) -> None:
    schema.validate(plain(path))


def plain(path: Path) -> object:
    return yaml.safe_load(path.read_text())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("interval: 15m", "interval: 15"),
        ("poll:", "pol:"),
        ("vendor: affinda", "vendor: afinda"),
        ("organization: mEFayXdO", "organisation: mEFayXdO"),
        ("period: month", "period: week"),
        ("groups: [456, 457]", "groups: [a]"),
        ("warning_ratio: 0.3", "warning_ratio: 30"),
        ("api_key: made-up-key-2", "timeout: 20s"),
        ("workspaces: all", "workspaces: []"),
    ],
)
def test_check_refuses_what_the_schema_refuses(
    said: Said, schema: Draft202012Validator, tmp_path: Path, old: str, new: str
) -> None:
    path = tmp_path / "config.yaml"
    text = EXAMPLE.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    assert not schema.is_valid(plain(path))
    assert said("check", str(path))[0] == 1


def test_the_example_loads_as_it_stands() -> None:
    config = load_config(EXAMPLE, {})
    assert [target.vendor for target in config.targets] == ["affinda", "xtracta"]


def keys_of(model: type[BaseModel], above: str = "") -> Iterator[str]:
    """Every key of a model and of the models in it, such as `allowance.credits`."""
    for name, field in model.model_fields.items():
        yield above + name
        for inner in models_in(field.annotation):
            yield from keys_of(inner, f"{above}{name}.")


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401  any type there is
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from models_in(argument)


def keys_in(tree: object, above: str = "") -> Iterator[str]:
    for name, value in tree.items() if isinstance(tree, dict) else ():
        yield above + name
        yield from keys_in(value, f"{above}{name}.")


def test_the_example_shows_every_key_of_every_vendor() -> None:
    with_alternatives = re.sub(r"(?m)^( *)# ([a-z_]+: )", r"\1\2", EXAMPLE.read_text())
    example = yaml.safe_load(with_alternatives)
    sections = set(keys_of(Sections))
    assert set(keys_in({name: example[name] for name in Sections.model_fields})) == sections
    shown = {key for target in example["targets"] for key in keys_in(target)}
    for vendor in VENDORS.values():
        assert set(keys_of(vendor.settings)) - sections - shown == set()


# The program as a process


@pytest.fixture
def base_url() -> Iterator[str]:
    with served(Vendors(WORLD)) as url:
        yield url


def done(*command: str, **environ: str) -> tuple[int, str, str]:
    """What a command that ends by itself said, and its exit status."""
    ended = subprocess.run(  # noqa: S603  our own program
        [*MODULE, *command],
        capture_output=True,
        check=False,
        env=environment(**environ),
        text=True,
        timeout=20,
    )
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.e2e
def test_a_bad_file_ends_the_program_in_words(bad: Path) -> None:
    assert done(f"--config.file={bad}") == (1, "", problems_of(bad))


@pytest.mark.e2e
def test_every_flag_of_the_server_can_be_a_variable(tmp_path: Path, base_url: str) -> None:
    (tmp_path / "config.yaml").write_text(configuration(affinda_target(base_url)))
    environ = {
        "DOCUSAGE_CONFIG_FILE": str(tmp_path / "config.yaml"),
        "DOCUSAGE_LOG_FORMAT": "json",
        "DOCUSAGE_LOG_LEVEL": "debug",
        "DOCUSAGE_WEB_EXTERNAL_URL": "https://example.com/ignored/for/the/prefix",
        "DOCUSAGE_WEB_LISTEN_ADDRESS": "127.0.0.1:0,[::1]:0",
        "DOCUSAGE_WEB_ROUTE_PREFIX": "usage/",
        "DOCUSAGE_WEB_TELEMETRY_PATH": "numbers",
    }
    with running(tmp_path, environ=environ) as program:
        until(lambda: '"poll succeeded"' in program.log.read_text())
        lines = [json.loads(line) for line in program.log.read_text().splitlines()]
        first, second = (line["url"] for line in lines if line["msg"] == "serving")
        assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+/usage", first)
        assert re.fullmatch(r"http://\[::1\]:[0-9]+/usage", second)
        for url in (first, second):
            page = answered(urllib.request.Request(f"{url}/numbers"))  # noqa: S310  our own URL
            assert values(page.text)["docusage_target_up acme-a affinda"] == 1


@pytest.mark.e2e
def test_the_prefix_is_the_path_of_the_external_url(tmp_path: Path, base_url: str) -> None:
    (tmp_path / "config.yaml").write_text(configuration(affinda_target(base_url)))
    flags = ("--web.external-url=https://example.com/usage/", "--web.listen-address=127.0.0.1:0")
    with running(tmp_path, f"--config.file={tmp_path}/config.yaml", *flags) as program:
        assert program.url.endswith("/usage")
        assert program.ask("/-/healthy").status == 200


@pytest.mark.e2e
def test_a_reader_who_has_seen_enough_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    schema = subprocess.run(  # noqa: S603  our own program
        [*MODULE, "schema"],
        stdout=writer,
        stderr=subprocess.PIPE,
        check=True,
        env=environment(),
        timeout=20,
    )
    os.close(writer)
    assert schema.stderr == b""


@pytest.mark.e2e
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_demo_says_where_to_look_keeps_its_configuration_and_ends_well(
    tmp_path: Path, number: signal.Signals
) -> None:
    keep = tmp_path / "kept.yaml"
    flags = ("--web.listen-address=127.0.0.1:0", f"--keep-config={keep}")
    with running(tmp_path, "demo", *flags) as demo:
        url = demo.url
        words = demo.output.read_text()
        for name, path in [("status page", "/"), ("metrics", "/metrics")]:
            assert re.search(rf"^  {name} +{url}{path}$", words, re.MULTILINE)
            assert demo.ask(path).status == 200
        assert re.search(rf"^  configuration +{keep}$", words, re.MULTILINE)
        assert len(load_config(keep, {}).targets) == 6
        assert demo.ended_by(number) == 0


@pytest.mark.e2e
def test_the_demo_shows_every_metric_of_the_catalogue(tmp_path: Path) -> None:
    with running(tmp_path, "demo", "--web.listen-address=127.0.0.1:0") as demo:
        until(lambda: demo.ask("/-/ready").status == 200)
        shown = {name.partition(" ")[0] for name in demo.values()}
        assert {metric.name for metric in CATALOGUE} - shown == set()
        assert re.search(
            rf"^  configuration +{demo.url}/config$", demo.output.read_text(), re.MULTILINE
        )
        assert demo.ended_by(signal.SIGTERM) == 0


def test_a_file_that_cannot_be_written_is_said_in_words(said: Said, tmp_path: Path) -> None:
    keep = tmp_path / "none" / "kept.yaml"
    told = said("demo", "--web.listen-address=127.0.0.1:0", f"--keep-config={keep}")
    assert told == (1, "", f"[Errno 2] No such file or directory: '{keep}'\n")


# probe


@pytest.fixture
def probed(tmp_path: Path, base_url: str) -> Path:
    """A configuration with two targets that answer, and one that is refused."""
    path = tmp_path / "probed.yaml"
    refused = affinda_target(base_url, "acme-refused", "revoked-key")
    path.write_text(configuration(affinda_target(base_url), xtracta_target(base_url), refused))
    return path


def test_probe_prints_what_is_left_and_fails_if_a_target_does(said: Said, probed: Path) -> None:
    status, words, errors = said("probe", f"--config.file={probed}")
    assert (status, errors) == (1, "")
    lines = words.splitlines()
    assert lines[0].split()[:4] == ["TARGET", "ACCOUNT", "ALLOWANCE", "LEFT"]
    assert lines[1].startswith("acme-a  mEFayXdO  credits     358      400 credits  90 ")
    assert lines[2].startswith("acme-x  481       7 Yearly    750  1,000 documents  75 ")
    assert lines[3] == "acme-refused: down: auth: HTTP status 401: Invalid token."


def test_probe_asks_the_named_targets_alone(said: Said, probed: Path) -> None:
    status, words, _ = said("probe", f"--config.file={probed}", "acme-x")
    assert status == 0
    assert [line.split()[0] for line in words.splitlines()] == ["TARGET", "acme-x"]


def test_probe_writes_json(said: Said, probed: Path) -> None:
    status, words, _ = said("probe", f"--config.file={probed}", "--format=json")
    assert status == 1
    targets = json.loads(words)["targets"]
    assert [(each["name"], each["up"]) for each in targets] == [
        ("acme-a", True),
        ("acme-x", True),
        ("acme-refused", False),
    ]
    assert targets[0]["allowances"][0]["available"] == 358
    assert targets[2]["last_error"]["reason"] == "auth"


def test_probe_writes_metrics(said: Said, probed: Path) -> None:
    _, words, _ = said(
        "probe", f"--config.file={probed}", environ={"DOCUSAGE_FORMAT": "prometheus"}
    )
    assert words.endswith("\n")
    assert not words.endswith("\n\n")
    found = values(words)
    assert found["xtracta_documents_available acme-x 481 7"] == 750
    assert found["docusage_target_up acme-refused affinda"] == 0


def test_probe_leaves_metrics_in_a_file_and_prints_failures_alone(
    said: Said, probed: Path, tmp_path: Path
) -> None:
    path = tmp_path / "docusage.prom"
    told = said("probe", f"--config.file={probed}", f"--textfile={path}")
    assert told == (1, "", "acme-refused: down: auth: HTTP status 401: Invalid token.\n")
    assert values(path.read_text())["xtracta_documents_available acme-x 481 7"] == 750


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("variables", "is_coloured"),
    [
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb", "NO_COLOR": ""}, False),
    ],
    ids=["terminal", "NO_COLOR", "dumb terminal"],
)
def test_probe_shows_colours_on_a_terminal_that_wants_them(
    probed: Path, variables: dict[str, str], *, is_coloured: bool
) -> None:
    shown, terminal = pty.openpty()
    subprocess.run(  # noqa: S603  our own program
        [*MODULE, "probe", f"--config.file={probed}", "acme-x"],
        stdout=terminal,
        check=True,
        env=environment(**variables),
        timeout=20,
    )
    os.close(terminal)
    words = os.read(shown, 10_000).decode()
    os.close(shown)
    assert "acme-x" in words
    assert ("\x1b[" in words) is is_coloured


@pytest.mark.e2e
def test_probe_shows_no_colours_in_a_pipe(probed: Path) -> None:
    status, words, _ = done("probe", f"--config.file={probed}", "acme-x", TERM="xterm")
    assert status == 0
    assert "\x1b" not in words


class Interrupting(dict[str, str]):
    def get(self, *_: object) -> str:
        raise KeyboardInterrupt


def test_an_interrupted_command_ends_without_a_traceback(said: Said) -> None:
    assert said("schema", environ=Interrupting(present="")) == (1, "", "")


@pytest.mark.e2e
def test_probe_is_interrupted_without_a_traceback(tmp_path: Path) -> None:
    asked = threading.Event()

    def hang(_: Request) -> Reply:
        asked.set()
        return Reply(delay=60)

    with served(Vendors(WORLD, hang)) as url:
        path = tmp_path / "config.yaml"
        path.write_text(configuration(affinda_target(url)))
        with running(tmp_path, "probe", f"--config.file={path}") as program:
            assert asked.wait(10)
            assert program.ended_by(signal.SIGINT) == 1
        assert program.log.read_text() == ""
