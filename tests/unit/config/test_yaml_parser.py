"""YAML as it is understood here, by both of PyYAML's parsers."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.yaml_parser import YamlError, read_yaml, resolve_scalar

LOADERS = [yaml.CSafeLoader, yaml.SafeLoader]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("FALSE", False),
        ("0", 0),
        ("-12", -12),
        ("+7", 7),
        ("1.5", 1.5),
        (".5", 0.5),
        ("2.", 2.0),
        ("1e3", 1000.0),
        ("-1.5E-1", -0.15),
        ("on", "on"),
        ("yes", "yes"),
        ("0123", "0123"),
        ("0x1f", "0x1f"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2026-01-01", "2026-01-01"),
        (".inf", ".inf"),
        (".", "."),
        ("1e", "1e"),
        ("\u0661", "\u0661"),
        ("1" * 19, "1" * 19),
    ],
)
def test_a_word_without_quotes_means_what_yaml_1_2_says(text: str, value: object) -> None:
    assert (resolve_scalar(text), type(resolve_scalar(text))) == (value, type(value))


@pytest.mark.parametrize("loader", LOADERS)
def test_a_document_is_plain_data_with_lines(loader: type) -> None:
    document = read_yaml(b"a: &x 'on'\nb:\n- *x\n- {c: !!int 5}\n", loader)
    assert document.data == {"a": "on", "b": ("on", {"c": "5"})}
    assert document.locate(("b", 1, "c")) == (4, ("b", 1, "c"))
    assert document.locate(("b", 1, "none")) == (4, ("b", 1))
    assert document.locate(("a", "deeper")) == (1, ("a",))
    assert document.locate(("b", "name of a branch", 0)) == (
        1,
        ("b", 0),
    )  # an alias has the line of its anchor
    assert [problem.path for problem in document.problems] == ["b[1].c"]


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(
    ("raw", "line", "message"),
    [
        (b"[" * 51, 1, "more than 50 levels deep"),
        (
            b"a: &a " + b"[" * 40 + b"]" * 40 + b"\nb: " + b"[" * 20 + b"*a" + b"]" * 20,
            1,
            "more than 50",
        ),
        (b"a: b: c", 1, "unexpected colon"),
        (b"a: 'b", 1, "unterminated quoted string"),
        (b"a: @b", 1, "unexpected tab, @, % or `"),
        (b"a: [b\nc: d", 2, "brackets"),
        (b"%YAML 3.0\n---\na", 1, "invalid YAML"),
        (b"a\n---\nb", 2, "expected a single document"),
    ],
)
def test_a_text_that_is_no_document_is_refused_at_its_line(
    loader: type, raw: bytes, line: int, message: str
) -> None:
    with pytest.raises(YamlError, match=message) as caught:
        read_yaml(raw, loader)
    assert caught.value.problem.line == line


@pytest.mark.parametrize("raw", [b'"\\ud800"', b'"\\UFFFFFFFF"', b"%YAML 1." + b"1" * 5000])
@pytest.mark.parametrize("loader", LOADERS)
def test_an_escape_or_a_number_that_does_not_exist_is_refused(loader: type, raw: bytes) -> None:
    with pytest.raises(YamlError):
        read_yaml(raw, loader)


def test_aliases_that_grow_without_end_are_refused() -> None:
    lines = [b"a0: &a0 [1]"]
    for index in range(1, 8):
        items = b",".join([b"*a%d" % (index - 1)] * 10)
        lines.append(b"a%d: &a%d [%s]" % (index, index, items))
    with pytest.raises(YamlError, match="more than 1000000 values, aliases included"):
        read_yaml(b"\n".join(lines))


@given(st.text(max_size=60) | st.text("ab:-[]{}&*!|>'\"%@`#,? \n\t", max_size=40))
def test_both_parsers_take_any_text_without_another_error(text: str) -> None:
    for loader in LOADERS:
        try:
            document = read_yaml(text.encode(), loader)
        except YamlError:
            continue
        assert document.locate(())[0] >= 1
