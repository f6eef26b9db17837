"""The command line: flags, and one module per command."""
