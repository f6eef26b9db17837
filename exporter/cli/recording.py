"""`probe --capture`: records the polls and writes them into a folder."""

from __future__ import annotations

import json
from itertools import chain
from platform import python_version
from typing import TYPE_CHECKING, Final

from exporter.app import VERSION
from exporter.capture.anonymize import anonymize
from exporter.capture.errors import CaptureError
from exporter.capture.format import (
    MANIFEST,
    Capture,
    folder_name,
    kind_of,
    new_folder,
    response_file,
    save,
)
from exporter.capture.record import Recorder, without_secrets
from exporter.client.client import Response
from exporter.vendors import VENDORS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from exporter.cli.probe_sources import Source
    from exporter.config.models import Target
    from exporter.state.store import TargetSnapshot

_MAX_TEXT: Final = 100  # characters


class Recording:
    """A capture while it is made.

    Args:
        path: its folder, which must not exist or be empty.
        targets: to poll.
        source: where the responses come from.
        is_anonymized: whether identifiers and names are replaced.

    Attributes:
        poll_targets: what to poll.

    Raises:
        CaptureError: the folder is not empty, or a vendor's captures cannot be anonymized.
        OSError: the folder cannot be made.
    """

    def __init__(
        self, path: Path, targets: Sequence[Target], source: Source, *, is_anonymized: bool
    ) -> None:
        for target in targets if is_anonymized else ():
            if VENDORS[target.vendor].fields is None:
                raise CaptureError(
                    f"target {target.name}: the vendor {target.vendor} does not declare which "
                    "fields identify; capture without --anonymize, or name other targets"
                )
        new_folder(path)
        self._path = path
        self._is_anonymized = is_anonymized
        self._recorders = [Recorder(target, source.proxy(target)) for target in targets]
        self.poll_targets = [
            recorder.poll_target(
                VENDORS[target.vendor].create_poller,
                source.round_tripper(target),
                source.clock(target),
            )
            for target, recorder in zip(targets, self._recorders, strict=True)
        ]

    def save(self, snapshots: Sequence[TargetSnapshot], now: float) -> str:
        """Write it.

        Args:
            snapshots: what came of the polls, in the order of the targets.
            now: when they are printed, Unix seconds.

        Returns:
            What was written, and what to look at before it is shared.
        """
        outcomes = [snapshot.state.last_poll for snapshot in snapshots]
        targets = tuple(
            recorder.result(outcome)
            for recorder, outcome in zip(self._recorders, outcomes, strict=True)
            if outcome
        )
        capture = without_secrets(
            Capture(VERSION, python_version(), now, is_anonymized=False, targets=targets),
            chain.from_iterable(recorder.keys for recorder in self._recorders),
            chain.from_iterable(recorder.credentials for recorder in self._recorders),
        )
        texts: tuple[str, ...] = ()
        if self._is_anonymized:
            fields = {name: vendor.fields for name, vendor in VENDORS.items() if vendor.fields}
            capture, texts = anonymize(capture, fields)
        save(capture, self._path)
        return summary(capture, self._path, texts)


def summary(capture: Capture, path: Path, texts: Sequence[str]) -> str:
    """What was written, and what to look at before it is shared.

    Args:
        capture: what was written.
        path: the folder.
        texts: what the vendors say in it.
    """
    count = sum(len(target.exchanges) for target in capture.targets)
    lines = [
        f"{path}: a capture of {count} request{'s' * (count != 1)}; only you can read the files.",
        "Removed: keys, cookies and authorization headers.",
        "Replaced by stand-ins: identifiers, names, hosts, and texts of unknown fields."
        if capture.is_anonymized
        else "Not replaced: identifiers, names and hosts. For a copy to share, run: "
        f"docusage-exporter probe --replay={path} --capture={path}-anonymous --anonymize",
        "Figures, dates and prices are as they were. Before you share it, read it, first of all:",
        *(f"  {file}" for file in _to_read(capture, path)),
        *(f"  the text {json.dumps(text[:_MAX_TEXT], ensure_ascii=False)}" for text in texts),
        f"Replay it: docusage-exporter probe --replay={path}",
    ]
    return "\n".join(lines)


def _to_read(capture: Capture, path: Path) -> Iterator[Path]:
    """The manifest, and responses in which values are not in fields."""
    yield path / MANIFEST
    for number, target in enumerate(capture.targets, 1):
        for place, exchange in enumerate(target.exchanges, 1):
            body = exchange.outcome.body if isinstance(exchange.outcome, Response) else b""
            if kind_of(body) not in {"json", "xml"} and (file := response_file(place, body)):
                yield path / folder_name(number, target.name) / file
