"""Tells systemd how the exporter is doing: sd_notify's protocol, one datagram a message."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def notify(environ: Mapping[str, str], *messages: str) -> None:
    """Send messages such as `READY=1` to whoever started the exporter, if it wants to know."""
    address = environ.get("NOTIFY_SOCKET")
    if not address:
        return
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    # Whoever does not listen after all is no reason to stop polling.
    with channel, suppress(OSError):
        # An address that begins with @ is in the abstract namespace.
        channel.sendto("\n".join(messages).encode(), address.replace("@", "\0", 1))


def reloading(environ: Mapping[str, str]) -> None:
    """Say that a reload begins; `READY=1` ends it."""
    notify(environ, "RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
