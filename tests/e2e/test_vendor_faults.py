"""Whatever a server sends at whatever speed, a poll ends in time, with its figures or one failure.

Real sockets: the peer plays each case on the first call for usage, and behaves from then on.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import resource
import tracemalloc
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from exporter_process import done, running, served, until
from raw_http_server import BODY, LIST, Move, Step, chunks, head, peer, response
from vendor_calls import CLIENT, LONG_TIMEOUT, TIMEOUT, credits_today, failure, polled, run, source

from exporter.client.client import Request
from exporter.config.models import Http
from exporter.demo.accounts import Accounts, Organization, Scope
from exporter.demo.vendors import SimulatedResponse, Vendors
from exporter.model import FailureReason, PollError

if TYPE_CHECKING:
    from collections.abc import Callable

    from raw_http_server import Peer

    from exporter.demo.vendors import Request as ServerRequest
    from exporter.polling.poll import PollAttempt

pytestmark = pytest.mark.e2e
CHUNKED = head(b"Transfer-Encoding: chunked")
LENGTH = b"Content-Length: %d" % len(BODY)
INTERIM: list[Step] = [head(status=b"100 Continue"), 0.001]
DRIP: list[Step] = [step for byte in response() for step in (bytes([byte]), 0.05)]

GOOD: dict[str, list[Step]] = {
    "with a length": [response()],
    "in chunks": [CHUNKED, chunks(BODY[:7], BODY[7:])],
    "in chunks with a trailer": [CHUNKED, chunks(BODY, end=b"0\r\nX-Sum: 1\r\n\r\n")],
    "in chunks with extensions": [CHUNKED, b"%x;a=b\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)],
    "until the end of the connection": [head(), BODY],
    "of a version to come": [b"HTTP/3.0 200 OK\r\n\r\n", BODY],
    "of version 1.0": [b"HTTP/1.0 200 OK\r\n\r\n", BODY],
    "byte by byte": [bytes([byte]) for byte in response()],
    "after 100 Continue": [head(status=b"100 Continue"), response()],
    "after many hints": [*[head(status=b"103 Early Hints")] * 50, response()],
    "with another response behind it": [response() + response(BODY.replace(b"9", b"8"))],
    "with garbage behind it": [response() + b"\0garbage"],
    "that says it is plain": [response(BODY, b"200 OK", b"Content-Encoding: identity")],
    "without a reason phrase": [response(BODY, b"200 ")],
    "with a reason phrase that is not ASCII": [response(BODY, b"200 \xff\xfe")],
    "with an invalid content type": [response(BODY, b"200 OK", b"Content-Type: \xff")],
    "with cookies": [response(BODY, b"200 OK", b"Set-Cookie: a=b; Path=/")],
    "with the same length twice": [response(BODY, b"200 OK", LENGTH)],
    "with many headers": [response(BODY, b"200 OK", *[b"X: y"] * 1000)],
    "that stays open": [response(), Move.HANG],
    "that a proxy has changed": [response(BODY, b"203 Non-Authoritative Information")],
    "in gzip": [response(gzip.compress(BODY), b"200 OK", b"Content-Encoding: gzip")],
    "in gzip, twice declared": [
        response(gzip.compress(BODY), b"200 OK", b"Content-Encoding: identity, gzip")
    ],
    "with an empty encoding": [response(BODY, b"200 OK", b"Content-Encoding:")],
    "with a charset for an encoding": [response(BODY, b"200 OK", b"Content-Encoding: UTF-8")],
}

BAD: dict[str, tuple[list[Step], FailureReason]] = {
    "closed at once": ([], FailureReason.MALFORMED),
    "reset at once": ([Move.RESET], FailureReason.CONNECT),
    "reset within the headers": (
        [b"HTTP/1.1 200 OK\r\nX:", 0.02, Move.RESET],
        FailureReason.CONNECT,
    ),
    "reset within the body": ([head(LENGTH), BODY[:9], 0.02, Move.RESET], FailureReason.CONNECT),
    "nothing comes": ([Move.HANG], FailureReason.TIMEOUT),
    "nothing comes after the status": ([b"HTTP/1.1 200 OK\r\n", Move.HANG], FailureReason.TIMEOUT),
    "nothing comes after the headers": ([head(LENGTH), Move.HANG], FailureReason.TIMEOUT),
    "nothing comes within the body": ([head(LENGTH), BODY[:-1], Move.HANG], FailureReason.TIMEOUT),
    "the last chunk never comes": (
        [CHUNKED, chunks(BODY, end=b""), Move.HANG],
        FailureReason.TIMEOUT,
    ),
    "a byte now and then": (DRIP, FailureReason.TIMEOUT),
    "interim responses without end": (INTERIM * 400, FailureReason.TIMEOUT),
    "a flood of interim responses": (
        [head(status=b"100 Continue") * 2000, 0.001] * 200,
        FailureReason.TIMEOUT,
    ),
    "headers without end": ([b"X: y\r\n" * 1000] * 1000, FailureReason.MALFORMED),
    "a header without end": (
        [b"HTTP/1.1 200 OK\r\nX: ", *[b"y" * 65536] * 30],
        FailureReason.MALFORMED,
    ),
    "a status without end": ([b"HTTP/1.1 200 ", *[b"y" * 65536] * 30], FailureReason.MALFORMED),
    "a chunk extension without end": (
        [CHUNKED, b"5;", *[b"y" * 65536] * 30],
        FailureReason.MALFORMED,
    ),
    "a trailer without end": (
        [CHUNKED, b"0\r\n", *[b"X: y\r\n" * 9999] * 9],
        FailureReason.MALFORMED,
    ),
    "cut within the headers": ([b"HTTP/1.1 200 OK\r\nContent-"], FailureReason.MALFORMED),
    "cut within the body": ([head(LENGTH), BODY[:-1]], FailureReason.MALFORMED),
    "cut within a chunk": ([CHUNKED, b"ff\r\n" + BODY[:9]], FailureReason.MALFORMED),
    "cut before the last chunk": ([CHUNKED, chunks(BODY, end=b"")], FailureReason.MALFORMED),
    "cut without a length": ([head(), BODY[:-1]], FailureReason.MALFORMED),
    "a length that is too small": ([head(b"Content-Length: 9"), BODY], FailureReason.MALFORMED),
    "a length that is too large": ([head(b"Content-Length: 9999"), BODY], FailureReason.MALFORMED),
    "a negative length": ([head(b"Content-Length: -1"), BODY], FailureReason.MALFORMED),
    "a length that is no number": ([head(b"Content-Length: x"), BODY], FailureReason.MALFORMED),
    "a length of many digits": ([head(b"Content-Length: " + b"9" * 5000)], FailureReason.MALFORMED),
    "two lengths": ([head(b"Content-Length: 9", LENGTH), BODY], FailureReason.MALFORMED),
    "no length at all, and nothing": ([response(b"")], FailureReason.MALFORMED),
    "a chunk size that is none": ([CHUNKED, b"zz\r\n"], FailureReason.MALFORMED),
    "a negative chunk size": ([CHUNKED, b"-5\r\n"], FailureReason.MALFORMED),
    "a chunk size of many digits": ([CHUNKED, b"f" * 40 + b"\r\n"], FailureReason.MALFORMED),
    "a chunk that is longer than it says": ([CHUNKED, b"1\r\n" + BODY], FailureReason.MALFORMED),
    "no gzip that says so": (
        [response(BODY, b"200 OK", b"Content-Encoding: gzip")],
        FailureReason.MALFORMED,
    ),
    "deflate": ([response(BODY, b"200 OK", b"Content-Encoding: deflate")], FailureReason.MALFORMED),
    "brotli": ([response(BODY, b"200 OK", b"Content-Encoding: br")], FailureReason.MALFORMED),
    "no gzip in the second encoding": (
        [response(BODY, b"200 OK", b"Content-Encoding: identity", b"Content-Encoding: gzip")],
        FailureReason.MALFORMED,
    ),
    "a transfer in gzip": (
        [head(b"Transfer-Encoding: gzip, chunked"), chunks(BODY)],
        FailureReason.MALFORMED,
    ),
    "another protocol": ([b"SSH-2.0-OpenSSH_9.2\r\n"], FailureReason.MALFORMED),
    "zeros": ([b"\0" * 1000], FailureReason.MALFORMED),
    "line ends alone": ([b"\r\n" * 100], FailureReason.MALFORMED),
    "a TLS alert": ([b"\x15\x03\x01\x00\x02\x02\x46"], FailureReason.MALFORMED),
    "HTTP/2": ([b"\0\0\x12\x04\0\0\0\0\0" + b"\0" * 18], FailureReason.MALFORMED),
    "HTTP/0.9": ([BODY], FailureReason.MALFORMED),
    "a status of four digits": ([head(status=b"2000 OK"), BODY], FailureReason.MALFORMED),
    "a header without a colon": ([head(b"nonsense"), BODY], FailureReason.MALFORMED),
    "a header with a zero": ([head(b"X: \0"), BODY], FailureReason.MALFORMED),
    "a gigabyte that says so": (
        [head(b"Content-Length: 1073741824"), BODY],
        FailureReason.MALFORMED,
    ),
    "a web page": ([response(b"<html>It works!</html>")], FailureReason.MALFORMED),
}


STATUSES = {
    FailureReason.MALFORMED: [101, 201, 204, 206, 299, 600, 999],
    FailureReason.REDIRECT: [300, 301, 302, 303, 304, 307, 308],
    FailureReason.AUTH: [401],
    FailureReason.FORBIDDEN: [403],
    FailureReason.CONNECT: [407],
    FailureReason.RATE_LIMITED: [429],
    FailureReason.CLIENT_ERROR: [400, 402, 404, 405, 408, 413, 418, 451, 499],
    FailureReason.SERVER_ERROR: [500, 501, 502, 503, 504, 511, 599],
}


def misbehaving(steps: list[Step]) -> Callable[[bytes], list[Step]]:
    """Plays `steps` on the first call for usage; all later calls are answered well."""
    left = [steps]

    def script(request: bytes) -> list[Step]:
        if b"/v3/usage" not in request:
            return [response(LIST)]
        return left.pop() if left else [response()]

    return script


def two_polls(
    script: Callable[[bytes], list[Step]], timeout: float = LONG_TIMEOUT
) -> tuple[PollAttempt, PollAttempt]:
    """A poll with this timeout and one after it; between and after them nothing is left behind."""

    async def main() -> tuple[PollAttempt, PollAttempt]:
        async with peer(script) as there:
            poll_target = source(there.url, poll={"timeout": f"{timeout}s"})
            with_retry = source(there.url).target
            before = await left_open(there)
            first = await polled(poll_target)
            assert await left_open(there) == before
            second = await polled(poll_target._replace(target=with_retry))
            assert await left_open(there) == before
        return first, second

    return run(main())


async def left_open(there: Peer) -> tuple[int, int]:
    """Tasks and descriptors, once the peer has seen its clients go."""
    await there.is_left()
    for _ in range(30):  # generators left early are closed one after the other, a task for each
        await asyncio.sleep(0)
    return len(asyncio.all_tasks()), descriptors()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("steps", GOOD.values(), ids=GOOD)
def test_a_good_response_of_any_shape_gives_exactly_its_figures(steps: list[Step]) -> None:
    assert [credits_today(attempt) for attempt in two_polls(misbehaving(steps))] == [9, 9]


@pytest.mark.parametrize(("steps", "reason"), BAD.values(), ids=BAD)
def test_a_fault_is_one_failure_in_time_and_the_next_poll_succeeds(
    steps: list[Step], reason: FailureReason
) -> None:
    timeout = TIMEOUT if reason is FailureReason.TIMEOUT else LONG_TIMEOUT
    first, second = two_polls(misbehaving(steps), timeout)
    assert failure(first).reason == reason
    assert first.duration < timeout + 1
    assert credits_today(second) == 9


@pytest.mark.parametrize(
    ("status", "reason"),
    [(status, reason) for reason, statuses in STATUSES.items() for status in statuses],
)
def test_every_status_but_200_and_203_is_a_failure_with_its_reason(
    status: int, reason: FailureReason
) -> None:
    first, second = two_polls(misbehaving([response(b"No.", b"%d Hm" % status)]))
    assert (failure(first).reason, failure(first).retry_after) == (reason, None)
    assert credits_today(second) == 9


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([response(b'{"errors": [{"detail": "No."}]}', b"400 Bad")], ": No."),
        ([CHUNKED.replace(b"200", b"400"), chunks(b'{"errors": [{"detail": "No."}]}')], ": No."),
        ([response(b'{"errors": [{"detail": "' + b"x" * 9999 + b'"}]}', b"400 Bad")], ""),
        ([head(LENGTH, status=b"400 Bad"), b"{", Move.HANG], ""),
        ([head(LENGTH, status=b"400 Bad"), b"{", Move.RESET], ""),
        ([head(b"Content-Length: 5", status=b"400 Bad"), b"{}"], ""),
        (
            [
                response(
                    gzip.compress(b'{"errors": [{"detail": "No."}]}'),
                    b"400 Bad",
                    b"Content-Encoding: gzip",
                )
            ],
            ": No.",
        ),
        ([response(b"No.", b"400 Bad", b"Content-Encoding: gzip")], ""),
    ],
    ids=["json", "chunks", "long", "hangs", "reset", "cut", "gzip", "no gzip"],
)
def test_an_error_message_is_read_as_far_as_it_arrives(steps: list[Step], words: str) -> None:
    first, _ = two_polls(misbehaving(steps))
    assert first.result == (FailureReason.CLIENT_ERROR, f"HTTP status 400{words}", None)


def test_a_request_without_an_error_parser_has_the_status_alone() -> None:
    async def main() -> None:
        async with peer(lambda _: [response(b"No.", b"404 Gone")]) as there:
            with pytest.raises(PollError) as caught:
                await CLIENT.transport(Http())(Request("GET", there.url))
        assert caught.value.failure == (FailureReason.CLIENT_ERROR, "HTTP status 404", None)

    run(main())


@pytest.mark.parametrize("status", [b"429 Slow", b"503 Later"])
def test_retry_after_is_kept_with_the_failure(status: bytes) -> None:
    first, _ = two_polls(misbehaving([response(b"", status, b"Retry-After: 120")]))
    assert failure(first).retry_after == 120.0


def test_two_retry_after_headers_are_ignored() -> None:
    steps: list[Step] = [response(b"", b"429 Slow", b"Retry-After: 1", b"Retry-After: 2")]
    first, _ = two_polls(misbehaving(steps))
    assert failure(first).retry_after is None


@pytest.mark.parametrize("status", [b"301", b"302", b"303", b"307", b"308"])
def test_a_redirect_is_not_followed_and_the_key_arrives_nowhere_else(status: bytes) -> None:
    async def main() -> None:
        async with peer(lambda _: [response()]) as elsewhere:
            location = b"Location: http://127.0.0.1:%d/v3/usage" % elsewhere.port
            refresh = b"Refresh: 0; url=http://127.0.0.1:%d/" % elsewhere.port
            async with peer(
                lambda _: [response(b"", status + b" Moved", location, refresh)]
            ) as there:
                attempt = await polled(source(there.url))
            assert failure(attempt).reason == FailureReason.REDIRECT
            assert (len(there.requests), len(elsewhere.requests)) == (1, 0)

    run(main())


def test_cookies_are_not_sent_back() -> None:
    async def main() -> None:
        async with peer(lambda _: [response(BODY, b"200 OK", b"Set-Cookie: a=b; Path=/")]) as there:
            poll_target = source(there.url)
            for _ in range(2):
                await polled(poll_target)
        assert len(there.requests) >= 2
        assert not any(b"cookie" in request.lower() for request in there.requests)

    run(main())


def test_a_request_has_the_user_agent_and_asks_for_plain_bytes_and_to_close() -> None:
    async def main() -> None:
        async with peer(misbehaving([response()])) as there:
            await polled(source(there.url))
        lines = there.requests[0].decode().lower().split("\r\n")
        assert lines[0] == "get /v3/usage?organization=org1 http/1.1"
        assert {"user-agent: test/1", "accept-encoding: identity", "connection: close"} < set(lines)

    run(main())


def test_nobody_listening_is_a_failure_to_connect() -> None:
    async def main() -> None:
        async with peer(lambda _: []) as there:
            pass
        attempt = await polled(source(there.url))
        assert attempt.result == (
            FailureReason.CONNECT,
            "cannot connect to the vendor, or the connection broke",
            None,
        )

    run(main())


def test_too_few_descriptors_are_an_internal_failure() -> None:
    async def main() -> PollAttempt:
        poll_target = source("http://127.0.0.1:9")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        lowest_free = os.dup(0)
        os.close(lowest_free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
        try:
            return await polled(poll_target)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert run(main()).result == (
        FailureReason.INTERNAL,
        "too many open files; raise the limit (ulimit -n)",
        None,
    )


MEBIBYTE: Final = b" " * 2**20
BOMBS: dict[str, tuple[list[Step], FailureReason]] = {
    "a gigabyte": (
        [head(b"Content-Length: 1073741824"), *[MEBIBYTE] * 1024],
        FailureReason.TOO_LARGE,
    ),
    "a gigabyte in chunks": (
        [CHUNKED, *[chunks(MEBIBYTE, end=b"")] * 1024],
        FailureReason.TOO_LARGE,
    ),
    "a gigabyte until the end": ([head(), *[MEBIBYTE] * 1024], FailureReason.TOO_LARGE),
    "a gigabyte of words": (
        [head(b"Content-Length: 1073741824", status=b"400 Bad"), *[MEBIBYTE] * 1024],
        FailureReason.CLIENT_ERROR,
    ),
    "a bomb in gzip": (
        [response(gzip.compress(bytes(2**25)), b"200 OK", b"Content-Encoding: gzip")],
        FailureReason.TOO_LARGE,
    ),
    "nested arrays": ([response(b"[" * (2**20 - 1))], FailureReason.MALFORMED),
    "empty arrays": ([response(b"[" + b"[]," * 349_000 + b"[]]")], FailureReason.MALFORMED),
    "a long text": ([response(b'"' + b"x" * (2**20 - 9) + b'"')], FailureReason.MALFORMED),
    "a long number": ([response(b"9" * (2**20 - 9))], FailureReason.MALFORMED),
}


@pytest.mark.parametrize(("steps", "reason"), BOMBS.values(), ids=BOMBS)
def test_no_response_costs_more_than_a_few_mebibytes(
    steps: list[Step], reason: FailureReason
) -> None:
    two_polls(misbehaving([response()]))  # what is loaded once is not the response's cost
    tracemalloc.start()
    try:
        first, second = two_polls(misbehaving(steps))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert failure(first).reason == reason
    assert credits_today(second) == 9
    assert peak < 32 * 2**20


DAY = date(2026, 3, 2)
PARTLY_FORBIDDEN = Accounts(
    (
        Organization(
            "oRg1",
            "Acme",
            "made-up-key-a",
            {DAY: 12},
            (Scope("wS1", "Claims", {DAY: 3}), Scope("wS2", "Orders", {DAY: 4})),
        ),
    ),
    now=lambda: datetime(2026, 3, 2, 13, tzinfo=UTC),
)


def forbid_second(request: ServerRequest) -> SimulatedResponse | None:
    body = b'{"type": "x", "errors": [{"attr": null, "code": "x", "detail": "No permission."}]}'
    return SimulatedResponse(403, body=body) if request.query.get("workspace") == "wS2" else None


def test_a_forbidden_workspace_costs_only_itself_on_every_page(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    with served(Vendors(PARTLY_FORBIDDEN, forbid_second)) as url:
        config.write_text(
            f"targets: [{{name: acme, vendor: affinda, base_url: '{url}', organization: oRg1, "
            "api_key: made-up-key-a, workspaces: all}]"
        )
        flags = (f"--config.file={config}", "--web.listen-address=127.0.0.1:0")
        with running(tmp_path, *flags) as program:
            until(lambda: program.values().get("docusage_target_up acme affinda") == 1)
            values = program.values()
            page, api = program.ask("/").text, program.ask("/api/v1/targets").text
            log = program.log.read_text()
        status, out, _ = done("probe", f"--config.file={config}")
    assert values["docusage_target_scopes_failing acme affinda"] == 1
    assert values["affinda_credits_daily acme oRg1"] == 12
    assert values["affinda_workspace_credits_daily acme oRg1 wS1"] == 3
    assert "affinda_workspace_credits_daily acme oRg1 wS2" not in values
    detail = "HTTP status 403: No permission."
    assert f"workspace wS2: auth: {detail}" in page
    assert detail in api
    assert f'scope="workspace wS2" reason=auth detail="{detail}" scopes_failing=1' in log
    assert (status, out.splitlines()[1]) == (0, f"acme: workspace wS2: auth: {detail}")
