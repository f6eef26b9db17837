"""Loading configuration files: their meaning, and a message for each defect."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from threading import Thread
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import Field
from yaml_text import parsed

from exporter.config.errors import ConfigError, Problem
from exporter.config.json_schema import schema
from exporter.config.loader import KeyCheck, load
from exporter.config.models import Config, Model, PollSettings, Target, TargetWarning
from exporter.config.serialize import public_yaml
from exporter.config.types import Duration
from exporter.model import PollError
from exporter.secrets import KeyFile, MissingKey, Secret, StaticKey

BAD = Path(__file__).parents[2] / "data" / "config"
EXAMPLE = Path(__file__).parents[3] / "config.example.yaml"
ENVIRON = {"SET": "k0", "EMPTY": "", "QUOTED": '"k0"'}


class Plan(Model):
    credits: int = Field(gt=0)
    period: Literal["month", "year"] = "month"


class Acme(Target):
    vendor: Literal["acme"]
    organization: str
    scopes: Literal["none", "all"] | tuple[str, ...] = "none"
    plan: Plan | None = None


class Bolt(Target):
    vendor: Literal["bolt"]
    groups: tuple[int, ...] = ()


VENDORS: dict[str, type[Target]] = {"acme": Acme, "bolt": Bolt}
ONE = "targets: [{name: one, vendor: bolt, api_key: k1}]\n"


def loaded(folder: Path, text: str | bytes, keys: KeyCheck = "optional") -> Config:
    path = folder / "config.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load(path, VENDORS, ENVIRON, keys=keys)


@pytest.mark.parametrize("path", sorted(BAD.glob("*.yaml")), ids=lambda path: path.stem)
def test_an_invalid_file_is_refused_with_the_messages_at_its_top(path: Path) -> None:
    expected = [line[3:] for line in path.read_text().splitlines() if line.startswith("#> ")]
    with pytest.raises(ConfigError) as caught:
        load(path, VENDORS, ENVIRON, keys="required")
    assert str(caught.value).splitlines() == [f"{path}:{line}" for line in expected]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", ": the file is empty"),
        (b"# nothing\n", ": the file is empty"),
        (b"a: b\nc: \xff\n", ":2: not UTF-8"),
        ("a: b".encode("utf-16"), ":1: not UTF-8"),
        (b"a\0b", ":1: unexpected control character"),
        (b" " * (16 * 2**20 + 1), ": the file is larger than 16 MiB"),
    ],
    ids=["empty", "comment", "latin-1", "utf-16", "binary", "huge"],
)
def test_a_file_that_is_not_text_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, content)
    assert str(caught.value) == f"{tmp_path}/config.yaml{message}"


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "none.yaml", VENDORS, ENVIRON)
    assert str(caught.value) == f"{tmp_path}/none.yaml: cannot be read: No such file or directory"


def test_a_pipe_is_refused_without_waiting_for_a_writer_unless_it_is_allowed(
    tmp_path: Path,
) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "pipe", VENDORS, ENVIRON)
    assert str(caught.value) == f"{tmp_path}/pipe: cannot be read: Not a regular file"


def test_missing_keys_have_defaults(tmp_path: Path) -> None:
    config = loaded(tmp_path, ONE)
    assert config.poll.model_dump() == {
        "interval": 900,
        "timeout": 20,
        "stale_after": 2700,
        "max_concurrent": 16,
        "requests_per_second": 5,
    }
    assert config.http.model_dump() == {
        "proxy_url": None,
        "proxy_from_environment": False,
        "tls_ca_file": None,
    }
    assert config.alerts.model_dump() == {"warning_ratio": 0.2, "critical_ratio": 0.05}
    assert config.warnings == ()


def test_targets_without_settings_of_their_own_share_the_defaults(tmp_path: Path) -> None:
    config = loaded(tmp_path, "poll: {interval: 1h}\n" + ONE)
    target = config.targets[0]
    assert target.poll == PollSettings(interval=Duration(3600))
    assert target.http is config.http
    assert target.alerts is config.alerts


def test_a_target_is_equal_to_before_when_a_limit_of_all_polls_changes(tmp_path: Path) -> None:
    before = loaded(tmp_path, "poll: {interval: 1h}\n" + ONE)
    after = loaded(tmp_path, "poll: {interval: 1h, max_concurrent: 2}\n" + ONE)
    assert after.targets == before.targets
    assert after.poll != before.poll


def test_a_target_overrides_the_defaults_key_by_key(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        """
poll: {interval: 1h, timeout: 30s, max_concurrent: 2}
http: {proxy_url: "http://user:password@proxy:3128"}
alerts: {warning_ratio: 0.5}
targets:
  - name: one
    vendor: bolt
    api_key: k1
    poll: {interval: 2h}
    http: {proxy_from_environment: true}
    alerts: {critical_ratio: 0.4}
