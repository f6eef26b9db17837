"""`python -m exporter` and the `docusage-exporter` command."""

import sys

from exporter.cli import main

if __name__ == "__main__":
    sys.exit(main())
