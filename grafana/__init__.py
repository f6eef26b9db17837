"""What the dashboards and the Grafana-managed alerts are made with; see generate.py."""
