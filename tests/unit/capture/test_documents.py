"""Values in documents, and every byte around them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.capture.documents import rewrite

FOUND = list[tuple[str | None, str]]


def values(body: bytes) -> FOUND:
    """Every value with its field, in order."""
    found: FOUND = []

    def note(field: str | None, value: str) -> str:
        found.append((field, value))
        return value

    assert rewrite(body, note) == body
    return found


def marked(field: str | None, value: str) -> str:
    return f"<{value}&\u00e9>" if field == "name" else value


def test_json_has_the_values_of_its_members_and_their_names() -> None:
    body = rb'{"a": {"b": "x\/\u0079"}, "c": [1, -2.5e3, "z"], "d": null, "e\"": true}'
    assert values(body) == [
        *(("", "a"), ("", "b"), ("b", "x/y")),
        *(("", "c"), ("c", "1"), ("c", "-2.5e3"), ("c", "z")),
        *(("", "d"), ("", 'e"')),
    ]


def test_json_that_ends_within_a_text_or_has_an_invalid_escape_is_read() -> None:
    assert values(b'{"name": "Ac\\') == [("", "name"), ("name", "Ac")]
    assert values(rb'{"name": "\ud8", "b": "\x"}') == [
        *(("", "name"), ("name", r"\ud8"), ("", "b"), ("b", r"\x")),
    ]


def test_xml_has_the_values_of_its_elements_and_attributes() -> None:
    body = b"""Notice: x
<?xml version="1.0"?><a><!-- by Jane --><x:b id='7' y="&lt;">R&amp;D &#233;\n</x:b>
<c><![CDATA[1 < 2]]></c> tail <d/> < </a>"""
    assert (
        values(body)
        == [
            *(
                (None, "Notice: x"),
                (None, " by Jane "),
                ("id", "7"),
                ("y", "<"),
                ("b", "R&D \u00e9"),
            ),
            *(("c", "1 < 2"), (None, "tail"), (None, "")),
        ][:-1]
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            b'{"name" : "Caf\\u00e9", "a":1.0 }\r\n',
            b'{"name" : "<Caf\\u00e9&\\u00e9>", "a":1.0 }\r\n',
        ),
        (b'{"name": 12}', b'{"name": 12}'),
        (
            "<name> Caf\u00e9\n</name>".encode(),
            "<name> &lt;Caf\u00e9&amp;\u00e9&gt;\n</name>".encode(),
        ),
        (b"<name>\xe9 &#8211;</name>", b"<name>&lt;\xe9 &#8211;&amp;\xe9&gt;</name>"),
        (b"<a name='x'/>", b"<a name='&lt;x&amp;\xc3\xa9&gt;'/>"),
        (b"<name><![CDATA[x]]></name>", b"<name><![CDATA[<x&\xc3\xa9>]]></name>"),
        (b"plain \xff name", b"plain \xff name"),
    ],
)
def test_a_new_value_is_written_as_the_document_needs_it(body: bytes, expected: bytes) -> None:
    assert rewrite(body, marked) == expected


@given(
    st.binary()
    | st.text(alphabet='{}[]":,\\ u01e-n').map(str.encode)
    | st.text(alphabet="<>/!-?[]CDATA ab='&#;").map(str.encode)
)
def test_whatever_is_not_replaced_stays_byte_for_byte(body: bytes) -> None:
    assert rewrite(body, lambda _, value: value) == body
