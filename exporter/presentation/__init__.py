"""Snapshots of targets as text, sentences and JSON, for pages and commands."""
