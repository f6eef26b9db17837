"""The optional state on disk: what is known of each target, kept across restarts."""
