"""Reads the vendors' history for `backfill` and `report`: one path, the same limits and retries."""
