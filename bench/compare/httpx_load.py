"""The load of httpx2's client, with hoopsnake's connections under it instead of its own."""

import functools

import httpx2

import hoopsnake
from bench.compare import client_load


def main() -> None:
    """Put the load on by the same program that puts it on httpx2."""
    limits = hoopsnake.Limits(max_connections=client_load.MOST)
    transport = hoopsnake.HTTPTransport(limits=limits)
    own: object = httpx2.AsyncClient
    assert callable(own)
    httpx2.AsyncClient = functools.partial(own, transport=transport)
    client_load.main()


if __name__ == "__main__":
    main()
