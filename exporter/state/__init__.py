"""What is known of each target: the store, daily usage, and optional persistence on disk."""
