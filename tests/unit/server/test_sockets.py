"""Addresses to serve on: what is bound, and the words for what cannot be."""

from __future__ import annotations

import re
import socket
from contextlib import closing

import pytest

from exporter.web.listen import AddressError, bound_sockets, url_of


@pytest.mark.parametrize(
    ("address", "host", "url"),
    [
        ("127.0.0.1:0", "127.0.0.1", "http://127.0.0.1:"),
        ("[::1]:0", "::1", "http://[::1]:"),
        (" 0.0.0.0:0 ", "0.0.0.0", "http://localhost:"),  # noqa: S104  bound for a moment
        ("[::]:0", "::", "http://localhost:"),
    ],
)
def test_an_address_is_bound_and_has_a_url(address: str, host: str, url: str) -> None:
    (bound,) = bound_sockets([address])
    with closing(bound):
        assert bound.getsockname()[0] == host
        assert url_of(bound) == f"{url}{bound.getsockname()[1]}"


def test_an_address_without_a_host_is_every_interface_of_both_families() -> None:
    (bound,) = bound_sockets([":0"])
    with closing(bound):
        for host in ("127.0.0.1", "::1"):
            socket.create_connection((host, bound.getsockname()[1]), 1).close()


def test_an_address_without_a_host_is_every_interface_where_there_is_one_family() -> None:
    (bound,) = bound_sockets([":0"], lambda: False)
    with closing(bound):
        assert bound.getsockname()[0] == "0.0.0.0"  # noqa: S104  as asked for


def test_a_name_is_looked_up() -> None:
    (bound,) = bound_sockets(["localhost:0"])
    with closing(bound):
        assert bound.getsockname()[0] in {"127.0.0.1", "::1"}


@pytest.mark.parametrize(
    "address",
    ["", "127.0.0.1", "10086", ":", ":http", ":65536", "::1:80", "[::1]", "[::1:80", "a b:", ":-1"],
)
def test_what_is_no_address_is_refused_with_the_form_it_should_have(address: str) -> None:
    words = f"{address!r} is no address to serve on; write HOST:PORT or :PORT"
    with pytest.raises(AddressError, match=f"^{re.escape(words)}$"):
        bound_sockets([address])


@pytest.mark.parametrize("host", ["a" * 64, "a..b", "[::g]"])
def test_a_host_that_cannot_be_one_is_refused_in_words(host: str) -> None:
    with pytest.raises(AddressError):
        bound_sockets([f"{host}:0"])


def test_an_address_in_use_is_refused_and_those_before_it_are_freed() -> None:
    (taken,) = bound_sockets(["127.0.0.1:0"])
    (before,) = bound_sockets(["127.0.0.1:0"])
    port, free = taken.getsockname()[1], before.getsockname()[1]
    before.close()
    with closing(taken):
        words = f"^cannot serve on 127.0.0.1:{port}: Address already in use$"
        with pytest.raises(AddressError, match=words):
            bound_sockets([f"127.0.0.1:{free}", f"127.0.0.1:{port}"])
    (again,) = bound_sockets([f"127.0.0.1:{free}"])
    again.close()


def test_a_connection_holds_no_half_of_a_reply_back() -> None:
    (bound,) = bound_sockets(["127.0.0.1:0"])
    with bound, socket.create_connection(bound.getsockname()):
        accepted, _ = bound.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
