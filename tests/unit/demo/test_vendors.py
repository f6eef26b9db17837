"""The simulated vendors together: routing, counting, faults, and the server."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, date, datetime
from time import monotonic
from typing import TYPE_CHECKING

import httpx
import pytest

from exporter.demo.accounts import Accounts, Group, Organization
from exporter.demo.vendors import Request, SimulatedResponse, Vendors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ACCOUNTS = Accounts(
    (Organization("mEFayXdO", "Acme", "a-key", {date(2026, 3, 2): 12}),),
    (Group(481, "Head", "x-key"),),
    lambda: datetime(2026, 3, 2, 13, tzinfo=UTC),
)
AFFINDA = Request("GET", "/v3/organizations", {}, {"authorization": "Bearer a-key"})
XTRACTA = Request("POST", "/v1/group/list", form={"api_key": "x-key"})


@asynccontextmanager
async def client(vendors: Vendors) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        vendors.serve() as base_url,
        httpx.AsyncClient(base_url=base_url, trust_env=False) as http,
    ):
        yield http


def test_requests_are_routed_by_path() -> None:
    vendors = Vendors(ACCOUNTS)
    assert vendors.answer(AFFINDA).content_type == "application/json"
    assert vendors.answer(XTRACTA).content_type == "text/xml; charset=UTF-8"
    assert vendors.answer(Request("GET", "/")).status == 404


def test_requests_are_counted_by_path_and_account() -> None:
    vendors = Vendors(ACCOUNTS)
    for request in (AFFINDA, XTRACTA, AFFINDA, Request("GET", "/v3/usage")):
        vendors.answer(request)
    assert vendors.calls == {
        ("/v3/organizations", "mEFayXdO"): 2,
        ("/v1/group/list", "481"): 1,
        ("/v3/usage", ""): 1,
    }


def test_the_log_keeps_the_last_thousand_requests() -> None:
    vendors = Vendors(ACCOUNTS)
    vendors.answer(XTRACTA)
    for _ in range(1000):
        vendors.answer(AFFINDA)
    assert len(vendors.log) == 1000
    assert set(map(id, vendors.log)) == {id(AFFINDA)}


def test_an_injected_fault_replaces_the_response_and_is_counted() -> None:
    fault = SimulatedResponse(429, {"retry-after": "7"})
    vendors = Vendors(ACCOUNTS, lambda request: fault if request is AFFINDA else None)
    assert vendors.answer(AFFINDA) is fault
    assert vendors.answer(XTRACTA).status == 200
    assert vendors.calls["/v3/organizations", "mEFayXdO"] == 1


def test_the_accounts_may_be_replaced() -> None:
    vendors = Vendors(ACCOUNTS)
    vendors.accounts = Accounts()
    assert vendors.answer(AFFINDA).status == 401


def test_both_vendors_are_served_on_one_port() -> None:
    async def main() -> None:
        async with client(Vendors(ACCOUNTS)) as http:
            usage = await http.get(
                "/v3/usage?organization=mEFayXdO", headers={"Authorization": "Bearer a-key"}
            )
            groups = await http.post("/v1/group/list", data={"api_key": "x-key"})
        assert usage.json()["total"] == 12
        assert usage.headers["content-type"] == "application/json"
        assert "<Name>Head</Name>" in groups.text

    asyncio.run(main())


def test_a_request_over_the_network_is_logged_with_its_headers_query_and_form() -> None:
    async def main() -> None:
        vendors = Vendors(ACCOUNTS)
        async with client(vendors) as http:
            await http.post("/v1/x?a=%C3%A9+b", data={"api_key": "k&=ü"}, headers={"X-Mark": "1"})
        (request,) = vendors.log
        assert (request.method, request.path) == ("POST", "/v1/x")
        assert (request.query, request.form) == ({"a": "é b"}, {"api_key": "k&=ü"})
        assert request.headers["x-mark"] == "1"

    asyncio.run(main())


def test_faults_reach_the_client_with_their_headers() -> None:
    async def main() -> None:
        fault = SimulatedResponse(503, {"Retry-After": "3", "content-type": "text/html"}, b"<h1>")
        async with client(Vendors(ACCOUNTS, lambda _: fault)) as http:
            response = await http.get("/v3/usage")
        assert (response.status_code, response.text) == (503, "<h1>")
        assert response.headers["retry-after"] == "3"
        assert response.headers["content-type"] == "text/html"

    asyncio.run(main())


def test_a_body_in_several_packets_is_read_completely() -> None:
    async def parts() -> AsyncIterator[bytes]:
        for part in (b"api_key=", b"x-", b"key"):
            await asyncio.sleep(0)
            yield part

    async def main() -> None:
        async with client(Vendors(ACCOUNTS)) as http:
            response = await http.post("/v1/group/list", content=parts())
        assert "<Name>Head</Name>" in response.text

    asyncio.run(main())


def test_a_delayed_response_arrives_after_its_delay() -> None:
    async def main() -> None:
        async with client(
            Vendors(ACCOUNTS, lambda _: SimulatedResponse(body=b"late", delay=0.05))
        ) as http:
            before = monotonic()
            response = await http.get("/")
            assert monotonic() - before >= 0.05
        assert response.text == "late"

    asyncio.run(main())


def test_the_server_stops_within_a_second_with_open_connections() -> None:
    begun = b"POST /v1/x HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n"

    async def main() -> None:
        requested = asyncio.Event()

        def slowly(_: Request) -> SimulatedResponse:
            requested.set()
            return SimulatedResponse(delay=3600)

        vendors = Vendors(ACCOUNTS, slowly)
        async with AsyncExitStack() as held, vendors.serve() as base_url:
            host, port = base_url.removeprefix("http://").split(":")
            for sent in (b"", b"GET /v3", begun, begun + b"api_key=1"):
                _, writer = await asyncio.open_connection(host, int(port))
                held.callback(writer.close)
                writer.write(sent)
            await requested.wait()
            before = monotonic()
        assert monotonic() - before < 1
        assert len(vendors.log) == 1  # an incomplete request is not logged

    asyncio.run(main())


def test_the_port_is_closed_after_the_context() -> None:
    async def main() -> None:
        async with Vendors(ACCOUNTS).serve() as base_url:
            pass
        async with httpx.AsyncClient(trust_env=False) as http:
            await http.get(base_url)

    with pytest.raises(httpx.ConnectError):
        asyncio.run(main())


def test_serving_changes_no_signal_handlers() -> None:
    async def main() -> None:
        before = signal.getsignal(signal.SIGTERM)
        async with client(Vendors(ACCOUNTS)) as http:
            await http.get("/")
            assert signal.getsignal(signal.SIGTERM) is before

    asyncio.run(main())
