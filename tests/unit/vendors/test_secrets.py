"""A key is in the request that needs it and nowhere else, however a vendor quotes it back."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import signal
import traceback
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

import pytest
from disguises import DISGUISES, reveals_key
from exporter_process import MODULE, running, started, until
from raw_http_server import head, peer, response
from vendor_calls import affinda_settings, connected, failure, polled, run, source, xtracta_settings
from virtual_time import in_virtual_time

from exporter.demo.accounts import Accounts, Organization
from exporter.demo.vendors import Vendors
from exporter.metrics.exposition import target_lines
from exporter.model import FailureReason, PollError, PollOutcome, PollResult
from exporter.polling.limits import PollSlots, RateLimiter
from exporter.polling.scheduler import PollScheduler
from exporter.presentation.formatting import format_state
from exporter.presentation.serialize import to_json
from exporter.state.store import StateStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from raw_http_server import Step

    from exporter.client.client import Request
    from exporter.config.models import Target
    from exporter.polling.poll import PollAttempt, PollTarget


def canary(number: int) -> str:
    """A key like no other: in no word and no number."""
    return f"xq{number:03d}Zk7wVb94Jp+/T=uG"


USAGE: Final = {
    "scope": "organization",
    "scopeIdentifier": "oRg1",
    "start": "2025-05-17",
    "end": "2026-05-17",
    "total": 0,
    "items": [],
}
PLAN: Final = {
    "id": "1",
    "plan_name": "Plan",
    "price_currency": "NZD",
    "allowed_documents": "9",
    "used_documents": "1",
    "available_documents": "8",
    "start_date": "2026-01-01 00:00:00 (GMT)",
    "group_id": "1",
}


def as_json(document: object) -> bytes:
    return response(json.dumps(document).encode())


def refusal(text: str) -> bytes:
    return response(json.dumps({"errors": [{"detail": f"bad {text}"}]}).encode(), b"401 No")


def line(text: str) -> bytes:
    """What can stand in a header."""
    return text.encode("latin-1", "replace")


AFFINDA: Final[dict[str, Callable[[str], bytes]]] = {
    "detail": refusal,
    "code": lambda text: response(
        json.dumps({"type": text, "errors": [{"attr": text, "code": text}]}).encode(), b"400 No"
    ),
    "reason phrase": lambda text: head(status=b"401 " + line(text)),
    "header": lambda text: head(b"X-Key: " + line(text), b"Content-Length: 0", status=b"403 No"),
    "header of a good response": lambda text: response(
        json.dumps(USAGE).encode(), b"200 OK", b"X-Key: " + line(text)
    ),
    "cookie": lambda text: response(b"", b"500 No", b"Set-Cookie: k=" + line(text)),
    "location": lambda text: response(
        b"", b"302 Go", b"Location: http://127.0.0.1:9/" + line(text)
    ),
    "retry-after": lambda text: response(b"", b"429 Slow", b"Retry-After: " + line(text)),
    "encoding": lambda text: response(b"{}", b"200 OK", b"Content-Encoding: " + line(text)),
    "no http": lambda text: line(text) + b"\r\n\r\n",
    "a length": lambda text: head(b"Content-Length: " + line(text)),
    "a header's name": lambda text: head(line(text)),
    "a chunk size": lambda text: head(b"Transfer-Encoding: chunked") + line(text) + b"\r\n",
    "no json": lambda text: response(text.encode()),
    "scope": lambda text: as_json(USAGE | {"scope": text}),
    "scope identifier": lambda text: as_json(USAGE | {"scopeIdentifier": text}),
    "day": lambda text: as_json(USAGE | {"end": text}),
    "total": lambda text: as_json(USAGE | {"total": text}),
    "a member's name": lambda text: as_json(USAGE | {text: text}),
    "an item's member": lambda text: as_json(
        USAGE | {"items": [{"date": "2026-05-17", "count": 0, text: text}]}
    ),
}
LISTS: Final[dict[str, Callable[[str], bytes]]] = {
    "identifier": lambda text: as_json([{"identifier": text, "name": "x"}]),
    "name": lambda text: as_json([{"identifier": "oRg1", "name": text}]),
    "name's beginning": lambda text: as_json([{"identifier": "oRg1", "name": "x" * 99 + text}]),
    "list's error": refusal,
}


def element(name: str, text: str) -> str:
    return f"<{name}>{text.replace('&', '&amp;').replace('<', '&lt;')}</{name}>"


def billing(text: str = "", name: str = "", root: str = "billings_response") -> bytes:
    """A response with one plan, in which one element (or its own name) is `text`."""
    fields = "".join(element(each, value) for each, value in (PLAN | {name: text}).items() if each)
    return response(f"<{root}><plan>{fields}</plan></{root}>".encode())


def tag(text: str) -> str:
    """What can stand as an element's name, and still reveals the key."""
    return "t" + re.sub(r"[^A-Za-z0-9-]", "", text)


