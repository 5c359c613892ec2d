"""`--reload`: one worker, started anew when files change; connections wait in between."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import Any, cast

from hoopsnake._event_loop import EventLoop
from hoopsnake._service_manager import ServiceManager
from hoopsnake._stop import Stop
from hoopsnake._workers.file_changes import FileChanges
from hoopsnake._workers.staff import Staff
from hoopsnake._workers.worker_process import WorkerFailed, WorkerProcess

__all__ = ["Reloader"]

# Seconds between two looks at the files. Looking may take this part of the time at the most.
_PAUSE = 0.25
_LARGEST_PART = 0.05
# The exit status of a command that names no application: no change of a file mends that.
_WRONG_COMMAND = 2


class Reloader:
    """Keeps one worker for somebody who writes its application.

    The old worker stops before the new one starts: two of them would fight for what an application
    holds, and one whose code is no more is nobody's wish. Where the new code fails, its error is
    told, and connections wait for the next change.
    """

    def __init__(
        self, staff: Staff, addresses: Sequence[str], files: FileChanges, stop: Stop
    ) -> None:
        self._staff = staff
        self._journal = staff.journal
        self._addresses = addresses
        self._files = files
        self._manager = ServiceManager()
        self._stop = stop
        self._has_served = False

    async def run(self) -> int:
        """Serve until a stop is asked for; return the exit status."""
        with self._stop.on_signals(cast(EventLoop, asyncio.get_running_loop())):
            changes = asyncio.ensure_future(self._next_changes())
            asked = asyncio.ensure_future(self._stop.asked.wait())
            try:
                while not asked.done():
                    status = await self._serve_until(changes, asked)
                    if status is not None:
                        return status
                    if changes.done():
                        self._journal.changed(changes.result())
                        changes = asyncio.ensure_future(self._next_changes())
            finally:
                changes.cancel()
                asked.cancel()
                self._manager.stopping()
                await self._staff.end(self._stop)
                self._manager.close()
                self._journal.stopped()
        return 0

    async def _serve_until(
        self, changes: asyncio.Future[list[str]], asked: asyncio.Future[Any]
    ) -> int | None:
        """Serve until files change or a stop is asked for; return a status to exit with, if any."""
        over = (changes, asked)
        try:
            worker = await self._staff.start(1)
        except WorkerFailed as refusal:
            self._journal.waits_for_a_change(refusal.how, refusal.text)
            await asyncio.wait(over, return_when=asyncio.FIRST_COMPLETED)
            return None
        await asyncio.wait((*over, worker.ready), return_when=asyncio.FIRST_COMPLETED)
        if worker.ready.done():
            failure = worker.ready.exception()
            if isinstance(failure, WorkerFailed):
                if failure.status == _WRONG_COMMAND and not self._has_served:
                    print(failure, file=sys.stderr)
                    return failure.status
                self._journal.waits_for_a_change(failure.how, failure.text)
            else:
                self._tell_ready(worker)
                await asyncio.wait((*over, worker.ended), return_when=asyncio.FIRST_COMPLETED)
                if worker.ended.done():
                    self._journal.waits_for_a_change(worker.how_it_ended, worker.last_words)
            await asyncio.wait(over, return_when=asyncio.FIRST_COMPLETED)
        if not asked.done():
            await self._staff.dismiss(worker)
        return None

    def _tell_ready(self, worker: WorkerProcess) -> None:
        if self._has_served:
            self._journal.ready(worker.name)
        else:
            self._has_served = True
            self._journal.serving(self._addresses, 1)
            self._manager.ready()

    async def _next_changes(self) -> list[str]:
        """Wait until files have changed, and have stayed as they are for one look more."""
        loop = asyncio.get_running_loop()
        changed: set[str] = set()
        while True:
            began = loop.time()
            # In a thread: folders may be large and disks slow, and the loop has signals to heed.
            found = await asyncio.to_thread(self._files.look)
            if changed and not found:
                return sorted(changed)
            changed.update(found)
            await asyncio.sleep(max(_PAUSE, (loop.time() - began) / _LARGEST_PART))
