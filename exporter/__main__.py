"""`python -m exporter` and the `docusage-exporter` command."""

from __future__ import annotations

import gc
import os
import sys


def main() -> int:
    """Run the command that is asked for; its exit status."""
    gc.disable()  # what modules are made of is no garbage: looking for some takes 10 ms
    from exporter.cli.main import run  # noqa: PLC0415  as said

    gc.freeze()  # nor will it be
    gc.enable()
    return run(sys.argv[1:], os.environ)


if __name__ == "__main__":
    sys.exit(main())
