"""Three waits of one second, one after another or together, told to the page as they happen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from enum import StrEnum
from typing import Any

from hoopsnake.web import JSONLinesResponse, Router

router = Router()

SERVICES = ("price", "stock", "reviews")
SECONDS = 1.0

Report = Callable[[str, str], None]


async def ask(service: str, report: Report) -> None:
    """Ask a slow service. The wait stands for a database, a disk or somebody else's API."""
    report("asked", service)
    await asyncio.sleep(SECONDS)
    report("answered", service)


async def one_after_another(report: Report) -> None:
    """Each wait begins when the one before it is over."""
    for service in SERVICES:
        await ask(service, report)


async def together(report: Report) -> None:
    """All the waits begin at once."""
    async with asyncio.TaskGroup() as group:
        for service in SERVICES:
            group.create_task(ask(service, report))


class Order(StrEnum):
    """The two ways of waiting, as they stand in the address."""

    ONE_AFTER_ANOTHER = "one-after-another"
    TOGETHER = "together"


WAYS: dict[Order, Callable[[Report], Awaitable[None]]] = {
    Order.ONE_AFTER_ANOTHER: one_after_another,
    Order.TOGETHER: together,
}


async def events(order: Order) -> AsyncIterator[dict[str, Any]]:
    """What happens and when, each told at the moment it happens."""
    clock = asyncio.get_running_loop().time
    began = clock()
    told: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()

    def report(what: str, service: str | None) -> None:
        told.put_nowait({"what": what, "service": service, "at": round(clock() - began, 4)})

    async def run() -> None:
        try:
            await WAYS[order](report)
            report("done", None)
        finally:
            told.put_nowait(None)

    running = asyncio.create_task(run())
    try:
        while (event := await told.get()) is not None:
            yield event
        await running
    finally:
        running.cancel()  # Where the reader has left, nobody waits for the rest.


@router.get("/waits/{order}")
async def waits(order: Order) -> JSONLinesResponse:
    """Run the three waits in the given order and report on them, a JSON object a line."""
    return JSONLinesResponse(events(order), headers={"cache-control": "no-store"})
