"""HTTP requests to the vendors' APIs: the only package that imports httpx."""