XTRACTA: Final[dict[str, Callable[[str], bytes]]] = {
    "message": lambda text: response(
        element("billings_response", "!")
        .replace("!", element("status", "500") + element("message", text))
        .encode()
    ),
    **{
        name: partial(billing, name=name)
        for name in ("id", "plan_name", "price", "price_currency", "start_date", "group_id")
    },
    "root": lambda text: billing(root=tag(text)),
    "unknown element": lambda text: billing("x", tag(text)),
    "wrong end": lambda text: response(f"<billings_response><{tag(text)}></x>".encode()),
}


@pytest.mark.parametrize("disguise", DISGUISES.values(), ids=DISGUISES)
def test_the_search_finds_a_key_in_every_encoding(disguise: Callable[[str], str]) -> None:
    assert reveals_key(canary(7), f"bad: {disguise(canary(7))}!")
    assert not reveals_key(canary(7), "HTTP status 401: Invalid token.")


def all_output(poll_target: PollTarget, attempt: PollAttempt) -> Iterator[str]:
    """All that the exporter can say of a target after a poll."""
    store = StateStore()
    store.set_targets([poll_target.target])
    store.record(poll_target.target.name, PollOutcome(*attempt, at=0.0, next_at=0.0))
    (snapshot,) = store.snapshots()
    yield repr(snapshot)
    yield repr(poll_target)
    yield json.dumps(to_json(snapshot))
    yield format_state(snapshot)
    yield b"".join(target_lines(snapshot)).decode()


GROUPS: Final[dict[str, Callable[[str], bytes]]] = {
    "group's name": lambda text: groups(text, "1"),
    "group's id": lambda text: groups("Head", text),
}


def groups(name: str, identifier: str) -> bytes:
    inner = element("Id", identifier) + element("Name", name)
    return response(f"<group_response><group>{inner}</group></group_response>".encode())


@dataclass(frozen=True)
class Place:
    """Where a vendor may quote a key: in a response of usage, or in a list."""

    vendor: str
    say: Callable[[str], bytes]
    in_list: bool

    def target(self, base_url: str, key: str) -> Target:
        """A target that sees this place."""
        keys = {"base_url": base_url, "api_key": key, "poll": {"timeout": "2s"}}
        if self.vendor == "xtracta":
            return xtracta_settings(**keys)
        return affinda_settings(**keys, workspaces="all" if self.in_list else "none")

    def answer(self, request: bytes, text: str) -> bytes:
        """The vendor's response, with the text in its place."""
        is_list = b"/v3/usage" not in request and b"/v1/billings" not in request
        if is_list == self.in_list:
            return self.say(text)
        if self.vendor == "xtracta":
            return groups("Head", "1") if is_list else billing()
        return as_json([]) if is_list else as_json(USAGE)


