"""Listen addresses, the sockets bound to them, and the limit of descriptors."""

from __future__ import annotations

import re
import resource
import socket
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from exporter.server.sockets import (
    AddressError,
    bound_sockets,
    raise_descriptor_limit,
    url_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


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


def test_a_host_name_is_resolved() -> None:
    (bound,) = bound_sockets(["localhost:0"])
    with closing(bound):
        assert bound.getsockname()[0] in {"127.0.0.1", "::1"}


@pytest.mark.parametrize(
    "address",
    ["", "127.0.0.1", "10086", ":", ":http", ":65536", "::1:80", "[::1]", "[::1:80", "a b:", ":-1"],
)
def test_an_invalid_address_is_an_error_that_shows_the_right_form(address: str) -> None:
    message = f"invalid listen address {address!r}; expected HOST:PORT or :PORT"
    with pytest.raises(AddressError, match=f"^{re.escape(message)}$"):
        bound_sockets([address])


@pytest.mark.parametrize("host", ["a" * 64, "a..b", "[::g]"])
def test_an_invalid_host_name_is_an_error(host: str) -> None:
    with pytest.raises(AddressError, match=r"^cannot listen on "):
        bound_sockets([f"{host}:0"])


def test_an_address_in_use_is_an_error_and_the_sockets_before_it_are_closed() -> None:
    (taken,) = bound_sockets(["127.0.0.1:0"])
    (before,) = bound_sockets(["127.0.0.1:0"])
    port, free = taken.getsockname()[1], before.getsockname()[1]
    before.close()
    with closing(taken):
        message = f"^cannot listen on 127.0.0.1:{port}: Address already in use$"
        with pytest.raises(AddressError, match=message):
            bound_sockets([f"127.0.0.1:{free}", f"127.0.0.1:{port}"])
    (again,) = bound_sockets([f"127.0.0.1:{free}"])
    again.close()


def test_a_connection_does_not_delay_parts_of_a_response() -> None:
    (bound,) = bound_sockets(["127.0.0.1:0"])
    with bound, socket.create_connection(bound.getsockname()):
        accepted, _ = bound.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


@pytest.fixture
def low_descriptor_limit() -> Iterator[int]:
    """A soft limit below the hard one, which is given."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard - 1, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_soft_limit_of_descriptors_is_raised_to_the_hard_one(low_descriptor_limit: int) -> None:
    assert raise_descriptor_limit() == low_descriptor_limit
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == low_descriptor_limit


def test_a_limit_of_descriptors_that_cannot_be_raised_stays(
    low_descriptor_limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int, __: tuple[int, int]) -> None:
        raise ValueError("not allowed to raise maximum limit")

    with monkeypatch.context() as patch:
        patch.setattr(resource, "setrlimit", refuse)
        assert raise_descriptor_limit() == low_descriptor_limit - 1
