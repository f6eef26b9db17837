"""Runs a command in the process of the test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from own_thread import in_own_thread

from exporter.cli.main import run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pytest


class CliRunner:
    """Runs a command: gives its exit status, standard output and standard error."""

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
        return in_own_thread(run, arguments, environ)
    except SystemExit as error:  # argparse ends this way
        return int(error.code or 0)
