"""When and how targets are polled: scheduler, limits, back-off, sharding."""
