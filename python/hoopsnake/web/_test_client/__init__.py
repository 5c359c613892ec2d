"""Clients for tests: an application on our own server, in this process, asked over the loopback.

`client` and `async_client` are what tests use, `websocket` what they open. `exchange` is what both
share; `served` runs the server, `connection` and `frames` speak to it.
"""