""",
    )
    target = config.targets[0]
    assert target.poll.model_dump() == {"interval": 7200, "timeout": 30, "stale_after": 21600}
    assert target.http.proxy_url == config.http.proxy_url
    assert target.http.proxy_from_environment
    assert target.alerts.model_dump() == {"warning_ratio": 0.5, "critical_ratio": 0.4}


def test_a_target_that_overrides_another_key_keeps_the_default_certificates(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text((BAD.parent / "ca.pem").read_text())
    config = loaded(
        tmp_path,
        "http: {tls_ca_file: ca.pem}\n"
        "targets: [{name: one, vendor: bolt, api_key: k1, http: {proxy_url: null}}]",
    )
    assert config.targets[0].http.tls_ca_file == tmp_path / "ca.pem"


@pytest.mark.parametrize(
    ("place", "key"),
    [
        ("api_key: k1", StaticKey(Secret("k1"))),
        ("api_key_env: SET", StaticKey(Secret("k0"), "SET")),
    ],
)
def test_a_key_comes_from_the_file_or_from_a_variable(
    tmp_path: Path, place: str, key: StaticKey
) -> None:
    config = loaded(tmp_path, ONE.replace("api_key: k1", place))
    assert config.targets[0].key == key


def test_the_path_of_a_key_file_starts_at_the_folder_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k9\n")
    (tmp_path / "key").chmod(0o600)
    config = loaded(tmp_path, ONE.replace("api_key: k1", "api_key_file: key"))
    assert config.targets[0].key == KeyFile(tmp_path / "key")
    assert config.targets[0].key.read() == Secret("k9")
    assert config.warnings == ()


def test_a_world_readable_key_file_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k9\n")
    (tmp_path / "key").chmod(0o644)
    config = loaded(tmp_path, "# one line\n" + ONE.replace("api_key: k1", "api_key_file: key"))
    problem = Problem(2, "targets[0].api_key_file", "every user of the machine can read the key")
    assert config.warnings == (TargetWarning("one", problem),)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (
            "api_key_file: keys/missing",
            "api_key_file: the key file cannot be read: No such file or directory (keys/missing)",
        ),
        ("api_key_env: UNSET", "api_key_env: the environment variable is not set (UNSET)"),
    ],
)
def test_a_target_without_its_key_is_a_warning_and_the_others_stay(
    tmp_path: Path, source: str, problem: str
) -> None:
    one = f"{{name: one, vendor: bolt, {source}}}"
    text = f"targets:\n- {one}\n- {{name: two, vendor: bolt, api_key: k}}"
    config = loaded(tmp_path, text)
    (warning,) = config.warnings
    assert warning.target == "one"
    assert warning.problem.describe("c.yaml") == f"c.yaml:2: targets[0].{problem}"
    assert [target.name for target in config.targets] == ["one", "two"]
    with pytest.raises(PollError, match="secret: the "):
        config.targets[0].key.read()
    assert loaded(tmp_path, text, "ignored").warnings == ()


def test_a_missing_variable_is_shown_by_its_name(tmp_path: Path) -> None:
    config = loaded(tmp_path, ONE.replace("api_key: k1", "api_key_env: UNSET"))
    assert config.targets[0].key == MissingKey("UNSET", "the environment variable is not set")
    assert config.targets[0].key.fingerprint() is None
    assert "api_key_env: UNSET" in public_yaml(config)


def test_a_pipe_is_read_where_it_is_allowed_and_paths_start_at_the_working_directory(
    tmp_path: Path,
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    text = ONE.replace("api_key: k1", "api_key_file: key")
    writer = Thread(target=pipe.write_text, args=(text,))
    writer.start()
    config = load(pipe, VENDORS, ENVIRON, is_pipe_allowed=True)
    writer.join()
    assert config.targets[0].key == KeyFile(Path("key"))


def test_aliases_share_settings_between_targets(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        """
targets:
  - {name: one, vendor: bolt, api_key: k1, groups: &groups [1, 2], poll: &slow {interval: 1d}}
  - {name: two, vendor: bolt, api_key: k2, groups: *groups, poll: *slow}
""",
    )
    assert [target.model_dump()["groups"] for target in config.targets] == [(1, 2), (1, 2)]
    assert [target.poll.interval.text for target in config.targets] == ["1d", "1d"]


def test_targets_keep_the_order_of_the_file(tmp_path: Path) -> None:
    rows = (f"  - {{name: n{index}, vendor: bolt, api_key: k}}\n" for index in range(500))
    targets = loaded(tmp_path, "targets:\n" + "".join(rows)).targets
    assert [target.name for target in targets] == [f"n{index}" for index in range(500)]


def test_the_running_configuration_is_shown_without_secrets(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k9\n")
    (tmp_path / "ca.pem").write_text((BAD.parent / "ca.pem").read_text())
    config = loaded(
        tmp_path,
        """
http: {proxy_url: "http://user:password@proxy:3128", tls_ca_file: ca.pem}
targets:
  - {name: on, vendor: acme, api_key: k1, organization: "1e3", scopes: [a, b]}
  - {name: two, vendor: bolt, api_key_env: SET, poll: {interval: 90s}}
  - {name: three, vendor: acme, organization: a, api_key_file: key, plan: {credits: 5}}
""",
    )
    assert (
        public_yaml(config)
        == f"""\
