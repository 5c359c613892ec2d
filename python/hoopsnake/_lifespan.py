"""The lifespan of an application: told when serving starts and ends (ASGI lifespan spec)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from hoopsnake._errors import LifespanError
from hoopsnake._journal import Journal

__all__ = ["Lifespan", "LifespanMode"]

LifespanMode = Literal["auto", "on", "off"]
Event = dict[str, Any]

# Seconds that a lifespan has to end after it was cancelled.
_LAST_STEPS = 1.0


class Lifespan:
    """Runs the application's lifespan call next to the server.

    `mode` is "on" (the application must support it), "off", or "auto" (if it does). `state` is the
    dict that the application fills at startup; every request's scope gets a copy.
    """

    def __init__(
        self, application: Callable[..., Awaitable[None]], mode: LifespanMode, journal: Journal
    ) -> None:
        self.state: dict[str, Any] = {}
        self._application = application
        self._mode = mode
        self._journal = journal
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._answer: asyncio.Future[Event] | None = None
        self._task: asyncio.Task[None] | None = None
        self._received_startup = False
        self._stage = "startup"

    async def startup(self) -> None:
        """Tell the application that serving starts; return when it is ready.

        Raises LifespanError if it says that it failed, or if it does not support the protocol
        though the mode is "on".
        """
        if self._mode == "off":
            return
        self._task = asyncio.create_task(self._run(), name="lifespan")
        answer = await self._tell("startup")
        if answer is None:
            failure = None if self._task.cancelled() else self._task.exception()
            self._task = None
            self._go_on_without(failure)
        elif answer["type"] == "lifespan.startup.failed":
            message = str(answer.get("message", "")).rstrip()
            task, self._task = self._task, None
            task.cancel()
            await asyncio.wait([task], timeout=_LAST_STEPS)
            # What it raises beside is the same failure once more.
            failure = task.exception() if task.done() and not task.cancelled() else None
            raise LifespanError(
                "the application's startup failed" + (f":\n{message}" if message else "")
            ) from failure

    async def shutdown(self, patience: float) -> None:
        """Tell the application that serving has ended; give it `patience` seconds to clean up."""
        if self._task is None:
            return
        try:
            answer = await asyncio.wait_for(self._tell("shutdown"), patience)
        except TimeoutError:
            self._journal.lifespan_failed("shutdown", None, f"not done within {patience:g} s")
        else:
            if answer is not None and answer["type"] == "lifespan.shutdown.failed":
                self._journal.lifespan_failed("shutdown", None, str(answer.get("message", "")))
        finally:
            # It has said its last word, or its time is up.
            if not self._task.done():
                await asyncio.wait([self._task], timeout=0.1)
            self._task.cancel()
            await asyncio.wait([self._task], timeout=_LAST_STEPS)
        if self._task.done() and not self._task.cancelled():
            failure = self._task.exception()
            if failure is not None:
                self._journal.lifespan_failed("shutdown", failure)

    def _go_on_without(self, failure: BaseException | None) -> None:
        if self._mode == "on":
            raise LifespanError(
                "the application does not support the lifespan protocol; without --lifespan on it "
                "is served all the same"
            ) from failure
        if failure is not None and self._received_startup:
            # The spec wants it served all the same, but this is no mere lack of support.
            self._journal.lifespan_failed("startup", failure)
        else:
            self._journal.lifespan_unsupported()

    async def _tell(self, event: str) -> Event | None:
        """Send an event; return the application's answer, None if it ended without one."""
        assert self._task is not None, "the lifespan was started"
        self._stage = event
        self._answer = asyncio.get_running_loop().create_future()
        self._events.put_nowait({"type": f"lifespan.{event}"})
        either: tuple[asyncio.Future[Any], ...] = (self._answer, self._task)
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._task.cancel()
            raise
        return self._answer.result() if self._answer.done() else None

    async def _run(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        await self._application(scope, self._receive, self._send)

    async def _receive(self) -> Event:
        event = await self._events.get()
        self._received_startup = True
        return event

    async def _send(self, message: Event) -> None:
        kind = message["type"]
        due = f"lifespan.{self._stage}"
        if kind not in (f"{due}.complete", f"{due}.failed"):
            raise RuntimeError(
                f"the application sent {kind!r} when '{due}.complete' or '{due}.failed' was due"
            )
        if self._answer is None or self._answer.done():
            raise RuntimeError(f"the application sent {kind!r} a second time")
        self._answer.set_result(message)
