"""Parts of a gzip file: compressed once, joined in any order."""

from __future__ import annotations

import gzip

from hypothesis import given
from hypothesis import strategies as st

from exporter.metrics.deflate import deflated, gunzipped, gzip_file, inflated

TEXTS = st.lists(st.binary(max_size=300))


@given(TEXTS)
def test_a_file_of_parts_holds_their_text_in_their_order(texts: list[bytes]) -> None:
    file = gzip_file(map(deflated, texts))
    assert gzip.decompress(file) == gunzipped(file) == b"".join(texts)


@given(st.binary(max_size=300))
def test_a_part_gives_back_its_text(text: bytes) -> None:
    assert inflated(deflated(text)) == text


def test_a_file_is_small_has_one_member_and_names_no_time() -> None:
    text = b'docusage_target_polls_total{target="one",vendor="affinda"} 1\n' * 1000
    file = gzip_file([deflated(text), deflated(text)])
    assert len(file) < len(text) / 50
    assert file[:8] == b"\x1f\x8b\x08\0\0\0\0\0"
    assert int.from_bytes(file[-4:], "little") == 2 * len(text)
