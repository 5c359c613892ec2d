"""Fetches two hundred pages at once with aiohttp, from a site that this program serves itself."""

import asyncio
import re
import time

from aiohttp import ClientSession, TCPConnector, web

PAGES = 200
DELAY = 0.2


async def page(request: web.Request) -> web.Response:
    number = int(request.match_info["number"])
    await asyncio.sleep(DELAY)
    return web.Response(text=f"<title>Page {number}</title>", content_type="text/html")


async def serve_site() -> tuple[web.AppRunner, str]:
    site = web.Application()
    site.router.add_get("/{number:\\d+}", page)
    runner = web.AppRunner(site)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    return runner, f"http://{host}:{port}"


async def title(session: ClientSession, address: str) -> str:
    async with session.get(address) as response:
        response.raise_for_status()
        found = re.search("<title>(.*)</title>", await response.text())
        return found.group(1) if found else "no title"


async def main() -> None:
    runner, site = await serve_site()
    try:
        started = time.monotonic()
        # aiohttp opens 100 connections at most unless it is told otherwise.
        async with ClientSession(connector=TCPConnector(limit=PAGES)) as session:
            titles = await asyncio.gather(
                *[title(session, f"{site}/{number}") for number in range(PAGES)]
            )
        took = time.monotonic() - started
    finally:
        await runner.cleanup()

    print(f"{len(set(titles))} pages, from {titles[0]!r} to {titles[-1]!r}")
    # One after another they would have taken PAGES * DELAY, which is 40 seconds.
    print("all at once:", took < PAGES * DELAY / 4)


asyncio.run(main())
