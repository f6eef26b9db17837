"""Debian's Chromium, driven through its DevTools pipe: no driver and no package in between."""

from __future__ import annotations

import json
import os
import subprocess
import zlib
from base64 import b64decode
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, BinaryIO, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_FLAGS: Final = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)


class Browser:
    """One tab. Commands and events are JSON that ends in NUL, as the DevTools protocol has it."""

    def __init__(self, commands: int, answers: BinaryIO) -> None:
        self._commands = commands
        self._answers = answers
        self._last = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        tab = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=tab, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Accessibility"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """The result of a command."""
        self._last += 1
        command: dict[str, object] = {"id": self._last, "method": method, "params": parameters}
        if self._session:
            command["sessionId"] = self._session
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        while True:
            message = self._read()
            if message.get("id") == self._last:
                assert "error" not in message, message
                return dict(message["result"])

    def _read(self) -> dict[str, Any]:
        raw = bytearray()
        while (byte := self._answers.read(1)) != b"\0":
            assert byte, "the browser is gone"
            raw += byte
        message = dict(json.loads(raw))
        if "method" in message:
            self.events.append(message)
        return message

    def open(self, url: str) -> None:
        """Go to a page and wait until it is loaded."""
        self.events.clear()
        self.call("Page.navigate", url=url)
        self.wait_for("Page.loadEventFired")

    def wait_for(self, event: str) -> None:
        """Wait for an event since the last page was opened."""
        while not any(message["method"] == event for message in self.events):
            self._read()

    def window(self, width: int, height: int, scheme: str = "light", **more: object) -> None:
        """Have a window of this size in CSS pixels, and this colour scheme."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **metrics | more)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def value(self, expression: str) -> Any:  # noqa: ANN401  whatever JavaScript has
        """The value of a JavaScript expression in the page."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def press(self, key: str, code: int, text: str = "") -> None:
        """Press a key and let it go."""
        named: dict[str, object] = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        down = "keyDown" if text else "rawKeyDown"
        self.call("Input.dispatchKeyEvent", type=down, text=text, **named)
        self.call("Input.dispatchKeyEvent", type="keyUp", **named)

    def names(self, role: str) -> list[str]:
        """What a screen reader calls the elements of a role, in the page's order."""
        tree = self.call("Accessibility.getFullAXTree")["nodes"]
        return [
            node["name"]["value"]
            for node in tree
            if not node["ignored"] and node["role"]["value"] == role
        ]

    def complaints(self) -> list[str]:
        """What the browser logged since the page was opened, refusals by its policy included."""
        return [
            message["params"]["entry"]["text"]
            for message in self.events
            if message["method"] == "Log.entryAdded"
        ]

    def colour(self, x: float, y: float) -> str:
        """What a point of the page shows, as `#rrggbb`."""
        clip = {"x": int(x), "y": int(y), "width": 1, "height": 1, "scale": 1}
        png = b64decode(self.call("Page.captureScreenshot", format="png", clip=clip)["data"])
        # One row of one point: after the byte that names the row's filter stand its colours.
        return "#" + zlib.decompress(b"".join(_image_data(png)))[1:4].hex()


def _image_data(png: bytes) -> Iterator[bytes]:
    """The compressed parts of a PNG's image."""
    start = 8
    while start < len(png):
        length = int.from_bytes(png[start : start + 4], "big")
        if png[start + 4 : start + 8] == b"IDAT":
            yield png[start + 8 : start + 8 + length]
        start += 12 + length


@contextmanager
def browser(program: str) -> Iterator[Browser]:
    """A browser with an empty profile, for as long as the context lasts."""
    commands_out, commands = os.pipe()
    answers, answers_in = os.pipe()
    # The pipe is file descriptors 3 and 4 of the browser.
    script = f'exec "$0" "$@" 3<&{commands_out} 4>&{answers_in}'
    with TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(  # noqa: S603  Chromium, with our own flags
            ["/bin/bash", "-c", script, program, *_FLAGS, f"--user-data-dir={profile}"],
            pass_fds=(commands_out, answers_in),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands_out)
        os.close(answers_in)
        try:
            with os.fdopen(answers, "rb") as stream:
                yield Browser(commands, stream)
        finally:
            process.kill()
            process.wait()
            os.close(commands)
