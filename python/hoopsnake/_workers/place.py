"""The place of one worker: never empty for long, and handed on without losing a request."""

from __future__ import annotations

import asyncio
import random

from hoopsnake._stop import Stop
from hoopsnake._workers.policies import Backoff, Term
from hoopsnake._workers.staff import Staff
from hoopsnake._workers.worker_process import WorkerFailed, WorkerProcess

__all__ = ["Place"]


class Place:
    """Keeps one worker at work: the next one after it has ended, or once it is due."""

    def __init__(self, number: int, staff: Staff, turn: asyncio.Lock, stop: Stop) -> None:
        self.number = number
        self._staff = staff
        self._journal = staff.journal
        # Whoever replaces a worker that serves holds it: one at a time.
        self._turn = turn
        # Once it was asked for, nobody is started any more, though the server may serve on.
        self._stop = stop
        self._worker: WorkerProcess | None = None
        self._backoff = Backoff()
        self._keeping: asyncio.Task[None] | None = None

    def take(self, worker: WorkerProcess | None) -> None:
        """Give the place to a worker that is ready, if there is one; whoever has it retires."""
        before, self._worker = self._worker, worker
        if self._keeping is not None:
            self._keeping.cancel()
        if before is not None:
            self._staff.retire(before)
        self._keeping = self._staff.begin(self._keep())

    def give_up(self) -> None:
        """Have no worker any more; whoever has the place retires."""
        self.forget()
        if self._worker is not None:
            self._staff.retire(self._worker)
            self._worker = None

    def forget(self) -> None:
        """Look after the worker no more."""
        if self._keeping is not None:
            self._keeping.cancel()
            self._keeping = None

    def missed(self) -> None:
        """Note that the worker of the first start failed: the next one has to wait."""
        self._backoff.after(0.0, random.random())

    async def _keep(self) -> None:
        while not self._stop.asked.is_set():
            if self._worker is None:
                self._worker = await self._fill()
                continue
            reason = await self._over(self._worker)
            if reason is not None:
                await self._replace(self._worker, reason)
                continue
            worker, self._worker = self._worker, None
            if self._stop.asked.is_set():
                self._staff.see_off(worker)
            elif worker.ended.done():
                how, text = worker.how_it_ended, worker.last_words
                await self._after_end(worker.name, how, text, worker.served)
            else:
                # Somebody else told it to stop, or its application did. It goes in its own time.
                delay = self._backoff.after(worker.served, random.random())
                self._journal.left(worker.name, delay)
                self._staff.see_off(worker)
                await asyncio.sleep(delay)

    async def _fill(self) -> WorkerProcess | None:
        try:
            worker = await self._staff.start_ready(self.number)
        except WorkerFailed as failure:
            name = f"Worker {self.number}"
            text = str(failure)
            await self._after_end(name, f"failed to start ({failure.how})", text, 0.0)
            return None
        self._journal.ready(worker.name)
        return worker

    async def _after_end(self, name: str, how: str, text: str, served: float) -> None:
        delay = self._backoff.after(served, random.random())
        self._journal.ended(name, how, text, delay)
        await asyncio.sleep(delay)

    async def _over(self, worker: WorkerProcess) -> str | None:
        """Wait until a worker is due, and say why; None if it stops by itself or has ended."""
        term = Term.drawn(self._staff.config, random.random())
        while not worker.leaving.is_set():
            told = worker.statistics
            reason = term.over(requests=told.requests, age=worker.served, memory=told.memory)
            if reason is not None:
                return reason
            await worker.next_news()
        return None

    async def _replace(self, worker: WorkerProcess, reason: str) -> None:
        async with self._turn:
            if worker.leaving.is_set() or self._stop.asked.is_set():
                return
            self._journal.due(worker.name, reason)
            try:
                successor = await self._staff.start_ready(self.number)
            except WorkerFailed as failure:
                delay = self._backoff.after(0.0, random.random())
                self._journal.not_replaced(worker.name, str(failure), delay)
            else:
                self._journal.ready(successor.name)
                self._staff.retire(worker)
                self._worker = successor
                return
        await asyncio.sleep(delay)
