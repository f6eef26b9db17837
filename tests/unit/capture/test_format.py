"""The files of a capture."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from captures import files
from hypothesis import given
from hypothesis import strategies as st

from exporter.capture.errors import CaptureError
from exporter.capture.format import (
    Call,
    Capture,
    Exchange,
    TargetCapture,
    kind_of,
    load,
    new_folder,
    save,
)
from exporter.client.client import Response
from exporter.model import FailureReason, PollFailure

if TYPE_CHECKING:
    from pathlib import Path

CALL = Call("GET", "https://api.example/v3/usage?organization=oRg1", "")
FORM = Call("POST", "https://api.example/v1/billings/usage", "group_id=481")
EXCHANGES = (
    Exchange(CALL, Response(200, (("content-type", "application/json"),), b'{"total": 1.0}\r\n')),
    Exchange(FORM, PollFailure(FailureReason.DNS, "the host name cannot be resolved", 3.5)),
    Exchange(FORM, None),
    Exchange(CALL, Response(204, (), b"")),
    Exchange(CALL, Response(500, (("x-empty", ""),), b"\x00\xff\xfe garbage")),
)
SETTINGS = {"name": "../a b/\u00e9", "vendor": "affinda", "workspaces": ["w1", "w2"]}
TARGET = TargetCapture(SETTINGS, None, 1.1, 2.2, 0.1 + 0.2, EXCHANGES)
NO_KEY = TargetCapture({"name": "b", "vendor": "x"}, "the key file is empty", 1.0, 2.0, 0.0, ())
CAPTURE = Capture("1.0", "3.11.2", 1_779_000_000.25, is_anonymized=False, targets=(TARGET, NO_KEY))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "capture"
    files(CAPTURE, path)
    return path


def test_a_capture_is_read_as_it_was_written(folder: Path) -> None:
    assert load(folder) == CAPTURE


def test_its_files_are_named_by_number_and_content(tmp_path: Path) -> None:
    assert list(files(CAPTURE, tmp_path / "capture")) == [
        "01-_a_b_/001.json",
        "01-_a_b_/001.response.json",
        "01-_a_b_/002.json",
        "01-_a_b_/003.json",
        "01-_a_b_/004.json",
        "01-_a_b_/005.json",
        "01-_a_b_/005.response.bin",
        "manifest.json",
    ]


def test_an_exchange_can_be_read_with_cat(tmp_path: Path) -> None:
    found = files(CAPTURE, tmp_path / "capture")
    assert found["01-_a_b_/001.response.json"] == b'{"total": 1.0}\r\n'
    assert (
        found["01-_a_b_/001.json"].decode()
        == """\
{
  "request": {
    "method": "GET",
    "url": "https://api.example/v3/usage?organization=oRg1"
  },
  "response": {
    "status": 200,
    "headers": [
      "content-type: application/json"
    ],
    "body": "001.response.json"
  }
}
"""
    )
    assert json.loads(found["01-_a_b_/002.json"]) == {
        "request": {
            "method": "POST",
            "url": "https://api.example/v1/billings/usage",
            "body": "group_id=481",
        },
        "failure": {
            "reason": "dns",
            "detail": "the host name cannot be resolved",
            "retry_after": 3.5,
        },
    }
    assert json.loads(found["01-_a_b_/003.json"])["unfinished"] is True
    manifest = json.loads(found["manifest.json"])
    assert manifest["captured"] == "2026-05-17T06:40:00Z"
    assert manifest["targets"][0]["settings"]["name"] == "../a b/\u00e9"


def test_only_its_owner_can_read_it(folder: Path) -> None:
    modes = {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()}
    assert modes == {0o600}
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir() if path.is_dir()} == {0o700}


def test_a_new_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    new_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_an_empty_folder_is_taken_and_closed_to_others(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(mode=0o755)
    new_folder(tmp_path / "a")
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", [".", "file"])
def test_what_is_no_empty_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(CaptureError) as caught:
        new_folder(tmp_path / name)
    assert str(caught.value) == f"{tmp_path / name} is not an empty folder; choose another one"
    assert (tmp_path / "file").read_text() == "mine"


def test_a_capture_that_was_interrupted_is_not_replayed(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    path.mkdir()
    (path / "02-b").mkdir()
    with pytest.raises(FileExistsError):
        save(CAPTURE, path)
    assert (path / "01-_a_b_" / "001.json").exists()
    with pytest.raises(CaptureError) as caught:
        load(path)
    assert str(caught.value) == f"{path}/manifest.json: missing: the capture is incomplete"


@pytest.mark.parametrize("name", ["001.json", "001.response.json", "005.response.bin"])
def test_a_capture_that_lacks_a_file_is_not_replayed(folder: Path, name: str) -> None:
    (folder / "01-_a_b_" / name).unlink()
    with pytest.raises(CaptureError, match=f"{name}: missing: the capture is incomplete"):
        load(folder)


def test_a_file_that_cannot_be_read_is_reported(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    (folder / "manifest.json").mkdir()
    with pytest.raises(CaptureError, match=r"manifest\.json: Is a directory"):
        load(folder)


def test_a_file_of_enormous_size_is_refused(folder: Path) -> None:
    with (folder / "manifest.json").open("wb") as file:
        file.truncate(2**24 + 1)
    with pytest.raises(CaptureError, match=r"manifest\.json: too large"):
        load(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[", "not a file of a capture; invalid: all"),
        ("[" * 100_000, "not a file of a capture; invalid: all"),
        ("[]", "not a file of a capture; invalid: all"),
        ('{"request": 1}', "not a file of a capture; invalid: request"),
        (
            (
                '{"request": {"method": "GET", "url": ""}, "response": {"status": "200", '
                '"headers": [], "body": "../../secret"}}'
            ),
            "not a file of a capture; invalid: response.status, response.body",
        ),
    ],
)
def test_a_file_that_is_damaged_or_leads_out_of_the_folder_is_refused(
    folder: Path, content: str, message: str
) -> None:
    path = folder / "01-_a_b_" / "001.json"
    path.write_text(content)
    with pytest.raises(CaptureError) as caught:
        load(folder)
    assert str(caught.value) == f"{path}: {message}"


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("format", 2, "not a file of a capture; invalid: format"),
        ("folder", "../02-b", "not a file of a capture; invalid: targets.1.folder"),
        ("name", None, "not a file of a capture; invalid: targets.1.settings.name"),
        ("name", CAPTURE.targets[0].name, "not a file of a capture; invalid: targets"),
        ("vendor", 1, "not a file of a capture; invalid: targets.1.settings.vendor"),
    ],
)
def test_a_manifest_that_is_invalid_is_refused(
    folder: Path, part: str, value: object, message: str
) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    second = manifest["targets"][1]
    {"format": manifest, "folder": second}.get(part, second["settings"])[part] = value
    path.write_text(json.dumps(manifest))
    with pytest.raises(CaptureError) as caught:
        load(folder)
    assert str(caught.value) == f"{path}: {message}"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'\xef\xbb\xbf \n{"a": 1}', "json"),
        (b"[]", "json"),
        (b"<a/>", "xml"),
        (b"<br />\n<b>Deprecated</b>\n<?xml version='1.0'?><a/>", "xml"),
        (b"Notice: x\n<?xml version='1.0'?><a/>", "xml"),
        (b"\n<!DOCTYPE html><title>Blocked</title>", "html"),
        (b"<HTML>", "html"),
        ("upstr\u00e9am error\r\n".encode(), "txt"),
        (b"\x1f\x8b\x08", "bin"),
        (b"a\0b", "bin"),
    ],
)
def test_the_file_of_a_body_ends_as_the_body_begins(body: bytes, kind: str) -> None:
    assert kind_of(body) == kind


@given(
    st.lists(
        st.builds(
            Exchange,
            st.builds(Call, st.sampled_from(["GET", "POST"]), st.text(), st.text()),
            st.none()
            | st.builds(
                Response,
                st.integers(0, 999),
                st.lists(st.tuples(st.from_regex("[a-z0-9-]+", fullmatch=True), st.text())).map(
                    tuple
                ),
                st.binary(),
            ),
        ),
        max_size=3,
    )
)
def test_any_exchange_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, exchanges: list[Exchange]
) -> None:
    target = NO_KEY._replace(exchanges=tuple(exchanges))
    capture = CAPTURE._replace(targets=(target,))
    path = tmp_path_factory.mktemp("any") / "capture"
    files(capture, path)
    assert load(path) == capture
