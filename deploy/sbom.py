"""What a release is made of, as CycloneDX 1.6 JSON on standard output: read from the lock file."""

from __future__ import annotations

import json
import os
import re
import sys
import tomllib
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT: Final = Path(__file__).parent.parent
_PINNED: Final = re.compile(r"^(\S+)==([^\s;]+)(.*(?:\n[ ].*)*)", re.MULTILINE)
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_VIA: Final = re.compile(
    r"#\s+(?:via\s+)?([a-z0-9][a-z0-9-]*)(?: \(pyproject\.toml\))?$", re.MULTILINE
)


class Package(NamedTuple):
    """A line of the lock file.

    Args:
        name, version: as locked.
        hashes: SHA-256 of each file of it that may be installed.
        needed_by: the names of the packages that depend on it.
    """

    name: str
    version: str
    hashes: tuple[str, ...]
    needed_by: tuple[str, ...]

    @property
    def reference(self) -> str:
        """Its package URL."""
        return f"pkg:pypi/{self.name}@{self.version}"


def packages(lock: str) -> Iterator[Package]:
    """What a lock file, as uv writes it, pins."""
    for name, version, rest in _PINNED.findall(lock):
        yield Package(
            name,
            version,
            tuple(_HASH.findall(rest)),
            tuple(word for word in _VIA.findall(rest) if word != "via"),
        )


def sbom(project: dict[str, Any], locked: Sequence[Package], moment: datetime) -> dict[str, Any]:
    """The bill of materials: the same for the same arguments."""
    root = Package(project["name"], project["version"], (), ())
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": moment.isoformat(),
            "component": {
                **_component(root, "application"),
                "description": project["description"],
                "licenses": [{"license": {"id": project["license"]}}],
            },
        },
        "components": [_component(package, "library") for package in locked],
        "dependencies": [
            {
                "ref": package.reference,
                "dependsOn": [part.reference for part in locked if package.name in part.needed_by],
            }
            for package in (root, *locked)
        ],
    }
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(document))
    return {**document, "serialNumber": f"urn:uuid:{serial}"}


def _component(package: Package, kind: str) -> dict[str, Any]:
    known = {
        "type": kind,
        "bom-ref": package.reference,
        "name": package.name,
        "version": package.version,
        "purl": package.reference,
    }
    hashes = [{"alg": "SHA-256", "content": digest} for digest in package.hashes]
    return {**known, "hashes": hashes} if hashes else known


def main() -> None:
    """Write it for this checkout, as of SOURCE_DATE_EPOCH."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lock = (ROOT / "deploy" / "requirements.lock").read_text(encoding="utf-8")
    moment = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), UTC)
    json.dump(sbom(project, [*packages(lock)], moment), sys.stdout, indent=2)


if __name__ == "__main__":
    main()
