"""API keys: where they are read from, and that nothing shows them."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model import FailureReason, PollError
from exporter.secrets import KeyFile, Secret, SecretFinder, StaticKey, validate_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY = "aff_0123456789abcdef"


def test_only_reveal_shows_a_secret() -> None:
    secret = Secret(KEY)
    assert [repr(secret), f"{secret}", f"{[secret]}"] == ["<secret>", "<secret>", "[<secret>]"]
    assert secret.reveal() == KEY


def test_secrets_are_equal_when_their_keys_are() -> None:
    assert Secret("a") == Secret("a")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"


@pytest.mark.parametrize(
    "encode",
    [
        str,
        str.upper,
        lambda key: key[::-1],
        "-".join,
        lambda key: key[4:14],
        lambda key: key.encode().hex(),
        lambda key: base64.b64encode(key.encode()).decode(),
        lambda key: base64.b64encode(f"x{key}".encode()).decode(),
        lambda key: base64.b64encode(f"xy{key}".encode()).decode(),
    ],
    ids=["plain", "upper", "reversed", "hyphens", "part", "hex", "base64", "phase1", "phase2"],
)
def test_a_text_with_the_key_in_any_common_encoding_is_redacted(
    encode: Callable[[str], str],
) -> None:
    assert Secret(KEY).redact(f"the key {encode(KEY)} is bad") == "<secret>"


def test_a_text_without_the_key_is_not_redacted() -> None:
    assert Secret(KEY).redact("no such organization") == "no such organization"


def test_a_short_key_is_redacted_only_as_a_whole() -> None:
    assert Secret("k3").redact("bad key k3") == "<secret>"
    assert Secret("k3").redact("bad key") == "bad key"


@pytest.mark.parametrize("text", ["bad y-Sup3rS", "bad Y-SUP3RS", "bad ySup3rS3", "bad t-abcdef?"])
def test_a_fragment_of_a_key_with_hyphens_is_redacted(text: str) -> None:
    assert Secret("K3y-Sup3rS3cret-abcdefgh").redact(text) == "<secret>"


def test_a_fragment_shorter_than_eight_characters_is_not_redacted() -> None:
    assert Secret("K3y-Sup3rS3cret-abcdefgh").redact("bad -Sup3rS") == "bad -Sup3rS"


@pytest.mark.parametrize("key", ["-_-", "!$!$-_-_+="])
def test_a_key_without_letters_and_digits_is_redacted(key: str) -> None:
    assert Secret(key).redact(f"bad key {key}.") == "<secret>"
    assert Secret(key).redact("bad key - none") == "bad key - none"


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=8), st.data())
def test_eight_consecutive_characters_of_any_key_are_redacted(
    key: str, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(key) - 8))
    assert Secret(key).redact(f"bad {key[at : at + 8]} key") == "<secret>"


def test_a_static_key_never_changes() -> None:
    key = StaticKey(Secret(KEY), "API_KEY")
    assert key.read() == Secret(KEY)
    assert key.fingerprint() is None
    assert repr(key) == "StaticKey(secret=<secret>, variable='API_KEY')"


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_key_file_is_read_without_its_line_end(tmp_path: Path, end: str) -> None:
    path = tmp_path / "key"
    path.write_text(KEY + end, newline="")
    assert KeyFile(path).read() == Secret(KEY)


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b"", "the key file is empty"),
        (b" \n", "the key file is empty"),
        (b"two words", "the key file has a space, control or non-ASCII character in the key"),
        (b"a\nb\n", "the key file has a space, control or non-ASCII character in the key"),
        (b"\xff", "the key file has a space, control or non-ASCII character in the key"),
        (b"k" * 4097, "the key file is longer than 4096 bytes"),
    ],
)
def test_an_invalid_key_file_is_a_failure_that_does_not_quote_it(
    tmp_path: Path, content: bytes, detail: str
) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(PollError) as caught:
        KeyFile(path).read()
    assert (caught.value.reason, caught.value.detail) == (FailureReason.SECRET, detail)


def test_a_missing_key_file_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(PollError, match="cannot be read: No such file or directory"):
        KeyFile(tmp_path / "key").read()


def test_a_key_file_that_is_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "key")
    with pytest.raises(PollError, match="the key file is empty"):
        KeyFile(tmp_path / "key").read()


def test_a_fingerprint_changes_when_the_file_appears_and_when_it_is_written(tmp_path: Path) -> None:
    key = KeyFile(tmp_path / "key")
    prints = [key.fingerprint()]
    for content in ("one", "three"):
        key.path.write_text(content)
        prints.append(key.fingerprint())
    assert prints[0] is None
    assert len(set(prints)) == 3


@pytest.mark.parametrize(("mode", "readable"), [(0o600, False), (0o640, False), (0o644, True)])
def test_a_key_file_that_others_can_read_is_world_readable(
    tmp_path: Path, mode: int, *, readable: bool
) -> None:
    key = KeyFile(tmp_path / "key")
    key.path.write_text(KEY)
    key.path.chmod(mode)
    assert key.is_world_readable() is readable


def test_an_invalid_key_is_named_by_its_origin() -> None:
    with pytest.raises(PollError, match="secret: the variable is empty"):
        validate_key("", "the variable")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('"k0123456789"', "has quotes around the key; remove them"),
        ("'k0123456789'", "has quotes around the key; remove them"),
        ("k0123456789'", "has quotes around the key; remove them"),
        ("$API_KEY", "has a variable that was not expanded, not a key"),
        ("${API_KEY}", "has a variable that was not expanded, not a key"),
        ("$(cat key)", "has a variable that was not expanded, not a key"),
        ("{{ api_key }}", "has a variable that was not expanded, not a key"),
        ("%API_KEY%", "has a variable that was not expanded, not a key"),
        ("API_KEY=k0123456789", "has NAME=value; only the key is expected"),
        ("<YOUR_API_KEY>", "has a placeholder, not a key"),
    ],
)
def test_a_text_that_cannot_be_a_key_is_refused_without_being_quoted(
    text: str, problem: str
) -> None:
    with pytest.raises(PollError) as caught:
        validate_key(f"{text}\n", "the variable")
    assert caught.value.detail == f"the variable {problem}"


@pytest.mark.parametrize("key", ["bWFkZSB1cA==", "a=", "$2y", "k<1>", "50%off"])
def test_a_key_with_such_characters_elsewhere_is_accepted(key: str) -> None:
    assert validate_key(key, "the variable") == Secret(key)


def test_parts_of_several_secrets_are_found_where_they_are() -> None:
    finder = SecretFinder([Secret("qwertz123456"), Secret("short")])
    text = "\u0130: qwertz123 and SHORT"  # the lower case of the first letter is two characters
    spans = set(finder.spans(text))
    assert min(spans)[0] == 3
    assert {text[begin:end] for begin, end in spans} == {"qwertz12", "wertz123", "SHORT"}
