"""Captures as values, and as files that people can read: see docs/capture.md for the layout."""

from __future__ import annotations

import errno
import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeVar

from pydantic import ConfigDict, Field, ValidationError, field_validator

from exporter.capture.errors import CaptureError
from exporter.client.client import Response
from exporter.config.models import Model
from exporter.files import read_regular_file
from exporter.model import PollFailure

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_MANIFEST: Final = "manifest.json"
_NOT_IN_FILE_NAMES: Final = re.compile(r"[^A-Za-z0-9_-]+")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_MAX_NAME: Final = 40
_MAX_BYTES: Final = 16 * 1024 * 1024  # of a file; a response has 2 MB at most
_M = TypeVar("_M", bound=Model)


class Call(NamedTuple):
    """A request, without the parameters that hold the key.

    Args:
        method: `GET` or `POST`.
        url: with its query.
        body: as text; empty without one.
    """

    method: str
    url: str
    body: str = ""


class Exchange(NamedTuple):
    """A request, and what came of it.

    Args:
        call: the request.
        outcome: the response, or the failure; None if the poll ended before either.
    """

    call: Call
    outcome: Response | PollFailure | None


class TargetCapture(NamedTuple):
    """One poll of a target.

    Args:
        settings: without keys and `http`, as a configuration has them.
        key_error: why there was no usable key, if there was none.
        started, ended: Unix seconds.
        duration: seconds.
        exchanges: in the order in which the requests started.
    """

    settings: Mapping[str, Any]
    key_error: str | None
    started: float
    ended: float
    duration: float
    exchanges: tuple[Exchange, ...]

    @property
    def name(self) -> str:
        """The target's name."""
        return str(self.settings["name"])

    @property
    def vendor(self) -> str:
        """The vendor's name."""
        return str(self.settings["vendor"])


class Capture(NamedTuple):
    """A probe.

    Args:
        exporter, python: versions.
        printed: when the result was printed, Unix seconds: distances in the table are from it.
        is_anonymized: whether identifiers and names are stand-ins.
        targets: in the order of the configuration.
    """

    exporter: str
    python: str
    printed: float
    is_anonymized: bool
    targets: tuple[TargetCapture, ...]


class _Settings(Model):
    model_config = ConfigDict(extra="allow")

    name: str
    vendor: str


class _Target(Model):
    folder: str = Field(pattern="^[A-Za-z0-9_-]{1,64}$")
    settings: _Settings
    key_error: str | None = None
    started: float
    ended: float
    duration: float
    exchanges: int = Field(ge=0)


class _Manifest(Model):
    format: Literal[1]
    exporter: str
    python: str
    captured: str
    printed: float
    anonymized: bool
    targets: tuple[_Target, ...]

    @field_validator("targets")
    @classmethod
    def _unique_names(cls, targets: tuple[_Target, ...]) -> tuple[_Target, ...]:
        if len({target.settings.name for target in targets}) < len(targets):
            raise ValueError("two targets have the same name")
        return targets


class _Response(Model):
    status: int = Field(ge=0, le=999)
    headers: tuple[str, ...]
    body: str | None = Field(None, pattern=r"^[0-9]{3,6}\.response\.[a-z]{3,4}$")


class _Exchange(Model):
    request: Call
    response: _Response | None = None
    failure: PollFailure | None = None
    unfinished: Literal[True] | None = None


def new_folder(path: Path) -> None:
    """Make a folder that only its owner can read, or take one that is empty.

    Raises:
        CaptureError: it is not empty: a capture never mixes with other files.
        OSError: it cannot be made.
    """
    try:
        path.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        if not path.is_dir() or any(path.iterdir()):
            raise CaptureError(f"{path} is not an empty folder; choose another one") from None
    path.chmod(0o700)


