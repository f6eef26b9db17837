"""A small HTTP/1.1 server on httptools: plain or encrypted, for slow and hostile clients too.

It exists because the usual servers lack what an exporter on a public port needs: uvicorn has no
limit on the time to receive a request, and none of them can choose the TLS settings of each new
connection, so that a renewed certificate would need a restart. asyncio's own TLS keeps a buffer of
256 KiB for each connection. A server with these three properties would let this package be deleted.
"""
