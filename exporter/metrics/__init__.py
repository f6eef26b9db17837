"""The metrics: the catalogue, the exposition formats, and the cached response."""
