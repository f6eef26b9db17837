"""Strict YAML: text to plain data, with the line of every value and a problem for every defect.

Scalars follow YAML 1.2's core schema: `on`, `0123`, `12:30` and dates are text. Depth is bounded
while the document is composed, the number of values (each alias counts as what it repeats) while
it is converted.
"""

from __future__ import annotations

import re
from typing import Any, Final, TypeAlias

import yaml

from exporter.config.errors import Problem, Steps, format_path

Scalar: TypeAlias = str | int | float | bool | None
Plain: TypeAlias = Scalar | tuple["Plain", ...] | dict[str, "Plain"]

MAX_BYTES: Final = 16 * 2**20
_MAX_VALUES: Final = 1_000_000
_MAX_DEPTH: Final = 50
_FASTEST: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PLAIN: Final = "plain"  # in place of a tag: text without quotes, whose type is to be found
_QUOTED: Final = "quoted"
_CONSTANTS: Final = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER: Final = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")  # what 64 bits hold; longer is text
_WITH_POINT: Final = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)\.[0-9]*)([eE][-+]?[0-9]+)?")
_WITH_EXPONENT: Final = re.compile(r"[-+]?(0|[1-9][0-9]*)[eE][-+]?[0-9]+")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_NOT_TEXT: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BAD_QUOTES: Final = "unterminated quoted string, or invalid escape in it"
_INVALID: Final = "invalid YAML; check indentation, quotes and colons here and above"
# PyYAML's own messages may quote the file, so each is replaced, by a part that identifies it.
_SYNTAX_ERRORS: Final = (
    ("mapping values are not allowed", "unexpected colon; quote text that contains one"),
    ("cannot start any token", "unexpected tab, @, % or `; indent with spaces, quote such text"),
    ("quoted scalar", _BAD_QUOTES),
    ("could not find expected ':'", "key without a colon"),
    ("flow", "unterminated list or mapping in brackets"),
    ("block", "key or item that is not indented like those above it"),
    ("undefined alias", "alias without an anchor before it"),
    ("duplicate anchor", "duplicate anchor"),
    ("single document", "expected a single document"),
    ("", _INVALID),
)


class YamlError(Exception):
    """The text is not a YAML document."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.problem = Problem(line, "", message)


def read_yaml(raw: bytes, base: type = _FASTEST) -> Document:
    """The document in `raw`; `base` is the PyYAML loader to read it with.

    Raises:
        YamlError: it cannot be read.
    """
    text = _decode(raw)
    try:
        root = yaml.compose(text, Loader=type("_Loader", (_Composer, base), {}))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        theirs = f"{error.context} {error.problem}"
        raise YamlError(
            line, next(ours for part, ours in _SYNTAX_ERRORS if part in theirs)
        ) from None
    except (yaml.YAMLError, ValueError, OverflowError):
        # The parser in pure Python lets numbers that are too large for it through.
        raise YamlError(0, _INVALID) from None
    if root is None:
        raise YamlError(0, "the file is empty")
    return Document(root)


def resolve_scalar(text: str) -> Scalar:
    """The value of unquoted `text`."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _WITH_POINT.fullmatch(text) or _WITH_EXPONENT.fullmatch(text):
        return float(text)
    return text


def _decode(raw: bytes) -> str:
    if len(raw) > MAX_BYTES:
        raise YamlError(0, f"the file is larger than {MAX_BYTES // 2**20} MiB")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise YamlError(raw.count(b"\n", 0, error.start) + 1, "not UTF-8") from None
    if match := _NOT_TEXT.search(text):
        raise YamlError(text.count("\n", 0, match.start()) + 1, "unexpected control character")
    return text


class _Composer:
    """Overrides PyYAML's resolver: bounds the depth, and leaves types to `resolve_scalar`."""

    _depth = 0

    def descend_resolver(self, parent: yaml.Node | None, _index: object) -> None:
        self._depth += 1
        if parent is not None:
            _check_depth(self._depth, parent)

    def ascend_resolver(self) -> None:
        self._depth -= 1

    def resolve(self, kind: type, _value: object, implicit: Any) -> str:  # noqa: ANN401  PyYAML's own
        return _PLAIN if kind is not yaml.ScalarNode or implicit[0] else _QUOTED


def _check_depth(depth: int, node: yaml.Node) -> None:
    if depth > _MAX_DEPTH:
        raise YamlError(_line(node), f"more than {_MAX_DEPTH} levels deep, aliases included")


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _child(node: yaml.Node, step: str | int) -> tuple[int, yaml.Node] | None:
    """The value at `step` below a node, and its line."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == step:
                return _line(key), value
    elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
        return _line(node.value[step]), node.value[step]
    return None


class Document:
    """A YAML document as plain data.

    Args:
        root: PyYAML's node of its value.

    Attributes:
        data: its value.
        problems: what is wrong with it although it could be read.

    Raises:
        YamlError: it has too many values or levels, or an invalid escape.
    """

    def __init__(self, root: yaml.Node) -> None:
        self.problems: list[Problem] = []
        self._root = root
        self._count = 0
        self.data = self._convert(root, ())

    def locate(self, steps: Steps) -> tuple[int, Steps]:
        """The line of the value at `steps`, and `steps` without those that do not exist.

        A value in a mapping has the line of its key.
        """
        node, line, found = self._root, _line(self._root), list[str | int]()
        for step in steps:
            if (place := _child(node, step)) is not None:
                line, node = place
                found.append(step)
        return line, tuple(found)

    def _convert(self, node: yaml.Node, steps: Steps) -> Plain:
        _check_depth(len(steps) + 1, node)
        self._count += 1
        if self._count > _MAX_VALUES:
            raise YamlError(_line(node), f"more than {_MAX_VALUES} values, aliases included")
        if node.tag not in {_PLAIN, _QUOTED}:
            self._report(node, steps, "tags are not supported; put the value in quotes")
        if isinstance(node, yaml.SequenceNode):
            return tuple(
                self._convert(item, (*steps, index)) for index, item in enumerate(node.value)
            )
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, steps)
        if _SURROGATE.search(node.value):  # an escape that only the parser in pure Python takes
            raise YamlError(_line(node), _BAD_QUOTES)
        return resolve_scalar(node.value) if node.tag == _PLAIN else str(node.value)

    def _mapping(self, node: yaml.MappingNode, steps: Steps) -> dict[str, Plain]:
        data: dict[str, Plain] = {}
        lines: dict[str, int] = {}
        for key, value in node.value:
            name = self._convert(key, steps)
            inner = (*steps, name if isinstance(name, str) else "…")
            converted = self._convert(value, inner)
            if not isinstance(name, str):
                message = "expected a string as the key; put templates and numbers in quotes"
                self._report(key, steps, message)
            elif name == "<<":
                self._report(key, steps, "merge keys (<<) are not supported")
            elif name in data:
                self._report(key, inner, f"duplicate key; first given in line {lines[name]}")
            else:
                data[name] = converted
                lines[name] = _line(key)
        return data

    def _report(self, node: yaml.Node, steps: Steps, message: str) -> None:
        self.problems.append(Problem(_line(node), format_path(steps), message))
