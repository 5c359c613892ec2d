"""Three waits of one second, one after another or together, told to the page as they happen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from enum import StrEnum

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

router = APIRouter()

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


async def events(order: Order) -> AsyncIterator[str]:
    """What happens and when, a JSON object a line, each sent at the moment it happens."""
    clock = asyncio.get_running_loop().time
    began = clock()
    lines: asyncio.Queue[str | None] = asyncio.Queue()

    def report(what: str, service: str | None) -> None:
        line = {"what": what, "service": service, "at": round(clock() - began, 4)}
        lines.put_nowait(json.dumps(line) + "\n")

    async def run() -> None:
        try:
            await WAYS[order](report)
            report("done", None)
        finally:
            lines.put_nowait(None)

    running = asyncio.create_task(run())
    try:
        while (line := await lines.get()) is not None:
            yield line
        await running
    finally:
        running.cancel()  # Where the reader has left, nobody waits for the rest.


@router.get("/waits/{order}")
async def waits(order: Order) -> StreamingResponse:
    """Run the three waits in the given order and report on them as newline-delimited JSON."""
    headers = {"cache-control": "no-store"}
    return StreamingResponse(events(order), media_type="application/x-ndjson", headers=headers)
