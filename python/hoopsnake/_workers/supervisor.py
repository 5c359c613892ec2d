"""The supervisor: it listens, and keeps N worker processes that serve."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, cast

from hoopsnake._event_loop import EventLoop
from hoopsnake._service_manager import ServiceManager
from hoopsnake._stop import Stop
from hoopsnake._workers.place import Place
from hoopsnake._workers.staff import Staff
from hoopsnake._workers.worker_process import WorkerFailed, WorkerProcess

__all__ = ["Supervisor"]


class Supervisor:
    """Keeps workers until a signal ends it.

    SIGINT and SIGTERM stop, a second one at once; SIGHUP reloads; SIGTTIN and SIGTTOU ask for one
    worker more or fewer.
    """

    def __init__(
        self, staff: Staff, addresses: Sequence[str], stop: Stop, shutdown_delay: float = 0.0
    ) -> None:
        self._staff = staff
        self._journal = staff.journal
        self._addresses = addresses
        self._manager = ServiceManager()
        self.stop = stop
        self._shutdown_delay = shutdown_delay
        self._turn = asyncio.Lock()
        self._places: list[Place] = []
        self._serves = False
        self._reload_waits = False

    async def run(self) -> int:
        """Serve until a stop is asked for; return the exit status."""
        loop = cast(EventLoop, asyncio.get_running_loop())
        with self.stop.on_signals(loop), self._on_signals(loop):
            try:
                failure = await self._start()
                if failure is not None:
                    print(failure, file=sys.stderr)
                    return failure.status
                if not self.stop.asked.is_set():
                    self._journal.serving(self._addresses, len(self._places))
                    self._manager.ready()
                    self._serves = True
                    await self.stop.asked.wait()
                    await self._linger()
            finally:
                await self._end()
        return 0

    async def _linger(self) -> None:
        """Serve on, for those who have to notice that there will be nobody soon."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._shutdown_delay):
                await self.stop.at_once.wait()

    async def ask(self, question: str) -> list[Any]:
        """Ask all workers that serve; return the answers of those that have one."""
        asked = [worker for worker in self._staff.alive if worker.served]
        answers = await asyncio.gather(*(worker.ask(question) for worker in asked))
        return [each for each in answers if each is not None]

    async def _start(self) -> WorkerFailed | None:
        """Start the first workers; return why there are none, if all of them fail.

        If some serve, those that failed are tried again like any worker that ends.
        """
        numbers = range(1, (self._staff.config.workers or 1) + 1)
        outcomes = await self._start_all(numbers)
        if self.stop.asked.is_set():
            return None
        failures = [each for each in outcomes if isinstance(each, WorkerFailed)]
        if len(failures) == len(numbers):
            return failures[0]
        for number, outcome in zip(numbers, outcomes, strict=True):
            place = Place(number, self._staff, self._turn, self.stop)
            self._places.append(place)
            if isinstance(outcome, WorkerFailed):
                self._journal.ended(f"Worker {number}", outcome.how, str(outcome), 0.0)
                place.missed()
                place.take(None)
            else:
                place.take(outcome)
        return None

    async def _start_all(self, numbers: Sequence[int]) -> list[WorkerProcess | WorkerFailed]:
        """Start a worker for each number, and wait until it serves or fails, or for a stop."""
        starting = [asyncio.ensure_future(self._outcome(number)) for number in numbers]
        all_settled = asyncio.gather(*starting)
        asked = asyncio.ensure_future(self.stop.asked.wait())
        try:
            await asyncio.wait((all_settled, asked), return_when=asyncio.FIRST_COMPLETED)
            return all_settled.result() if all_settled.done() else []
        finally:
            asked.cancel()
            if not all_settled.done():
                all_settled.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await all_settled

    async def _outcome(self, number: int) -> WorkerProcess | WorkerFailed:
        try:
            return await self._staff.start_ready(number)
        except WorkerFailed as failure:
            return failure

    async def _end(self) -> None:
        self.stop.asked.set()
        self._manager.stopping()
        for place in self._places:
            place.forget()
        if self._staff.alive:
            self._journal.stopping(len(self._staff.alive))
        await self._staff.end(self.stop)
        self._manager.close()
        if self._places:
            self._journal.stopped()

    @contextlib.contextmanager
    def _on_signals(self, loop: EventLoop) -> Iterator[None]:
        # From the first to the last moment: each of them would end or halt a process that does not
        # handle it.
        handled: dict[signal.Signals, Callable[[], Coroutine[Any, Any, None]]] = {
            signal.SIGHUP: self._reload,
            signal.SIGTTIN: self._grow,
            signal.SIGTTOU: self._shrink,
        }
        for number, respond in handled.items():
            loop.add_signal_handler(number, self._respond, number, respond)
        try:
            yield
        finally:
            for number in handled:
                loop.remove_signal_handler(number)

    def _respond(
        self, number: signal.Signals, respond: Callable[[], Coroutine[Any, Any, None]]
    ) -> None:
        if self.stop.asked.is_set():
            self._journal.ignored(number.name, "the server stops")
        elif not self._serves:
            self._journal.ignored(number.name, "the first workers are still starting")
        elif number == signal.SIGHUP and self._reload_waits:
            self._journal.ignored(number.name, "a reload is to begin already")
        else:
            self._reload_waits = self._reload_waits or number == signal.SIGHUP
            self._staff.spawn(respond())

    async def _reload(self) -> None:
        """Start a new generation; once all of it serves, the old one retires."""
        async with self._turn:
            self._reload_waits = False
            if self.stop.asked.is_set():
                return
            places = list(self._places)
            self._manager.reloading()
            self._journal.reloading(len(places))
            outcomes = await self._start_all([place.number for place in places])
            failures = [each for each in outcomes if isinstance(each, WorkerFailed)]
            if self.stop.asked.is_set():
                return
            if failures:
                for each in outcomes:
                    if isinstance(each, WorkerProcess):
                        self._staff.retire(each)
                self._journal.not_reloaded(str(failures[0]))
            else:
                for place, each in zip(places, outcomes, strict=True):
                    place.take(each if isinstance(each, WorkerProcess) else None)
                self._journal.reloaded(len(places))
            self._manager.ready()

    async def _grow(self) -> None:
        async with self._turn:
            if self.stop.asked.is_set():
                return
            place = Place(len(self._places) + 1, self._staff, self._turn, self.stop)
            self._places.append(place)
            self._journal.resized(len(self._places))
            place.take(None)

    async def _shrink(self) -> None:
        async with self._turn:
            if len(self._places) > 1 and not self.stop.asked.is_set():
                self._places.pop().give_up()
                self._journal.resized(len(self._places))
