"""Four suppliers are asked for a price over HTTP, at once; three of them have their troubles.

They are routes of this same server, so that the page needs no other; the requests go out by
`hoopsnake.Client` over the network like any other.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import hoopsnake
from hoopsnake.web import App, HTTPException, JSONLinesResponse, Request, Router

router = Router()

SUPPLIERS = ("north", "east", "south", "west")
SECONDS = 1.5  # What nobody has answered by then is not waited for.

client = hoopsnake.Client(
    timeout=hoopsnake.Timeout(total=SECONDS),
    retries=hoopsnake.Retries(2, first=0.1),
    hedge=0.3,
    concurrency=8,
)
asked: Counter[str] = Counter()


@router.get("/suppliers/{name}")
async def supplier(name: str) -> dict[str, float]:
    """Name a price. East is busy each other time, south is slow then, and west says nothing."""
    if name not in SUPPLIERS:
        raise HTTPException(404, f"there is no supplier called {name!r}")
    asked[name] += 1
    is_odd = asked[name] % 2 == 1
    if name == "east" and is_odd:
        raise HTTPException(503, "too busy", headers={"retry-after": "0"})
    if name == "west" or (name == "south" and is_odd):
        await asyncio.sleep(30)
    return {"price": 3.0 + len(name) / 4}


async def ask(url: str) -> dict[str, Any]:
    """Ask one supplier; tell the answer, or what went wrong, and each attempt."""
    clock = asyncio.get_running_loop().time
    began = clock()
    told: dict[str, Any] = {"supplier": url.rpartition("/")[2], "price": None, "problem": None}
    attempts: Any = ()
    try:
        response = await client.get(url)
        attempts = response.extensions["attempts"]
        told["price"] = response.raise_for_status().json()["price"]
    except hoopsnake.TotalTimeout as error:
        attempts = error.attempts
        told["problem"] = f"no answer within {SECONDS:g} s"
    except hoopsnake.HTTPError as error:
        attempts = getattr(error, "attempts", attempts)
        told["problem"] = str(error)
    told["attempts"] = [
        {"status": each.status, "error": each.error, "hedge": each.is_hedge} for each in attempts
    ]
    return told | {"seconds": round(clock() - began, 3)}


async def answers(origin: str) -> AsyncIterator[dict[str, Any]]:
    """All answers, each as it comes."""
    urls = [f"{origin}/suppliers/{name}" for name in SUPPLIERS]
    async with hoopsnake.map_concurrent(ask, urls, limit=len(urls)) as told:
        async for each in told:
            yield each


@router.get("/quotes")
async def quotes(request: Request) -> JSONLinesResponse:
    """Ask all suppliers, and tell of each in a JSON object a line."""
    host, port = request.scope["server"]
    if port is None:
        raise HTTPException(503, "the suppliers are asked over TCP, and this server has a socket")
    shown = f"[{host}]" if ":" in host else host
    origin = f"{request.scope['scheme']}://{shown}:{port}"
    return JSONLinesResponse(answers(origin), headers={"cache-control": "no-store"})


@contextlib.asynccontextmanager
async def lifespan(app: App) -> AsyncIterator[None]:
    """Close the client's connections when the app ends."""
    async with client:
        yield