PLACES: Final = {
    f"{vendor}: {name}": Place(vendor, say, in_list)
    for vendor, in_list, known in (
        ("affinda", False, AFFINDA),
        ("affinda", True, LISTS),
        ("xtracta", False, XTRACTA),
        ("xtracta", True, GROUPS),
    )
    for name, say in known.items()
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_key_in_a_response_is_in_no_output(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "exporter")

    async def output_of(key: str, text: str) -> str:
        async with peer(lambda request: [place.answer(request, text)]) as there:
            poll_target = connected(place.target(there.url, key))
            return "\n".join(all_output(poll_target, await polled(poll_target)))

    async def main() -> None:
        for number, disguise in enumerate(DISGUISES.values()):
            key = canary(number)
            output = await output_of(key, disguise(key))
            assert not reveals_key(key, output + caplog.text)
            caplog.clear()

    run(main())


def test_names_without_a_key_are_shown() -> None:
    async def main() -> None:
        async with peer(
            lambda request: [PLACES["affinda: name"].answer(request, "Claims")]
        ) as there:
            poll_target = source(there.url)
            texts = "\n".join(all_output(poll_target, await polled(poll_target)))
        assert 'organization_name="Claims"' in texts

    run(main())


def test_a_traceback_of_a_failure_holds_no_key() -> None:
    key = canary(1)

    async def main() -> None:
        async with peer(lambda _: [refusal(key)]) as there:
            poll_target = source(there.url, api_key=key)
            try:
                await poll_target.poller(poll_target.transport, 0.0)
            except PollError as error:
                shown = "".join(traceback.format_exception(error)) + repr(error)
                assert "HTTP status 401: <secret>" in shown
                assert not reveals_key(key, shown)

    run(main())


CONFIG: Final = """
  - {{name: "t{number}", vendor: {vendor}, base_url: "{url}/{number}", api_key: "{key}"{more}}}
"""


@pytest.mark.e2e
def test_no_page_log_line_or_command_line_of_the_program_reveals_a_key(
    tmp_path: Path,
) -> None:
    places = list(PLACES.values())
    disguises = list(DISGUISES.values())

    def script(request: bytes) -> list[Step]:
        number = int(request.split(b" ")[1].split(b"/")[1])
        text = disguises[number % len(disguises)](canary(number))
        assert canary(number) in sent_key(request)
        return [places[number].answer(request, text)]

    async def main() -> str:
        async with peer(script) as there:
            config = tmp_path / "config.yaml"
            config.write_text(configuration(there.url))
            return await asyncio.to_thread(all_program_output, tmp_path, config)

    everything = run(main())
    assert "t0" in everything
    assert "Head" in everything
    for number in range(len(places)):
        assert not reveals_key(canary(number), everything)


def configuration(url: str) -> str:
    more = {"affinda": ", organization: oRg1, workspaces: all", "xtracta": ""}
    targets = [
        CONFIG.format(
            number=number,
            vendor=place.vendor,
            url=url,
            key=canary(number),
            more=more[place.vendor] if place.in_list else more[place.vendor].partition(", w")[0],
        )
        for number, place in enumerate(PLACES.values())
    ]
    return "poll: {interval: 10s, requests_per_second: 1000}\ntargets:" + "".join(targets)


def sent_key(request: bytes) -> str:
    """The key that a request holds, in its header or in its body."""
    text = request.decode()
    form = parse_qs(text.partition("\r\n\r\n")[2])
    return form["api_key"][0] if form else text


def all_program_output(folder: Path, config: Path) -> str:
    """Of the running program at debug level, and of every form of a probe."""
    with running(
        folder,
        f"--config.file={config}",
        "--log.level=debug",
        "--web.listen-address=127.0.0.1:0",
    ) as program:
        until(lambda: program.ask("/-/ready").status == 200)
        paths = ("/", "/metrics", "/config", "/api/v1/targets", "/nothing")
        texts = [program.ask(path).text for path in paths]
        texts.append(program.ask("/-/reload", "POST").text)
        texts.append(Path(f"/proc/{program.process.pid}/cmdline").read_text())
        assert program.ended_by(signal.SIGTERM) == 0
        texts += [program.log.read_text(), program.output.read_text()]
    for form in ("table", "json", "prometheus"):
        probe = (*MODULE, "probe", f"--config.file={config}", f"--format={form}")
        with (folder / "probed").open("w+") as out:
            process = started(out, out, *probe, "--log.level=debug", environ={})
            assert process.wait(20) == 1
            out.seek(0)
            texts.append(out.read())
    return "\n".join(texts)


def rotating(keys: tuple[str, ...]) -> Vendors:
    """Vendors that accept these keys."""
    return Vendors(Accounts(tuple(Organization("oRg1", "Acme", key, {}) for key in keys)))


def test_a_key_file_is_read_at_each_poll(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("first-key-1\n")

    async def main() -> None:
        vendors = rotating(("first-key-1", "second-key-2"))
        async with vendors.serve() as url:
            poll_target = source(url, api_key=None, api_key_file=str(path))
            assert isinstance((await polled(poll_target)).result, PollResult)
            path.write_text("second-key-2\n")
            assert isinstance((await polled(poll_target)).result, PollResult)
            path.write_text("")
            assert failure(await polled(poll_target)) == (
                FailureReason.SECRET,
                "the key file is empty",
                None,
            )
        sent = [request.headers["authorization"] for request in vendors.log]
        assert sent == ["Bearer first-key-1"] * 2 + ["Bearer second-key-2"]

    run(main())


def test_a_refused_key_slows_down_and_the_changed_file_is_tried_at_once(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("revoked-key-1")
    outcomes: list[PollOutcome] = []
    virtual_asking: list[str] = []

    async def send(request: Request) -> bytes:
        virtual_asking.append(request.headers["Authorization"])
        if "revoked" in virtual_asking[-1]:
            raise PollError(FailureReason.AUTH, "HTTP status 401")
        return json.dumps(USAGE if "/v3/usage" in request.url else []).encode()

    async def main() -> None:
        target = affinda_settings(api_key=None, api_key_file=str(path), poll={"interval": "15m"})
        poll_target = connected(target)._replace(transport=send)
        async with PollScheduler(
            lambda _, outcome: outcomes.append(outcome), PollSlots(1, RateLimiter(1.0))
        ) as scheduler:
            scheduler.start([poll_target])
            await asyncio.sleep(6 * 3600)
            refused = len(outcomes)
            assert refused <= 6  # after 0, 0.01, 0.5, 1.5, 3.5 and 5.5 hours
            path.write_text("a-new-key-2")
            await asyncio.sleep(6)
            assert len(outcomes) == refused + 1
            assert isinstance(outcomes[-1].result, PollResult)

    in_virtual_time(main())
