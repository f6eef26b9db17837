"""`python -m exporter` and the `docusage-exporter` command."""

from __future__ import annotations

import os
import sys

from exporter.cli.main import run


def main() -> int:
    """Run the command that the arguments name, and return its exit status."""
    return run(sys.argv[1:], os.environ)


if __name__ == "__main__":
    sys.exit(main())
