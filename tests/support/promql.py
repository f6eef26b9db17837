"""What a PromQL expression selects: metrics, the labels it names, and the functions around them."""

from __future__ import annotations

from typing import NamedTuple

import promql_parser
from promql_parser import AggregateExpr, BinaryExpr, Call, Expr, VectorSelector


class Selector(NamedTuple):
    """A metric in an expression, the labels its matchers name, and the functions around it."""

    metric: str
    labels: frozenset[str]
    functions: tuple[str, ...]


def selectors(expression: str) -> list[Selector]:
    """Every selector; ValueError where the expression is none."""
    found: list[Selector] = []
    functions: list[str] = []

    def enter(node: Expr) -> None:
        if isinstance(node, Call):
            functions.append(node.func.name)
        elif isinstance(node, VectorSelector):
            labels = frozenset(matcher.name for matcher in node.matchers.matchers)
            found.append(Selector(node.name or "", labels, tuple(functions)))

    def leave(node: Expr) -> None:
        if isinstance(node, Call):
            functions.pop()

    promql_parser.walk(promql_parser.parse(expression), enter, leave)
    return found


def grouping_labels(expression: str) -> set[str]:
    """Every label in by, without, on, ignoring and group_left or group_right."""
    found: set[str] = set()

    def enter(node: Expr) -> None:
        if isinstance(node, AggregateExpr) and node.modifier:
            found.update(node.modifier.labels)
        elif isinstance(node, BinaryExpr) and node.modifier:
            found.update(node.modifier.matching.labels if node.modifier.matching else ())
            found.update(node.modifier.group_labels or ())

    promql_parser.walk(promql_parser.parse(expression), enter)
    return found
