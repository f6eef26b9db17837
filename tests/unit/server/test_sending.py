"""How a reply gets to its client: whole, in order, and never much of it at once."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scraping import GET, LAST, encrypted, hello, served, settled
from self_signed import client_context

from exporter.memory_file import MemoryFile, kept, pieces
from exporter.web.response import Request, Response
from exporter.web.web_config.models import WebConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.web.response import Answer

LONG = bytes(range(256)) * 80_000


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_file_goes_with_the_last_reference_to_it() -> None:
    before = descriptors()
    file = MemoryFile(LONG)
    assert descriptors() == before + 1
    del file
    assert descriptors() == before


def test_what_can_be_in_no_file_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "memfd_create", refuse)
    assert kept(LONG) is LONG
    monkeypatch.delattr(os, "memfd_create")
    assert kept(LONG) is LONG


@given(st.binary(), st.integers(1, 50))
def test_pieces_are_the_whole(content: bytes, size: int) -> None:
    for form in (content, MemoryFile(content)):
        found = list(pieces(form, size))
        assert b"".join(found) == content
        assert all(len(piece) == size for piece in found[:-1])


WAYS = pytest.mark.parametrize("web", [WebConfig, encrypted], ids=["plain", "tls"])
FORMS = pytest.mark.parametrize("body", [LONG, MemoryFile(LONG)], ids=["bytes", "file"])


def answers(body: bytes | MemoryFile) -> Answer:
    """Answers `/long` with a body, and says hello to everything else."""

    async def answer(request: Request) -> Response:
        return (
            Response(200, "text/plain", body) if request.path == "/long" else await hello(request)
        )

    return answer


ASK_LONG = GET.replace(b"/", b"/long", 1)


@WAYS
@FORMS
def test_a_long_reply_arrives_whole_and_so_does_what_is_asked_next(
    web: Callable[[], WebConfig], body: bytes | MemoryFile
) -> None:
    async def main() -> None:
        async with served(answers(body), web) as here:
            tls = client_context() if web is encrypted else None
            head, _, rest = (await here.ask(ASK_LONG * 2 + LAST, tls)).partition(b"\r\n\r\n")
            assert f"content-length: {len(LONG)}".encode() in head
            assert rest.startswith(LONG)
            assert rest[len(LONG) :].startswith(b"HTTP/1.1 200 OK\r\n")
            assert rest.count(LONG) == 2
            assert rest.endswith(b"\r\n\r\nGET /\n")

    asyncio.run(main())


@FORMS
def test_a_client_that_does_not_read_holds_little_memory_and_not_for_long(
    body: bytes | MemoryFile,
) -> None:
    async def main() -> None:
        async with served(answers(body)) as here, here.connected() as client:
            client.write(ASK_LONG)
            await client.until(b"\r\n\r\n")
            client.transport.pause_reading()
            (held,) = here.server.held
            await asyncio.sleep(0.02)
            assert held.transport.get_write_buffer_size() < 200_000
            held.since -= 29.5
            here.server.end_overdue()
            assert here.server.held
            held.since -= 0.6
            here.server.end_overdue()
            assert not here.server.held
            client.transport.resume_reading()
            assert len(await client.rest()) < len(LONG)
            assert (await here.ask()).endswith(b"GET /\n")

    asyncio.run(main())


@FORMS
def test_a_client_that_leaves_in_the_midst_of_a_reply_leaves_nothing_behind(
    body: bytes | MemoryFile, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with served(answers(body)) as here:
            async with here.connected() as client:
                client.write(ASK_LONG)
                await client.until(b"\r\n\r\n")
            await settled(lambda: not here.server.held and not here.server.answering)

    asyncio.run(main())
    assert not caplog.records  # asyncio warns of writes to nobody


def test_nonsense_in_the_midst_of_a_reply_ends_the_connection() -> None:
    async def main() -> None:
        async with served(answers(LONG)) as here, here.connected() as client:
            client.write(ASK_LONG)
            await client.until(b"\r\n\r\n")
            client.transport.pause_reading()
            client.write(b"\0")
            await settled(lambda: not here.server.held)
            client.transport.resume_reading()
            assert b"400" not in await client.rest()

    asyncio.run(main())


def test_a_fault_is_told_to_the_client_and_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def faulty(request: Request) -> Response:
        raise ValueError(request.path)

    async def main() -> None:
        async with served(faulty) as here:
            assert (await here.ask(GET + LAST)).count(b"HTTP/1.1 500 Internal Server Error") == 2

    asyncio.run(main())
    assert {record.message for record in caplog.records} == {"request not answered"}


def test_what_waits_to_be_sent_goes_first() -> None:
    async def main() -> None:
        async with served(answers(MemoryFile(LONG))) as here, here.connected() as client:
            held = await here.held()
            client.transport.pause_reading()
            held.transport.set_write_buffer_limits(len(LONG))
            held.transport.write(LONG)
            client.write(ASK_LONG.replace(b"host", b"connection: close\r\nhost"))
            await settled(lambda: bool(here.server.answering))
            client.transport.resume_reading()
            received = await client.rest()
        assert received.startswith(LONG + b"HTTP/1.1 200 OK")
        assert received.endswith(b"\r\n\r\n" + LONG)

    asyncio.run(main())


def test_what_waits_to_be_sent_is_sent_before_the_end() -> None:
    async def main() -> None:
        async with served() as here, here.connected() as client:
            held = await here.held()
            client.transport.pause_reading()
            held.transport.write(LONG)
            ending = asyncio.create_task(here.server.shut_down())
            await asyncio.sleep(0)
            client.transport.resume_reading()
            assert await client.rest() == LONG
            await ending

    asyncio.run(main())


def test_an_answer_that_comes_when_its_client_has_left_is_sent_to_nobody() -> None:
    async def main() -> None:
        release = asyncio.Event()

        async def slow(request: Request) -> Response:
            await release.wait()
            return await hello(request)

        async with served(slow) as here:
            async with here.connected() as client:
                client.write(GET)
                await settled(lambda: bool(here.server.answering))
                # Else it might be a client that asks nothing more, and waits.
                resets = struct.pack("ii", 1, 0)
                raw = client.transport.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, resets)
            await settled(lambda: not here.server.held)
            release.set()
            await settled(lambda: not here.server.answering)

    asyncio.run(main())
