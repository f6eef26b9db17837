"""How fast the exporter is, measured beside programs that anyone can install."""
