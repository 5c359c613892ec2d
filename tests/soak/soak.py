"""Runs a seeded mix of everything on one loop for a while, and looks for what is left or was wrong.

    python tests/soak/soak.py --seconds 180 --seed 7

EVENT_LOOP_UNDER_TEST=asyncio in the environment runs it on CPython's own loop.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import faulthandler
import gc
import logging
import random
import secrets
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import leftovers
from acts import ACTS, Act
from loop_under_soak import ON_REFERENCE, is_known_of_reference, new_loop
from peers import Peers
from stage import Stage

import hoopsnake

WORKERS = 40
FEEDING_THREADS = 2
# An act takes milliseconds; one that waits for what never comes ends the soak.
LONGEST_ACT_SECONDS = 30
SHORTEST_ROUND_SECONDS = 0.5
MOST_ROUNDS = 20
OPENSSL_REQUEST = (
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
    "-subj /CN=localhost -addext subjectAltName=DNS:localhost"
)


class Complaints:
    """Everything that was wrong, from wherever it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def add(self, title: str, error: BaseException | None = None) -> None:
        """Note a complaint, with the traceback of what caused it."""
        trace = "" if error is None else "\n" + "".join(traceback.format_exception(error)).rstrip()
        self.said.append(title + trace)

    def from_handler(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """The loop's exception handler: nothing is expected here."""
        if is_known_of_reference(context):
            return
        rest = {name: value for name, value in context.items() if name != "exception"}
        self.add(f"the exception handler was told {rest!r}", context.get("exception"))

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Hear of warnings, and of what nobody could catch."""
        unraisable, in_thread = sys.unraisablehook, threading.excepthook
        sys.unraisablehook = lambda told: self.add(
            f"{told.err_msg or 'nobody could catch'} {told.object!r}", told.exc_value
        )
        threading.excepthook = lambda told: self.add("a thread failed", told.exc_value)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", ResourceWarning)
                yield
        finally:
            sys.unraisablehook, threading.excepthook = unraisable, in_thread


class Feeder:
    """Threads that schedule callbacks: all arrive, in each thread's order."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seed: int, complaints: Complaints) -> None:
        self._loop, self._complaints = loop, complaints
        self._stop = threading.Event()
        self._sent = [0] * FEEDING_THREADS
        self._arrived = [0] * FEEDING_THREADS
        self._threads = [
            threading.Thread(target=self._feed, args=(index, random.Random(f"{seed}/feed/{index}")))
            for index in range(FEEDING_THREADS)
        ]
        for thread in self._threads:
            thread.start()

    def _feed(self, index: int, draw: random.Random) -> None:
        while not self._stop.wait(draw.random() * 0.01):
            for _ in range(draw.randint(1, 30)):
                self._loop.call_soon_threadsafe(self._arrive, index, self._sent[index])
                self._sent[index] += 1

    def _arrive(self, index: int, number: int) -> None:
        if number != self._arrived[index]:
            self._complaints.add(
                f"call {number} of thread {index} came instead of {self._arrived[index]}"
            )
        self._arrived[index] = number + 1

    async def stop(self) -> None:
        """Stop the threads, and count."""
        self._stop.set()
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        await asyncio.sleep(0.01)
        if self._arrived != self._sent:
            self._complaints.add(f"of {self._sent} calls from threads {self._arrived} arrived")


class Soak:
    """One run."""

    def __init__(self, seed: int, seconds: float, complaints: Complaints) -> None:
        self.seed, self.seconds, self.complaints = seed, seconds, complaints
        self.counts: Counter[str] = Counter()
        self.memory: list[leftovers.Memory] = []

    async def run(self, peers: Peers) -> None:
        """All rounds, with a moment of rest and a look at the memory after each."""
        asyncio.get_running_loop().set_exception_handler(self.complaints.from_handler)
        rounds = max(4, min(MOST_ROUNDS, int(self.seconds / SHORTEST_ROUND_SECONDS)))
        feeder = Feeder(asyncio.get_running_loop(), self.seed, self.complaints)
        async with peers.listening():
            stage = Stage(self.seed, peers)
            for number in range(rounds):
                ending = time.monotonic() + self.seconds / rounds
                workers = [self._work(stage, number, index, ending) for index in range(WORKERS)]
                await asyncio.gather(*workers)
                if peers.handlers:
                    await asyncio.wait(peers.handlers, timeout=LONGEST_ACT_SECONDS)
                for failure in peers.failures:
                    self.complaints.add("a server's end failed", failure)
                peers.failures.clear()
                if self.complaints.said:
                    break
                self.memory.append(leftovers.memory_at_rest())
        await feeder.stop()
        if not self.complaints.said:
            await self._look_for_leftovers(peers)

    async def _work(self, stage: Stage, number: int, index: int, ending: float) -> None:
        draw = random.Random(f"{self.seed}/worker/{number}/{index}")
        acts, weights = list(ACTS), list(ACTS.values())
        while time.monotonic() < ending and not self.complaints.said:
            act: Act = draw.choices(acts, weights)[0]
            try:
                async with asyncio.timeout(LONGEST_ACT_SECONDS):
                    await act(stage, draw)
            except BaseException as error:
                self.complaints.add(f"{act.__name__} failed (round {number})", error)
                return
            self.counts[act.__name__] += 1

    async def _look_for_leftovers(self, peers: Peers) -> None:
        # Transports tell their protocols of the end in a later turn.
        for _ in range(10):
            await asyncio.sleep(0.01)
        gc.collect()
        said = [*leftovers.tasks_left(), *leftovers.objects_left(peers.census.alive())]
        loop = asyncio.get_running_loop()
        if isinstance(loop, hoopsnake.EventLoop):
            stats = loop.stats()
            if stats.transports:
                said.append(f"the loop counts {stats.transports} open transports")
        for each in [*said, *leftovers.growth(self.memory)]:
            self.complaints.add(each)


def contexts(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a new certificate, and a client's that trusts it."""
    chain, key = str(folder / "chain.pem"), str(folder / "key.pem")
    subprocess.run(
        ["openssl", *OPENSSL_REQUEST.split(), "-keyout", key, "-out", chain],
        check=True,
        capture_output=True,
        timeout=30,
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(chain, key)
    return server, ssl.create_default_context(cafile=chain)


def soak(seed: int, seconds: float) -> Complaints:
    """Run once, and say on standard output what was done."""
    complaints = Complaints()
    with tempfile.TemporaryDirectory(prefix="soak-") as name, complaints.listening():
        peers = Peers(seed, Path(name), *contexts(Path(name)))
        open_before, threads_before = leftovers.descriptors(), set(threading.enumerate())
        run = Soak(seed, seconds, complaints)
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(run.run(peers))
        gc.collect()
        for each in (
            *leftovers.new_descriptors(open_before),
            *leftovers.threads_left(threads_before),
            *leftovers.children_left(),
        ):
            complaints.add(each)
    done = ", ".join(f"{count} {name}" for name, count in run.counts.most_common())
    print(f"{peers.census.connections} connections' ends; {done or 'nothing'}")
    for number, memory in enumerate(run.memory, start=1):
        print(f"after round {number}: {memory}")
    return complaints


def main() -> int:
    """Read the command line and soak; 1 if something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**9))
    arguments = parser.parse_args()
    # Writing to a connection that the other end has left is what half of the acts do.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    faulthandler.dump_traceback_later(arguments.seconds * 2 + 120, exit=True)
    loop = "asyncio's own loop" if ON_REFERENCE else "hoopsnake"
    print(f"seed {arguments.seed}, {arguments.seconds:g} s, on {loop}", flush=True)
    complaints = soak(arguments.seed, arguments.seconds)
    for each in complaints.said:
        print(f"\nWRONG: {each}", file=sys.stderr)
    if not complaints.said:
        print("nothing was wrong and nothing is left")
        return 0
    print(
        f"\n{len(complaints.said)} complaints; again with: "
        f"make soak SOAK_SEED={arguments.seed} SOAK_SECONDS={arguments.seconds:g}",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
