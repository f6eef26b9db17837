"""The descriptions of alerts: sentences with figures that are looked up when an alert fires.

A template of Prometheus has one value, and a useful sentence needs several. Prometheus and vmalert
look the others up with `query`; Grafana has a query of the rule for each.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

FORMATS: Final = {
    "count": r'printf "%.0f" | reReplaceAll "(\\d)(\\d{3})$" "${1},$2"'
    r' | reReplaceAll "(\\d)(\\d{3})," "${1},$2,"',
    "decimal": 'printf "%.1f"',
    "price": 'printf "%.4g"',
    "percent": "humanizePercentage",
    "duration": r'humanizeDuration | reReplaceAll "(d \\d+h|h \\d+m|^\\d+m) .*$" "$1"',
    "date": r'humanizeTimestamp | reReplaceAll "^(.{16}).*$" "$1 UTC"',
}
"""Template functions by name; all of them exist in Prometheus 2.42, vmalert and Grafana."""

_PLACE: Final = re.compile(r"<(\w+)(?:\.(\w+))?>")
_SELECTOR: Final = (
    '{{ $series := "" }}{{ range $name, $text := $labels }}'
    '{{ if not (match "^(__name__|severity)$" $name) }}'
    '{{ $series = printf "%s%s=%q," $series $name $text }}{{ end }}{{ end }}'
)


@dataclass(frozen=True, slots=True)
class Figure:
    """A value that a sentence shows.

    Args:
        expr: PromQL over recorded series; `$series` stands for matchers of the alert's labels.
        form: a key of `FORMATS`.
    """

    expr: str
    form: str = "count"


@dataclass(frozen=True, slots=True)
class Sentence:
    """Part of a description; left out, or replaced, where one of its figures is unknown.

    Args:
        text: with `<value>` for the alert's value, `<figure>` for a figure, `<figure.label>` for a
            label of a figure's series, and `{{ $labels.name }}`.
        value: the format of `<value>`.
        otherwise: the sentence where a figure is unknown.
    """

    text: str
    value: str = "count"
    otherwise: Sentence | str = ""


class Text:
    """A description.

    Args:
        sentences: joined with a space.
        figures: by the name that sentences use.
        of_target: whether the alert has the label `target`.
    """

    def __init__(
        self,
        *sentences: Sentence | str,
        figures: Mapping[str, Figure] | None = None,
        of_target: bool = True,
    ) -> None:
        self._sentences = [Sentence(one) if isinstance(one, str) else one for one in sentences]
        self._figures = figures or {}
        self.of_target = of_target

    def figures(self) -> dict[str, Figure]:
        """Those that sentences use, in the order of their first use."""
        used = [name for one in self._sentences for name in _figures_of(one)]
        return {name: self._figures[name] for name in dict.fromkeys(used)}

    def for_prometheus(self) -> str:
        """A template for Prometheus and vmalert."""

        def opened(name: str) -> str:
            expr = self._figures[name].expr.replace("$series", "%[1]s").replace('"', r"\"")
            return f'{{{{ with printf "{expr}" $series | query }}}}{{{{ ${name} := first . }}}}'

        def shown(name: str, label: str | None) -> str:
            if label:
                return f'{{{{ ${name} | label "{label}" }}}}'
            return f"{{{{ ${name} | value | {FORMATS[self._figures[name].form]} }}}}"

        body = self._render("$value", opened, shown)
        return (_SELECTOR if self.figures() else "") + body

    def for_grafana(self, refs: dict[str, str]) -> str:
        """A template for Grafana, where `refs` has the `refId` of each figure's query."""

        def opened(name: str) -> str:
            return f"{{{{ if $values.{refs[name]}.Labels }}}}"

        def shown(name: str, label: str | None) -> str:
            value = f"$values.{refs[name]}"
            if label:
                return f"{{{{ {value}.Labels.{label} }}}}"
            return f"{{{{ {value}.Value | {FORMATS[self._figures[name].form]} }}}}"

        return self._render("$values.A.Value", opened, shown)

    def _render(
        self, value: str, opened: Callable[[str], str], shown: Callable[[str, str | None], str]
    ) -> str:
        return "".join(
            _sentence(one, " " if index else "", value, opened, shown)
            for index, one in enumerate(self._sentences)
        )


def _sentence(
    sentence: Sentence,
    before: str,
    value: str,
    opened: Callable[[str], str],
    shown: Callable[[str, str | None], str],
) -> str:
    names = list(dict.fromkeys(_figures(sentence.text)))

    def replaced(found: re.Match[str]) -> str:
        if found[1] == "value":
            return f"{{{{ {value} | {FORMATS[sentence.value]} }}}}"
        return shown(found[1], found[2])

    text = before + _PLACE.sub(replaced, sentence.text)
    alternative = ""
    if sentence.otherwise:
        other = sentence.otherwise
        other = Sentence(other) if isinstance(other, str) else other
        alternative = "{{ else }}" + _sentence(other, before, value, opened, shown)
    for name in reversed(names):
        text = f"{opened(name)}{text}{alternative}{{{{ end }}}}"
    return text


def _figures_of(sentence: Sentence) -> Iterator[str]:
    """Those of the sentence and of its replacement."""
    yield from _figures(sentence.text)
    if isinstance(sentence.otherwise, Sentence):
        yield from _figures_of(sentence.otherwise)


def _figures(text: str) -> Iterator[str]:
    return (found[1] for found in _PLACE.finditer(text) if found[1] != "value")
