"""Strict YAML: text to plain data, each value knowing its line, every oddity a problem.

The parser's events are read one by one, so that depth, aliases and size are bounded before
anything is built. Scalars follow YAML 1.2's core schema: `on`, `0123`, `12:30` and dates are text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import yaml

from exporter.config.errors import Problem, format_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exporter.config.errors import Steps

Event: TypeAlias = Any  # PyYAML's types give events none of their fields
Scalar: TypeAlias = str | int | float | bool | None
Content: TypeAlias = "Scalar | tuple[Node, ...] | dict[str, Node]"
Plain: TypeAlias = Scalar | tuple["Plain", ...] | dict[str, "Plain"]

MAX_BYTES: Final = 16 * 2**20
_MAX_NODES: Final = 1_000_000
_MAX_DEPTH: Final = 50
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
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
# The parser's own words may quote the file; these are chosen by what they begin or end with.
_SYNTAX: Final = (
    ("mapping values are not allowed", "a colon where none can stand; quote text that holds one"),
    ("cannot start any token", "a tab, @, % or ` where none can stand; indent with blanks"),
    ("quoted scalar", "quoted text that does not end, or has an escape that does not exist"),
    ("could not find expected ':'", "a key without its colon"),
    ("flow", "a list or mapping in brackets that does not end well"),
    ("block", "a key or an item that is not indented like those above it"),
    ("", "not valid YAML; look at indentation, quotes and colons here and above"),
)


class YamlError(Exception):
    """A text that is no YAML document at all."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.problem = Problem(line, "", message)


@dataclass(frozen=True, slots=True)
class Node:
    """A value with its line: that of its key in a mapping, else that where it starts."""

    line: int
    value: Content

    def plain(self) -> Plain:
        """The value without lines: dicts, tuples, text, numbers, booleans and None."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, tuple):
            return tuple(node.plain() for node in self.value)
        return self.value

    def child(self, step: str | int) -> Node | None:
        """The value at a key or an index, if there is one."""
        if isinstance(self.value, dict) and isinstance(step, str):
            return self.value.get(step)
        if isinstance(self.value, tuple) and isinstance(step, int):
            return self.value[step]
        return None

    def children(self) -> Iterable[Node]:
        """The values one level below."""
        if isinstance(self.value, dict):
            return self.value.values()
        return self.value if isinstance(self.value, tuple) else ()

    def locate(self, steps: Steps) -> tuple[int, Steps]:
        """The line of what stands at `steps`, and `steps` without those that lead nowhere."""
        node, found = self, list[str | int]()
        for step in steps:
            if (below := node.child(step)) is not None:
                node = below
                found.append(step)
        return node.line, tuple(found)

    def height(self) -> int:
        """Levels of values, this one included."""
        return 1 + max((node.height() for node in self.children()), default=0)


def read_yaml(raw: bytes, loader: type = _LOADER) -> tuple[Node, tuple[Problem, ...]]:
    """The document in `raw`, and what is wrong with it although it could be read.

    Raises:
        YamlError: it could not.
    """
    text = _decoded(raw)
    try:
        reader = _Reader(yaml.parse(text, Loader=loader))
        return reader.document(), tuple(reader.problems)
    except yaml.MarkedYAMLError as error:
        said = f"{error.context} {error.problem}"
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise YamlError(line, next(ours for part, ours in _SYNTAX if part in said)) from None
    except (yaml.YAMLError, ValueError, OverflowError):
        # The parser in pure Python lets numbers that are too large for it through.
        raise YamlError(0, _SYNTAX[-1][1]) from None


def resolved(text: str) -> Scalar:
    """What unquoted `text` means."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _WITH_POINT.fullmatch(text) or _WITH_EXPONENT.fullmatch(text):
        return float(text)
    return text


def _decoded(raw: bytes) -> str:
    if len(raw) > MAX_BYTES:
        raise YamlError(0, f"the file is larger than {MAX_BYTES // 2**20} MiB")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise YamlError(raw.count(b"\n", 0, error.start) + 1, "not UTF-8") from None
    if odd := _NOT_TEXT.search(text):
        raise YamlError(text.count("\n", 0, odd.start()) + 1, "a control character")
    return text


class _Reader:
    """Builds nodes from a parser's events."""

    def __init__(self, events: Iterator[Event]) -> None:
        self.events = events
        self.problems: list[Problem] = []
        self._anchors: dict[str, tuple[Node, int] | None] = {}  # None while it is being built
        self._count = 0

    def document(self) -> Node:
        """The one document."""
        next(self.events)  # the stream starts
        if isinstance(next(self.events), yaml.StreamEndEvent):
            raise YamlError(0, "the file is empty")
        root = self._node(next(self.events), ())
        next(self.events)  # the document ends
        following = next(self.events)
        if not isinstance(following, yaml.StreamEndEvent):
            raise YamlError(following.start_mark.line + 1, "a second document; one is wanted")
        return root

    def _node(self, event: Event, steps: Steps) -> Node:
        line = event.start_mark.line + 1
        self._grow(1, len(steps) + 1, line)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(str(event.anchor), steps, line)
        if event.tag is not None:
            self._report(line, steps, "tags are not understood here; put text in quotes")
        before = self._count
        if event.anchor:
            self._anchors[event.anchor] = None
        node = Node(line, self._value(event, steps))
        if event.anchor:
            self._anchors[event.anchor] = node, self._count - before
        return node

    def _value(self, event: Event, steps: Steps) -> Scalar | tuple[Node, ...] | dict[str, Node]:
        if isinstance(event, yaml.SequenceStartEvent):
            return tuple(self._items(steps))
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(steps)
        if _SURROGATE.search(event.value):  # an escape that only the parser in pure Python takes
            raise YamlError(event.start_mark.line + 1, _SYNTAX[2][1])
        return resolved(event.value) if event.implicit[0] else str(event.value)

    def _items(self, steps: Steps) -> Iterator[Node]:
        index = 0
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            yield self._node(event, (*steps, index))
            index += 1

    def _mapping(self, steps: Steps) -> dict[str, Node]:
        nodes: dict[str, Node] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self._node(event, steps)
            line = event.start_mark.line + 1
            name = key.value if isinstance(key.value, str) else "…"
            node = self._node(next(self.events), (*steps, name))
            if name is not key.value:
                self._report(line, steps, "a key must be text; put templates and numbers in quotes")
            elif name == "<<":
                self._report(line, steps, "merge keys are not understood here")
            elif name in nodes:
                self._report(line, (*steps, name), f"is given in line {nodes[name].line} already")
            else:
                nodes[name] = replace(node, line=line)
        return nodes

    def _alias(self, anchor: str, steps: Steps, line: int) -> Node:
        built = self._anchors.get(anchor)
        if built is None:
            self._report(line, steps, "an alias of something that is not complete before it")
            return Node(line, None)
        node, size = built
        self._grow(size, len(steps) + node.height(), line)
        return replace(node, line=line)

    def _grow(self, nodes: int, depth: int, line: int) -> None:
        self._count += nodes
        if self._count > _MAX_NODES:
            raise YamlError(line, f"more than {_MAX_NODES} values, repeated ones included")
        if depth > _MAX_DEPTH:
            raise YamlError(line, f"more than {_MAX_DEPTH} levels deep")

    def _report(self, line: int, steps: Steps, message: str) -> None:
        self.problems.append(Problem(line, format_path(steps), message))
