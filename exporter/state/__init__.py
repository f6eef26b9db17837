"""What is known of each target: store, daily usage, and state files on disk."""
