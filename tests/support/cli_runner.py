"""A command run within this process: what it said, and its exit status."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.cli.main import run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pytest


class CliRunner:
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
