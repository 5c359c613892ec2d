"""All worker processes that there are: started, watched for silence, retired, ended in order."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from hoopsnake._metrics import Snapshot
from hoopsnake._native import ListenSockets
from hoopsnake._server_config import ServerConfig
from hoopsnake._stop import Stop
from hoopsnake._workers.config import WorkerConfig
from hoopsnake._workers.journal import SupervisorJournal
from hoopsnake._workers.worker import Assignment
from hoopsnake._workers.worker_process import WorkerFailed, WorkerProcess

__all__ = ["Staff"]

# Seconds for which a worker that others replace keeps idle connections, so that no request that is
# on its way to it is lost.
_LINGER = 1.0
# Seconds beyond those that a worker's own order of stopping may take (ADR 0010): it cancels what is
# left, and ends the lifespan with as much time again as the requests had. Who writes the
# application waits no longer than needed.
_MARGIN = 5.0
_DEVELOPERS_MARGIN = 1.0
# Seconds that workers get that are told to stop at once.
_AT_ONCE = 3.0
# Seconds of a start after which its user is told what it is at.
_LONG_START = 30.0


class Staff:
    """Starts workers that share the sockets, and knows all that have not ended."""

    def __init__(
        self,
        assignment: Assignment,
        sockets: ListenSockets,
        config: WorkerConfig,
        journal: SupervisorJournal,
    ) -> None:
        self.config = config
        self.journal = journal
        self.alive: set[WorkerProcess] = set()
        self._sockets = sockets
        self._descriptors = sockets.descriptors()
        self._ends = False
        self._assignment = replace(
            assignment, config=_on_descriptors(assignment.config, self._descriptors)
        )
        margin = _DEVELOPERS_MARGIN if config.reload else _MARGIN
        self._patience = 2 * assignment.config.graceful_timeout + margin
        self._path = list(sys.path)
        self._tasks: set[asyncio.Task[Any]] = set()

    async def start(self, number: int) -> WorkerProcess:
        """Start a worker; its `ready` tells what comes of it.

        Raises WorkerFailed if there is no process to be had, or no use for one any more.
        """
        name = f"Worker {number}"
        if self._ends:
            # What it would listen on is closed, and its number may be another file's.
            raise WorkerFailed(name, "was not started", "the server stops", 1)
        try:
            worker = await WorkerProcess.start(
                number, self._assignment, self._path, self._descriptors
            )
        except OSError as error:
            text = f"its process cannot be started: {error}"
            raise WorkerFailed(name, "was not started", text, 1) from error
        self.alive.add(worker)
        worker.ended.add_done_callback(lambda _: self.alive.discard(worker))
        self.spawn(self._watch(worker))
        return worker

    async def start_ready(self, number: int) -> WorkerProcess:
        """Start a worker and wait until it serves; raises WorkerFailed if it cannot."""
        worker = await self.start(number)
        try:
            await asyncio.shield(worker.ready)
        except asyncio.CancelledError:
            # Nobody needs it any more.
            worker.stop()
            self.spawn(self._gone(worker))
            raise
        return worker

    async def snapshots(self) -> list[tuple[str | None, Snapshot]]:
        """Ask the workers that serve for their metrics; each has the number of its place.

        While one takes over from another, it is the one that speaks.
        """
        latest: dict[int, WorkerProcess] = {}
        for worker in sorted(self.alive, key=lambda each: each.ready_at):
            if worker.served:
                latest[worker.number] = worker
        answers = await asyncio.gather(*(each.ask("metrics") for each in latest.values()))
        told = zip(latest, answers, strict=True)
        return sorted((str(number), answer) for number, answer in told if answer is not None)

    @property
    def serves(self) -> bool:
        """Whether there is a worker that accepts connections."""
        return any(worker.served and not worker.leaving.is_set() for worker in self.alive)

    def retire(self, worker: WorkerProcess) -> None:
        """Have a worker stop that others have replaced; nobody waits for it."""
        worker.stop(linger=_LINGER)
        self.spawn(self._gone(worker))

    def see_off(self, worker: WorkerProcess) -> None:
        """Wait for the end of a worker that stops by itself, and report one that is not good."""
        self.spawn(self._seen_off(worker))

    async def _seen_off(self, worker: WorkerProcess) -> None:
        await self._gone(worker)
        if not worker.ended_well:
            self.journal.gone(worker.name, worker.how_it_ended, worker.last_words)

    async def dismiss(self, worker: WorkerProcess) -> None:
        """Stop a worker that nobody has replaced yet, and wait until it has ended."""
        worker.stop()
        await self._gone(worker)

    async def end(self, stop: Stop) -> None:
        """Stop all, and wait until the last one has ended, or kill it.

        What was listened on is closed first: who comes now is refused, as nobody would answer.
        """
        self._ends = True
        self._sockets.close()
        for worker in self.alive:
            worker.stop(at_once=stop.at_once.is_set())
        if not stop.at_once.is_set():
            hurry = asyncio.ensure_future(stop.at_once.wait())
            await self._until_gone(self._patience, hurry)
            hurry.cancel()
        if stop.at_once.is_set() and self.alive:
            for worker in self.alive:
                worker.stop(at_once=True)
            await self._until_gone(_AT_ONCE)
        patience = _AT_ONCE if stop.at_once.is_set() else self._patience
        for worker in self.alive:
            self.journal.killed(worker.name, patience)
            worker.kill()
        await self._until_gone(None)
        for task in self._tasks:
            task.cancel()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside, for as long as the workers are needed."""
        task = self.begin(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Make a task of which nobody waits for the end; what it raises is logged."""
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(self._log_fault)
        return task

    def _log_fault(self, task: asyncio.Task[None]) -> None:
        fault = None if task.cancelled() else task.exception()
        if fault is not None:
            self.journal.fault(fault)

    async def _gone(self, worker: WorkerProcess) -> None:
        await asyncio.wait([worker.ended], timeout=self._patience)
        if not worker.ended.done():
            self.journal.killed(worker.name, self._patience)
            worker.kill()
            await asyncio.wait([worker.ended])

    async def _until_gone(
        self, patience: float | None, hurry: asyncio.Future[Any] | None = None
    ) -> None:
        """Wait until all workers have ended, `hurry` is done or `patience` seconds have passed."""
        all_ended = asyncio.gather(*(worker.ended for worker in self.alive))
        waits: set[asyncio.Future[Any]] = {all_ended} if hurry is None else {all_ended, hurry}
        await asyncio.wait(waits, timeout=patience, return_when=asyncio.FIRST_COMPLETED)

    async def _watch(self, worker: WorkerProcess) -> None:
        """Report a worker whose loop stands still; kill it only where the user says so."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.wait([worker.ready], timeout=_LONG_START)
        if not worker.ready.done():
            seconds = loop.time() - began
            self.journal.starts_slowly(worker.name, seconds, await worker.stacks())
            await asyncio.wait([worker.ready])
        reported_at: float | None = None
        while not worker.ended.done():
            limit = self.config.worker_silence if reported_at is None else self._stuck_after
            try:
                async with asyncio.timeout(
                    None if limit is None else max(limit - worker.silence, 0)
                ):
                    await worker.next_news()
            except TimeoutError:
                if reported_at is not None:
                    self.journal.killed_as_stuck(worker.name, worker.silence)
                    worker.kill()
                    return
                reported_at = loop.time() - worker.silence
                self.journal.silent(worker.name, worker.silence, await worker.stacks())
            else:
                if reported_at is not None and not worker.ended.done():
                    self.journal.heard_again(worker.name, worker.heard_at - reported_at)
                reported_at = None

    @property
    def _stuck_after(self) -> float | None:
        return self.config.worker_stuck_timeout


def _on_descriptors(config: ServerConfig, descriptors: list[int]) -> ServerConfig:
    """Have a server listen on sockets that it inherits; the rest is its supervisor's business."""
    nothing = ServerConfig()
    return replace(
        config,
        host=nothing.host,
        port=nothing.port,
        uds=None,
        bind=tuple(f"fd:{number}" for number in descriptors),
        admin=None,
        shutdown_delay=0.0,
    )