poll:
  interval: 15m
  timeout: 20s
  stale_after: 45m
  max_concurrent: 16
  requests_per_second: 5.0
http:
  proxy_url: http://<secret>@proxy:3128
  proxy_from_environment: false
  tls_ca_file: {tmp_path}/ca.pem
alerts:
  warning_ratio: 0.2
  critical_ratio: 0.05
targets:
- name: 'on'
  vendor: acme
  api_key: <secret>
  organization: '1e3'
  scopes:
  - a
  - b
- name: two
  vendor: bolt
  api_key_env: SET
  poll:
    interval: 1m30s
    timeout: 20s
    stale_after: 4m30s
  groups: []
- name: three
  vendor: acme
  api_key_file: {tmp_path}/key
  organization: a
  scopes: none
  plan:
    credits: 5
    period: month
"""
    )


TEXT = st.text(min_size=1, max_size=20).filter(str.isprintable)


@given(name=TEXT, organization=TEXT, ratio=st.floats(0.05, 1))
def test_the_running_configuration_can_be_loaded_again(
    name: str, organization: str, ratio: float
) -> None:
    target = {"name": name, "vendor": "acme", "organization": organization, "api_key_env": "SET"}
    written = {"alerts": {"warning_ratio": ratio}, "targets": [target]}
    with tempfile.TemporaryDirectory() as folder:
        config = loaded(Path(folder), json.dumps(written, ensure_ascii=False))
        assert loaded(Path(folder), public_yaml(config)) == config


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: f"{ONE}{text}".encode()))
def test_any_bytes_give_a_configuration_or_its_problems(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            assert loaded(Path(folder), content).targets
        except ConfigError as error:
            problems = error.problems
        else:
            return
    assert problems
    assert all(problem.message for problem in problems)


KEY = "s3cr3tk3y"
SHAPES = st.sampled_from(
    [
        "{0}",
        "'{0}",
        '"{0}',
        "[{0}]",
        "{{{0}}}",
        "{{{{ {0} }}}}",
        "{0}: {0}",
        "!{0} a",
        "*{0}",
        "&{0} [*{0}]",
        "@{0}",
        "`{0}`",
        "%{0}",
        "|\n{0}",
        "'{0} {0}'",
        "{0}\x07",
        "- {0}",
        "\t{0}",
    ]
)
PLACES = st.sampled_from(["api_key", "api_key_env", "api_key_file", "name", "groups", "base_url"])


@given(SHAPES, PLACES)
def test_no_message_quotes_a_key_wherever_it_was_put(shape: str, place: str) -> None:
    text = (
        f"targets:\n  - vendor: bolt\n    {place}: {shape.format(KEY)}\n    poll: {{}}\n    x: y\n"
    )
    with tempfile.TemporaryDirectory() as folder, pytest.raises(ConfigError) as caught:
        loaded(Path(folder), text)
    assert KEY not in repr(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("vendors", [VENDORS, {"bolt": Bolt}], ids=["two", "one"])
def test_the_schema_is_a_json_schema(vendors: dict[str, type[Target]]) -> None:
    Draft202012Validator.check_schema(schema(vendors))


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        (ONE, True),
        ("poll: {interval: 1h30m}\n" + ONE, True),
        ("poll: {interval: 30m1h}\n" + ONE, False),
        ("poll: {interval: 15}\n" + ONE, False),
        ("pol: {interval: 15m}\n" + ONE, False),
        ("targets: []", False),
        (ONE.replace("bolt", "acme"), False),
        (ONE.replace("bolt", "acme, organization: a, plan: {credits: 5}"), True),
        (ONE.replace("api_key: k1", "groups: []"), False),
        (ONE.replace("api_key: k1", "api_key: k1, api_key_env: SET"), False),
        (ONE.replace("api_key: k1", "api_key: k1, poll: {max_concurrent: 5}"), False),
    ],
)
def test_the_schema_accepts_exactly_what_can_be_loaded(text: str, *, valid: bool) -> None:
    assert Draft202012Validator(schema(VENDORS)).is_valid(parsed(text)) is valid


def test_the_schema_has_defaults_as_in_a_file_and_the_docstrings_of_fields() -> None:
    properties = schema(VENDORS)["$defs"]["PollSettings"]["properties"]
    assert properties["interval"]["default"] == "15m"
    assert properties["interval"]["description"] == "Time between two polls of a target."


def test_a_field_that_a_vendor_declares_again_has_its_first_docstring_in_the_schema() -> None:
    properties = schema(VENDORS)["$defs"]["Acme"]["properties"]
    assert properties["vendor"]["description"] == "The vendor whose API is polled."


def test_the_example_shows_every_section_with_its_defaults(tmp_path: Path) -> None:
    example = parsed(EXAMPLE.read_text())
    shown = parsed(public_yaml(loaded(tmp_path, ONE)))
    del example["targets"], shown["targets"]
    assert example == shown


def test_the_example_shows_every_key_of_a_target() -> None:
    text = EXAMPLE.read_text()
    assert [key for key in Target.model_fields if f"{key}:" not in text] == []
