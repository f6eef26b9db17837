"""Prometheus exporter for document-AI usage: Affinda credits and Xtracta plan allowances."""
