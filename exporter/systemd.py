"""Notifies systemd of the exporter's state: the protocol of sd_notify(3)."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def notify(environ: Mapping[str, str], *messages: str) -> None:
    """Send messages such as `READY=1`; without effect unless NOTIFY_SOCKET is set."""
    address = environ.get("NOTIFY_SOCKET")
    if not address:
        return
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    with channel, suppress(OSError):  # polling goes on if nobody receives it
        # An address that begins with @ is in the abstract namespace.
        channel.sendto("\n".join(messages).encode(), address.replace("@", "\0", 1))


def notify_reloading(environ: Mapping[str, str]) -> None:
    """Announce the start of a reload; `READY=1` ends it."""
    notify(environ, "RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
