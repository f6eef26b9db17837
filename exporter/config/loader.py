"""From a configuration file to a `Config`, or to every problem in it at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import Field, ValidationError

from exporter.config.errors import (
    UNKNOWN_KEY,
    ConfigError,
    Problem,
    Steps,
    explain,
    format_path,
    is_typo_of,
    suggestion,
)
from exporter.config.models import Config, Defaults, Model, PollSettings, Target
from exporter.config.types import ValidationContext
from exporter.config.yaml_parser import MAX_BYTES, Node, Plain, YamlError, read_yaml
from exporter.files import read_regular_file
from exporter.secrets import KeyFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

_M = TypeVar("_M", bound=Model)


class _File(Defaults):
    targets: tuple[dict[str, Any], ...] = Field(min_length=1)


def load(path: Path, vendors: Mapping[str, type[Target]], environ: Mapping[str, str]) -> Config:
    """The configuration in the file at `path`; relative paths in it start at its folder.

    Raises:
        ConfigError: with everything that is wrong.
    """
    try:
        root, problems = read_yaml(read_regular_file(path, MAX_BYTES + 1))
    except YamlError as error:
        raise ConfigError(path, [error.problem]) from None
    except OSError as error:
        raise ConfigError(path, [Problem(0, "", f"cannot be read: {error.strerror}")]) from None
    odd = frozenset((problem.line, problem.path) for problem in problems)
    loading = _Loading(root, vendors, ValidationContext(path.parent, environ), odd)
    config = loading.config()
    if config is None:
        raise ConfigError(path, [*problems, *loading.problems])
    return config


@dataclass(frozen=True, slots=True)
class _Loading:
    """One attempt to make a configuration of a document; `odd` places were reported before."""

    root: Node
    vendors: Mapping[str, type[Target]]
    context: ValidationContext
    odd: frozenset[tuple[int, str]]
    problems: list[Problem] = field(default_factory=list)

    def config(self) -> Config | None:
        """The configuration, if there are no problems."""
        data = self.root.plain()
        file = self._valid(_File, data, ())
        # Where the defaults are wrong, the targets are looked at with built-in ones.
        defaults = _defaults(file or _File(targets=({},)))
        raw = data.get("targets") if isinstance(data, dict) else None
        numbered = [
            (index, target)
            for index, target in enumerate(raw if isinstance(raw, tuple) else ())
            if isinstance(target, dict)
        ]
        self._check_unique_names(numbered)
        targets = [self._target(index, target, defaults) for index, target in numbered]
        if file is None or self.odd or self.problems:
            return None
        valid = tuple(target for target in targets if target is not None)
        return Config(file.poll, file.http, file.alerts, valid, tuple(self._warnings(valid)))

    def _target(
        self, index: int, raw: dict[str, Plain], defaults: Mapping[str, Model]
    ) -> Target | None:
        steps: Steps = ("targets", index)
        vendor = raw.get("vendor")
        model = self.vendors.get(vendor) if isinstance(vendor, str) else None
        if isinstance(vendor, str) and model is None:
            hint = suggestion(vendor, self.vendors)
            self._report((*steps, "vendor"), f"unknown vendor; {hint}")
        return self._valid(model or Target, _with_defaults(raw, defaults), steps)

    def _valid(self, model: type[_M], data: object, steps: Steps) -> _M | None:
        """The model of `data`, which stands at `steps`; or None, and its errors are reported."""
        try:
            return model.model_validate(data, context=self.context)
        except ValidationError as error:
            for finding in explain(error, model):
                # The keys of a target whose vendor is unknown are unknown, too.
                is_vendor_s = model is Target and finding.kind == UNKNOWN_KEY
                if not is_vendor_s or is_typo_of("vendor", finding.steps[-1]):
                    inner = (*steps, *finding.steps)
                    self._report(inner, finding.message, missing=finding.kind == "missing")
            return None

    def _check_unique_names(self, numbered: Iterable[tuple[int, dict[str, Plain]]]) -> None:
        first: dict[str, int] = {}
        for index, target in numbered:
            name = target.get("name")
            if isinstance(name, str) and first.setdefault(name, index) != index:
                self._report(
                    ("targets", index, "name"), f"is the name of targets[{first[name]}] already"
                )

    def _report(self, steps: Steps, message: str, *, missing: bool = False) -> None:
        line, found = self.root.locate(steps)
        path = format_path((*found, steps[-1]) if missing else found)
        # What the reader found odd in a place explains what is wrong with the value there.
        if (line, path) not in self.odd:
            self.problems.append(Problem(line, path, message))

    def _warnings(self, targets: Iterable[Target]) -> Iterator[Problem]:
        for index, target in enumerate(targets):
            if isinstance(target.key, KeyFile) and target.key.is_readable_by_all():
                line, steps = self.root.locate(("targets", index, "api_key_file"))
                yield Problem(
                    line, format_path(steps), "every user of the machine can read the key"
                )


def _defaults(file: _File) -> dict[str, Model]:
    """The sections that targets have too, without what all polls share.

    So a target stays the same target when only a limit of all polls changes.
    """
    kept = {key: getattr(file.poll, key) for key in PollSettings.model_fields}
    pace = PollSettings.model_construct(file.poll.model_fields_set & kept.keys(), **kept)
    return {"poll": pace, "http": file.http, "alerts": file.alerts}


def _with_defaults(raw: dict[str, Plain], defaults: Mapping[str, Model]) -> dict[str, object]:
    """A target's data with the defaults' very objects, or their keys under the target's own."""
    merged: dict[str, object] = dict(raw)
    for name, section in defaults.items():
        own = raw.get(name)
        if name not in raw:
            merged[name] = section
        elif isinstance(own, dict):
            given = {key: getattr(section, key) for key in section.model_fields_set}
            merged[name] = {**given, **own}
    return merged
