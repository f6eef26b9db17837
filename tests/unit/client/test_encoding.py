"""Content-Encoding: plain bytes under any name, and gzip within a limit."""

from __future__ import annotations

import gzip
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.client.encoding import decode
from exporter.model import FailureReason, PollError

BODY = b'{"used": 3}'


@pytest.mark.parametrize(
    "name",
    ["", "identity", "Identity", "none", "None", "UTF-8", "utf8", "identity, identity", " , ", "x"],
)
def test_an_encoding_that_is_no_compression_means_plain_bytes(name: str) -> None:
    assert decode(BODY, name, 100) == BODY


@pytest.mark.parametrize("name", ["gzip", "x-gzip", "GZIP", "identity, gzip", "gzip, UTF-8"])
def test_gzip_is_decoded(name: str) -> None:
    assert decode(gzip.compress(BODY), name, 100) == BODY


@pytest.mark.parametrize(
    ("name", "shown"), [("br", "br"), ("deflate", "deflate"), ("gzip, gzip", "gzip, gzip")]
)
def test_any_other_compression_is_refused_by_name(name: str, shown: str) -> None:
    with pytest.raises(PollError) as caught:
        decode(BODY, name, 100)
    assert caught.value.failure == (
        FailureReason.MALFORMED,
        f"the response is compressed ({shown}) although plain bytes were requested",
        None,
    )


@given(st.lists(st.binary(max_size=99), min_size=1))
def test_a_gzip_of_several_members_is_all_of_them(parts: list[bytes]) -> None:
    assert decode(b"".join(map(gzip.compress, parts)), "gzip", 2**20) == b"".join(parts)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (BODY, "the response is not the gzip it says it is"),
        (gzip.compress(BODY) + b"garbage", "the response is not the gzip it says it is"),
        (gzip.compress(BODY)[:-4] + b"\0\0\0\0", "the response is not the gzip it says it is"),
        (gzip.compress(BODY)[:-1], "the response in gzip was cut off"),
        (gzip.compress(BODY)[:12], "the response in gzip was cut off"),
    ],
    ids=["plain", "garbage behind", "wrong length", "cut trailer", "cut data"],
)
def test_damaged_gzip_is_malformed(body: bytes, detail: str) -> None:
    with pytest.raises(PollError) as caught:
        decode(body, "gzip", 100)
    assert caught.value.failure == (FailureReason.MALFORMED, detail, None)


def test_a_body_of_exactly_the_limit_is_decoded() -> None:
    assert decode(gzip.compress(bytes(100)), "gzip", 100) == bytes(100)


@pytest.mark.parametrize("members", [1, 2])
def test_a_gzip_bomb_costs_no_more_than_the_limit(members: int) -> None:
    bomb = gzip.compress(bytes(2**25 // members)) * members
    tracemalloc.start()
    try:
        with pytest.raises(PollError) as caught:
            decode(bomb, "gzip", 2**16)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.failure == (
        FailureReason.TOO_LARGE,
        "the response is over 65536 bytes",
        None,
    )
    assert peak < 2**20