def save(capture: Capture, path: Path) -> list[Path]:
    """Write a capture into an empty folder.

    The manifest comes last, in one step: without it nothing is replayed.

    Returns:
        The files in which values are not in fields: the manifest, and pages and texts.

    Raises:
        OSError: it cannot be written.
    """
    manifest = path / _MANIFEST
    targets, without_fields = [], [manifest]
    for number, target in enumerate(capture.targets, 1):
        # A target may have any name.
        name = _NOT_IN_FILE_NAMES.sub("_", target.name)[:_MAX_NAME]
        folder = path / f"{number:02d}-{name}"
        folder.mkdir(mode=0o700)
        for place, exchange in enumerate(target.exchanges, 1):
            body = _save_exchange(exchange, folder / f"{place:03d}.json")
            if body and body.suffix not in {".json", ".xml"}:
                without_fields.append(body)
        fields = target._asdict() | {"exchanges": len(target.exchanges)}
        targets.append({"folder": folder.name, **fields})
    document = {
        "format": 1,
        "exporter": capture.exporter,
        "python": capture.python,
        "captured": f"{datetime.fromtimestamp(capture.printed, UTC):%Y-%m-%dT%H:%M:%SZ}",
        "printed": capture.printed,
        "anonymized": capture.is_anonymized,
        "targets": targets,
    }
    partial = path / f"{_MANIFEST}.part"
    _write_json(partial, document)
    partial.rename(manifest)
    return without_fields


def _save_exchange(exchange: Exchange, path: Path) -> Path | None:
    """Write an exchange; the file of its response's body, if it has one."""
    call, outcome = exchange
    request = call._asdict() if call.body else {"method": call.method, "url": call.url}
    document: dict[str, Any] = {"request": request}
    body = None
    if isinstance(outcome, Response):
        headers = [f"{name}: {value}" for name, value in outcome.headers]
        document["response"] = {"status": outcome.status, "headers": headers}
        if outcome.body:
            body = path.with_suffix(f".response.{kind_of(outcome.body)}")
            document["response"]["body"] = body.name
            _write(body, outcome.body)
    elif outcome:
        document["failure"] = outcome._asdict()
    else:
        document["unfinished"] = True
    _write_json(path, document)
    return body


def kind_of(body: bytes) -> Literal["json", "html", "xml", "txt", "bin"]:
    """What a body looks like."""
    start = body[:4096].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith((b"{", b"[")):
        return "json"
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "html"
    if start.startswith(b"<") or b"<?xml" in start:
        return "xml"
    try:
        return "bin" if _CONTROL.search(body.decode()) else "txt"
    except UnicodeDecodeError:
        return "bin"


def _write_json(path: Path, document: Mapping[str, Any]) -> None:
    text = json.dumps(document, indent=2, ensure_ascii=False)
    _write(path, f"{text}\n".encode())


def _write(path: Path, content: bytes) -> None:
    path.touch(mode=0o600, exist_ok=False)
    path.write_bytes(content)


def load(path: Path) -> Capture:
    """The capture in a folder.

    Raises:
        CaptureError: it is incomplete, damaged, or of another version of the format.
    """
    manifest = _read(path / _MANIFEST, _Manifest)
    targets = tuple(
        TargetCapture(
            target.settings.model_dump(),
            target.key_error,
            target.started,
            target.ended,
            target.duration,
            tuple(
                _load_exchange(path / target.folder, number)
                for number in range(1, target.exchanges + 1)
            ),
        )
        for target in manifest.targets
    )
    return Capture(
        manifest.exporter, manifest.python, manifest.printed, manifest.anonymized, targets
    )


def _load_exchange(folder: Path, number: int) -> Exchange:
    entry = _read(folder / f"{number:03d}.json", _Exchange)
    if entry.response is None:
        return Exchange(entry.request, entry.failure)
    body = _content(folder / entry.response.body) if entry.response.body else b""
    lines = (line.partition(": ") for line in entry.response.headers)
    headers = tuple((name, value) for name, _, value in lines)
    return Exchange(entry.request, Response(entry.response.status, headers, body))


def _read(path: Path, model: type[_M]) -> _M:
    try:
        return model.model_validate_json(_content(path))
    except ValidationError as error:
        places = ", ".join(".".join(map(str, each["loc"])) or "all" for each in error.errors())
        raise CaptureError(f"{path}: not a file of a capture; invalid: {places}") from None


def _content(path: Path) -> bytes:
    try:
        content = read_regular_file(path, _MAX_BYTES + 1)
    except OSError as error:
        is_missing = error.errno == errno.ENOENT
        detail = "missing: the capture is incomplete" if is_missing else f"{error.strerror}"
        raise CaptureError(f"{path}: {detail}") from None
    if len(content) > _MAX_BYTES:
        raise CaptureError(f"{path}: too large")
    return content
