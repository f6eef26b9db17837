"""HTTP requests to the vendors' APIs: the only room that imports httpx."""
