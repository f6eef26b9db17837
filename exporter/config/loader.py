"""Loads a configuration file, or reports every problem in it at once."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar

from pydantic import Field, ValidationError

from exporter.config.errors import (
    MISSING,
    UNKNOWN_KEY,
    ConfigError,
    Problem,
    Steps,
    format_path,
    is_typo_of,
    model_errors,
    suggestion,
)
from exporter.config.models import (
    KEY_FIELDS,
    Config,
    Defaults,
    Model,
    PollSettings,
    Target,
    TargetWarning,
)
from exporter.config.types import ValidationContext
from exporter.config.yaml_parser import MAX_BYTES, Document, Plain, YamlError, read_yaml
from exporter.files import read_regular_file
from exporter.model import PollError
from exporter.secrets import KeyFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KeyCheck: TypeAlias = Literal["required", "optional", "ignored"]
"""Whether a target without a usable key is a problem, a warning, or of no interest."""

_M = TypeVar("_M", bound=Model)
# A key in place of the name of its file or variable must not be quoted.
_QUOTABLE: Final = re.compile(r"[A-Z_][A-Z_0-9]*|.*/.*")


class _File(Defaults):
    targets: tuple[dict[str, Any], ...] = Field(min_length=1)


def load(
    path: Path,
    vendors: Mapping[str, type[Target]],
    environ: Mapping[str, str],
    *,
    keys: KeyCheck = "optional",
    is_pipe_allowed: bool = False,
) -> Config:
    """The configuration in the file at `path`.

    Args:
        path: the file; relative paths in it start at its folder.
        vendors: the settings of each vendor's targets.
        environ: the environment variables that may hold keys.
        keys: what a target without a usable key is.
        is_pipe_allowed: whether it may be a pipe: it is read to its end, and relative paths start
            at the working directory.

    Raises:
        ConfigError: with every problem.
    """
    try:
        is_pipe = is_pipe_allowed and (path.is_fifo() or path.is_char_device())
        document = read_yaml(
            _read_pipe(path) if is_pipe else read_regular_file(path, MAX_BYTES + 1)
        )
    except YamlError as error:
        raise ConfigError(path, [error.problem]) from None
    except OSError as error:
        raise ConfigError(path, [Problem(0, "", f"cannot be read: {error.strerror}")]) from None
    context = ValidationContext(Path() if is_pipe else path.parent, environ)
    loading = _Loading(document, vendors, context, keys)
    config = loading.config()
    if config is None:
        raise ConfigError(path, [*document.problems, *loading.problems])
    return config


def _read_pipe(path: Path) -> bytes:
    with path.open("rb") as pipe:
        return pipe.read(MAX_BYTES + 1)


@dataclass(frozen=True, slots=True)
class _Loading:
    """Validates a document."""

    document: Document
    vendors: Mapping[str, type[Target]]
    context: ValidationContext
    keys: KeyCheck
    problems: list[Problem] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)

    def config(self) -> Config | None:
        """The configuration, if it has no problems."""
        data = self.document.data
        file = self._validate(_File, data, ())
        # If the defaults are invalid, the targets are validated with built-in ones.
        defaults = _target_defaults(file or _File(targets=({},)))
        entries = data.get("targets") if isinstance(data, dict) else None
        targets, warnings = list[Target](), list[TargetWarning]()
        for index, raw in enumerate(entries if isinstance(entries, tuple) else ()):
            if isinstance(raw, dict) and (target := self._target(index, raw, defaults)):
                targets.append(target)
                warnings += self._check_key(index, target, raw)
        if file is None or self.document.problems or self.problems:
            return None
        return Config(file.poll, file.http, file.alerts, tuple(targets), tuple(warnings))

    def _target(
        self, index: int, raw: dict[str, Plain], defaults: Mapping[str, Model]
    ) -> Target | None:
        steps: Steps = ("targets", index)
        name, vendor = raw.get("name"), raw.get("vendor")
        if isinstance(name, str) and (first := self.names.setdefault(name, index)) != index:
            self._report((*steps, "name"), f"duplicate name; targets[{first}] has it too")
        model = self.vendors.get(vendor) if isinstance(vendor, str) else None
        if isinstance(vendor, str) and model is None:
            self._report((*steps, "vendor"), f"unknown vendor; {suggestion(vendor, self.vendors)}")
        return self._validate(model or Target, _with_defaults(raw, defaults), steps)

    def _validate(self, model: type[_M], data: object, steps: Steps) -> _M | None:
        """The model of `data`, which stands at `steps`; or None, and its errors are reported."""
        try:
            return model.model_validate(data, context=self.context)
        except ValidationError as validation_error:
            for error in model_errors(validation_error, model):
                # Of an unknown vendor the keys are not known either.
                is_vendor_key = model is Target and error.kind == UNKNOWN_KEY
                if not is_vendor_key or is_typo_of("vendor", error.steps[-1]):
                    inner = (*steps, *error.steps)
                    self._report(inner, error.message, is_missing=error.kind == MISSING)
            return None

    def _check_key(
        self, index: int, target: Target, raw: dict[str, Plain]
    ) -> Iterator[TargetWarning]:
        """The warnings about a target's key; reports its problem where a key is required."""
        if self.keys == "ignored":
            return
        (name,) = (name for name in KEY_FIELDS if raw.get(name) is not None)
        line, steps = self.document.locate(("targets", index, name))
        path = format_path(steps)
        try:
            target.key.read()
        except PollError as error:
            given = str(raw[name])
            shown = f" ({given})" if _QUOTABLE.fullmatch(given) else ""
            problem = Problem(line, path, f"{error.detail}{shown}")
            if self.keys == "required":
                self.problems.append(problem)
            else:
                yield TargetWarning(target.name, problem)
            return
        if isinstance(target.key, KeyFile) and target.key.is_world_readable():
            message = "every user of the machine can read the key"
            yield TargetWarning(target.name, Problem(line, path, message))

    def _report(self, steps: Steps, message: str, *, is_missing: bool = False) -> None:
        line, found = self.document.locate(steps)
        path = format_path((*found, steps[-1]) if is_missing else found)
        # A defect of the YAML explains what is wrong with the value there.
        known = ((problem.line, problem.path) for problem in self.document.problems)
        if (line, path) not in known:
            self.problems.append(Problem(line, path, message))


def _target_defaults(file: _File) -> dict[str, Model]:
    """The sections that targets have too, without the limits of all polls.

    So a target is equal to what it was if only such a limit changes.
    """
    values = {key: getattr(file.poll, key) for key in PollSettings.model_fields}
    poll = PollSettings.model_construct(file.poll.model_fields_set & values.keys(), **values)
    return {"poll": poll, "http": file.http, "alerts": file.alerts}


def _with_defaults(raw: dict[str, Plain], defaults: Mapping[str, Model]) -> dict[str, object]:
    """A target's data with the defaults' own objects, or their keys under the target's own."""
    merged: dict[str, object] = dict(raw)
    for name, section in defaults.items():
        own = raw.get(name)
        if name not in raw:
            merged[name] = section
        elif isinstance(own, dict):
            given = {key: getattr(section, key) for key in section.model_fields_set}
            merged[name] = {**given, **own}
    return merged
