"""Generates the alerting and recording rules: `python -m prometheus.generator`."""
