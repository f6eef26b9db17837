"""The web configuration file of the official Prometheus exporters: TLS, users, headers, limits."""
