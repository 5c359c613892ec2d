"""The client that the Autobahn test suite talks to: an echo."""

from __future__ import annotations

import hoopsnake

# The largest message of section 9 has 16 MiB.
LARGEST = 16 * 1024 * 1024


async def take_all_cases(url: str, agent: str) -> None:
    """Go through all cases that the judge at this URL has, and ask for the report."""
    async with hoopsnake.Client() as client:
        async with client.websocket(f"{url}/getCaseCount") as socket:
            count = int(await socket.receive())
        for case in range(1, count + 1):
            await echo(client, f"{url}/runCase?case={case}&agent={agent}")
        async with client.websocket(f"{url}/updateReports?agent={agent}") as socket:
            async for _ in socket:
                pass


async def echo(client: hoopsnake.Client, url: str) -> None:
    """Send back every message as it is, until the judge has seen enough."""
    try:
        async with client.websocket(url, max_message=LARGEST, close_timeout=5) as socket:
            async for message in socket:
                await socket.send(message)
    except hoopsnake.ConnectionClosed:
        # Most cases are about how it ends.
        pass
