"""`probe --capture`: records the polls and writes them into a folder."""

from __future__ import annotations

import json
from platform import python_version
from typing import TYPE_CHECKING, Final

from exporter.app import VERSION
from exporter.capture.anonymize import anonymize
from exporter.capture.errors import CaptureError
from exporter.capture.format import Capture, new_folder, save
from exporter.capture.record import without_secrets
from exporter.vendors import VENDORS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from exporter.capture.record import Recorder
    from exporter.config.models import Target

_MAX_TEXT: Final = 100  # characters


def make_folder(path: Path, targets: Iterable[Target], *, is_anonymized: bool) -> None:
    """Make the folder of a capture, before the targets are polled.

    Raises:
        CaptureError: the folder is not empty, or a vendor's captures cannot be anonymized.
        OSError: the folder cannot be made.
    """
    for target in targets if is_anonymized else ():
        if VENDORS[target.vendor].fields is None:
            raise CaptureError(
                f"target {target.name}: the vendor {target.vendor} does not declare which "
                "fields identify; capture without --anonymize, or name other targets"
            )
    new_folder(path)


def save_recorded(
    recorders: Sequence[Recorder], path: Path, now: float, *, is_anonymized: bool
) -> str:
    """Write what was recorded.

    Args:
        recorders: of the targets, after their polls.
        path: the folder.
        now: when the results are printed, Unix seconds.
        is_anonymized: whether identifiers and names are replaced.

    Returns:
        What was written, and what to look at before it is shared.
    """
    targets = tuple(recorder.captured for recorder in recorders)
    capture = Capture(VERSION, python_version(), now, is_anonymized=False, targets=targets)
    capture = without_secrets(capture, recorders)
    texts: tuple[str, ...] = ()
    if is_anonymized:
        fields = {name: vendor.fields for name, vendor in VENDORS.items() if vendor.fields}
        capture, texts = anonymize(capture, fields)
    files = save(capture, path)
    count = sum(len(target.exchanges) for target in targets)
    lines = [
        f"{path}: a capture of {count} request{'s' * (count != 1)}; only you can read the files.",
        "Removed: keys, cookies and authorization headers.",
        "Replaced by stand-ins: identifiers, names, hosts, and texts of unknown fields."
        if is_anonymized
        else "Not replaced: identifiers, names and hosts. For a copy to share, run: "
        f"docusage-exporter probe --replay={path} --capture={path}-anonymous --anonymize",
        "Figures, dates and prices are as they were. Before you share it, read it, first of all:",
        *(f"  {file}" for file in files),
        *(f"  the text {json.dumps(text[:_MAX_TEXT], ensure_ascii=False)}" for text in texts),
        f"Replay it: docusage-exporter probe --replay={path}",
    ]
    return "\n".join(lines)
