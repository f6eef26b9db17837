"""What Kubernetes and the Prometheus operator reject in a resource."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator


@cache
def _schema() -> dict[str, Any]:
    path = Path(__file__).parents[1] / "data" / "kubernetes.json"
    return dict(json.loads(path.read_text(encoding="utf-8")))


def problems(resource: dict[str, Any]) -> list[str]:
    """Every error of a resource, with its place."""
    kind = _schema()["kinds"][f"{resource['apiVersion']} {resource['kind']}"]
    validator = Draft202012Validator({"$defs": _schema()["$defs"], **kind})
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(resource)]
