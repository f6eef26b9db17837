"""Generates the dashboards and the Grafana-managed alerts: `python -m grafana.generator`."""
