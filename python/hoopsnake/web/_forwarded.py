"""What a mounted ASGI application answers, as a response that middleware can look at."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from hoopsnake.web._headers import MutableHeaders
from hoopsnake.web._request import Receive, Scope, Send
from hoopsnake.web._responses import Response

__all__ = ["ForwardedResponse", "forwarded"]

Message = dict[str, Any]


class ForwardedResponse(Response):
    """The head of an answer; the application goes on once the response is sent."""

    def __init__(self, start: Message, rest: Callable[[Send], Awaitable[None]]) -> None:
        super().__init__(None, start["status"])
        self.headers = MutableHeaders(start.get("headers", ()))
        self._start = start
        self._rest = rest

    async def __call__(self, send: Send) -> None:
        start = {**self._start, "status": self.status_code, "headers": self.headers.raw}
        await send(start)
        await self._rest(send)


async def forwarded(
    app: Callable[[Scope, Receive, Send], Awaitable[None]], scope: Scope, receive: Receive
) -> ForwardedResponse:
    """Run an application up to the head of its answer.

    Raises what the application raises before that, and RuntimeError if it ends without an answer.
    """
    messages: asyncio.Queue[Message] = asyncio.Queue(1)
    taken = asyncio.Event()

    async def hand_over(message: Message) -> None:
        # One at a time: what the client does not take yet, the application waits for.
        await messages.put(message)
        await taken.wait()
        taken.clear()

    task = asyncio.ensure_future(app(scope, receive, hand_over))

    async def following() -> Message | None:
        waiting = asyncio.ensure_future(messages.get())
        try:
            await asyncio.wait((waiting, task), return_when=asyncio.FIRST_COMPLETED)
            return waiting.result() if waiting.done() else None
        finally:
            waiting.cancel()

    async def rest(send: Send) -> None:
        try:
            taken.set()
            while (message := await following()) is not None:
                await send(message)
                taken.set()
            await task
        finally:
            task.cancel()

    try:
        start = await following()
    except BaseException:
        task.cancel()
        raise
    if start is None:
        await task
        raise RuntimeError("the mounted application ended without an answer")
    return ForwardedResponse(start, rest)
