"""The request parser: any bytes in any pieces become requests or one error, one at a time."""

from __future__ import annotations

from io import BytesIO

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.server.messages import Request
from exporter.server.parser import MAX_REQUEST_SIZE, BadRequestError, RequestParser

GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
POST = b"POST /form?a=b HTTP/1.1\r\nContent-Length: 5\r\n\r\na\nb\r\n"
CHUNKED = b"PUT / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"


def parsed(raw: bytes) -> Request:
    request = RequestParser().next_request(BytesIO(raw))
    assert request
    return request


@pytest.mark.parametrize(
    "raw",
    [
        b"\r\n\r\n\0",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET http://x HTTP/1.1\r\nhost: x\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\n\xff: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_a_malformed_request_is_an_error(raw: bytes) -> None:
    with pytest.raises(BadRequestError, match=r"^Invalid HTTP request received\.$"):
        RequestParser().next_request(BytesIO(raw))


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\n" + b"x: " + b"y" * MAX_REQUEST_SIZE,
        b"GET /" + b"y" * MAX_REQUEST_SIZE,
        b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 11_000,
        b"POST / HTTP/1.1\r\ncontent-length: 9999999\r\n\r\n" + b"y" * MAX_REQUEST_SIZE,
        b"\r\n" * MAX_REQUEST_SIZE,
    ],
    ids=["header", "path", "headers", "body", "empty lines"],
)
def test_a_request_that_is_too_large_is_an_error(raw: bytes) -> None:
    with pytest.raises(BadRequestError, match=r"^Request too large\.$"):
        RequestParser().next_request(BytesIO(raw))


def test_a_request_of_the_largest_size_is_accepted() -> None:
    head = b"POST / HTTP/1.1\r\ncontent-length: %d\r\n\r\n"
    body = b"x" * (MAX_REQUEST_SIZE - len(head % 10_000))
    assert len(parsed(head % len(body) + body).body) == len(body)


def test_a_request_has_its_decoded_path_raw_query_and_lower_case_headers() -> None:
    raw = b"POST /a%20b?c=%64 HTTP/1.1\r\nHost: X\r\nContent-Length: 2\r\n\r\nhi"
    headers = [(b"host", b"X"), (b"content-length", b"2")]
    assert parsed(raw) == Request("POST", "/a b", headers, b"c=%64", b"hi", keep_alive=True)


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"GET /\r\n\r\n", "/"),
        (b"\r\n\r\n" + GET, "/"),
        (GET.replace(b"/", b"/?a=%zz#x", 1), "/"),
        (GET.replace(b"/", b"http://there/x", 1), "/x"),
        (GET.replace(b"/", b"/%ff", 1), "/\N{REPLACEMENT CHARACTER}"),
        (GET.replace(b"host", b"x: \xff\x80\r\nhost"), "/"),
        (GET.replace(b"/", b"*", 1), "*"),
    ],
)
def test_an_unusual_but_valid_request_is_accepted(raw: bytes, path: str) -> None:
    assert parsed(raw).path == path


@pytest.mark.parametrize(
    ("raw", "keep_alive"),
    [
        (GET, True),
        (GET.replace(b"host: x", b"connection: close"), False),
        (b"GET /\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n", False),
        (GET.replace(b"host: x", b"connection: upgrade\r\nupgrade: h2c"), True),
    ],
)
def test_the_connection_is_kept_as_the_version_and_the_headers_say(
    raw: bytes, *, keep_alive: bool
) -> None:
    assert parsed(raw).keep_alive is keep_alive


@pytest.mark.parametrize(
    ("framing", "body"),
    [
        (b"content-length: %d" % len(GET), GET),
        (b"content-length: 3", b"abc" + GET),
        (b"transfer-encoding: chunked", b"%x\r\n%b\r\n0\r\n\r\n" % (len(GET), GET)),
    ],
)
def test_the_connection_of_a_client_that_offers_another_protocol_ends_with_its_body(
    framing: bytes, body: bytes
) -> None:
    offer = b"POST / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n"
    assert not parsed(offer + framing + b"\r\n\r\n" + body).keep_alive


def test_a_trailer_is_no_header() -> None:
    request = parsed(CHUNKED[:-2] + b"authorization: x\r\n\r\n")
    assert request.headers == [(b"transfer-encoding", b"chunked")]
    assert request.body == b"abcde"


@pytest.mark.parametrize(
    ("head", "waits"),
    [
        (b"HTTP/1.1\r\nexpect: 100-Continue\r\ncontent-length: 2\r\n\r\n", True),
        (b"HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\na", True),
        (b"HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 2\r\n", False),
        (b"HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\nab", False),
        (b"HTTP/1.1\r\nexpect: more\r\ncontent-length: 2\r\n\r\n", False),
        (b"HTTP/1.1\r\ncontent-length: 2\r\n\r\n", False),
        (b"HTTP/1.0\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n", False),
    ],
)
def test_a_client_of_http_1_1_waits_for_100_continue_once(head: bytes, *, waits: bool) -> None:
    parser = RequestParser()
    parser.next_request(BytesIO(b"POST / " + head))
    assert [parser.must_continue(), parser.must_continue()] == [waits, False]


@given(
    st.lists(st.sampled_from([GET, POST, CHUNKED]), min_size=1, max_size=5),
    st.lists(st.integers(1, 40)),
)
def test_requests_are_the_same_however_they_are_cut(requests: list[bytes], cuts: list[int]) -> None:
    raw, parser, found = b"".join(requests), RequestParser(), []
    for size in [*cuts, len(raw)]:
        piece, raw = raw[:size], raw[size:]
        received = BytesIO(piece)
        while request := parser.next_request(received):
            found.append(request)
    assert found == [parsed(each) for each in requests]


def test_nothing_after_a_request_is_read_until_the_next_is_wanted() -> None:
    parser, received = RequestParser(), BytesIO(POST + GET * 100)
    assert parser.next_request(received)
    assert received.tell() == len(POST)
    assert not parser.has_begun
    assert parser.next_request(received)
    assert received.tell() == len(POST + GET)


def test_a_request_has_begun_with_its_first_byte() -> None:
    parser = RequestParser()
    assert not parser.next_request(BytesIO(b"\r\n"))
    assert not parser.has_begun
    assert not parser.next_request(BytesIO(b"G"))
    assert parser.has_begun


def test_a_defect_of_the_parser_is_not_the_fault_of_a_client() -> None:
    class Defective(RequestParser):
        def on_url(self, url: bytes) -> None:
            raise TypeError(url)

    with pytest.raises(httptools.HttpParserCallbackError):
        Defective().next_request(BytesIO(GET))
