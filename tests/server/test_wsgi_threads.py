"""The threads of a WSGI application: how many, how they wait, and how they end."""

from __future__ import annotations

import asyncio
import contextvars
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from wire import Wire
from wsgi_applications import TEXT, Environ, StartResponse, hello, served_in_threads

import hoopsnake
from hoopsnake._wsgi.thread_pool import ThreadPool, default_threads


async def test_requests_are_at_work_beside_each_other_in_threads() -> None:
    together = threading.Barrier(4)
    names: set[str] = set()

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        names.add(threading.current_thread().name)
        together.wait()
        return hello(environ, start_response)

    async with served_in_threads(app, wsgi_threads=4) as server:
        answers = await asyncio.gather(*(server.get(f"/{number}") for number in range(4)))
    assert [answer.body for answer in answers] == [b"/0", b"/1", b"/2", b"/3"]
    assert names == {"wsgi-1", "wsgi-2", "wsgi-3", "wsgi-4"}


async def test_there_are_no_more_threads_than_wanted_and_the_rest_waits() -> None:
    at_work = most = 0
    lock, proceed, full = threading.Lock(), threading.Event(), threading.Semaphore(0)

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        full.release()
        proceed.wait()
        with lock:
            at_work -= 1
        return hello(environ, start_response)

    async with served_in_threads(app, wsgi_threads=3) as server:
        asked = asyncio.gather(*(server.get(f"/{number}") for number in range(20)))
        for _ in range(3):
            await asyncio.to_thread(full.acquire)
        proceed.set()
        assert [answer.status for answer in await asked] == [200] * 20
    assert most == 3


async def test_the_loop_goes_on_while_threads_are_at_work() -> None:
    proceed = threading.Event()

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/slow":
            proceed.wait()
        return hello(environ, start_response)

    async with served_in_threads(app, wsgi_threads=2) as server:
        slow = asyncio.create_task(server.get("/slow"))
        for _ in range(10):
            assert (await server.get("/quick")).status == 200
        assert not slow.done()
        proceed.set()
        assert (await slow).body == b"/slow"


async def test_the_wait_for_a_thread_counts_as_time_of_the_application() -> None:
    proceed = threading.Event()
    asked: list[str] = []

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        asked.append(environ["PATH_INFO"])
        start_response("200 OK", TEXT)
        yield b"begun"
        proceed.wait()

    limits = hoopsnake.ServerLimits(response_timeout=2)
    async with served_in_threads(app, faulty=True, wsgi_threads=1, limits=limits) as server:
        async with await server.connect() as first:
            await first.get("/first")
            assert (await first.head()).status == 200
            assert (await server.get("/second")).status == 504
            await server.log.wait_for(r"GET /second.*: no response within")
            proceed.set()
            assert [chunk async for chunk in first.chunks()] == [b"begun"]
        assert (await server.get("/third")).status == 200
    # What was given up while it waited is not begun.
    assert asked == ["/first", "/third"]


async def test_a_context_is_the_requests_own() -> None:
    mark = contextvars.ContextVar("mark", default="unset")
    outside = contextvars.ContextVar[str]("outside")
    outside.set("of the server")
    seen: list[tuple[str, str]] = []

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        seen.append((mark.get(), outside.get()))
        mark.set("set")
        return hello(environ, start_response)

    async with served_in_threads(app, wsgi_threads=1) as server:
        await server.get()
        await server.get()
    assert seen == [("unset", "of the server")] * 2


async def test_a_stop_waits_for_requests_under_way() -> None:
    entered, proceed = threading.Event(), threading.Event()

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        entered.set()
        proceed.wait()
        return hello(environ, start_response)

    async with served_in_threads(app, graceful_timeout=20) as server:
        async with await server.connect() as wire:
            await wire.get("/late")
            await asyncio.to_thread(entered.wait)
            server.stop()
            await server.log.wait_for("Stopping: 1 open connections, 1 requests at work")
            proceed.set()
            assert (await wire.answer()).body == b"/late"
        await server.ended()
    assert not [each for each in threading.enumerate() if each.name.startswith("wsgi-")]


async def test_a_thread_that_does_not_end_is_told_of_with_its_stack() -> None:
    entered, proceed = threading.Event(), threading.Event()

    def deep_in_the_application() -> None:
        entered.set()
        proceed.wait()

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        deep_in_the_application()
        return hello(environ, start_response)

    async with served_in_threads(app, faulty=True, graceful_timeout=0.05) as server:
        async with await server.connect() as wire:
            await wire.get()
            await asyncio.to_thread(entered.wait)
            server.stop()
            assert (await wire.answer()).status == 503
        await server.ended()
        proceed.set()
        (fault,) = server.log.faults
    assert "the thread wsgi-1, which cannot be cancelled" in fault
    assert "deep_in_the_application" in fault


async def test_an_application_that_streams_is_stopped_where_it_sends() -> None:
    seen: list[BaseException] = []
    over = threading.Event()

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        try:
            while True:
                yield b"more"
        except GeneratorExit as closed:
            seen.append(closed)
            over.set()
            raise

    async with served_in_threads(app, graceful_timeout=0.05) as server:
        async with await server.connect() as wire:
            await wire.get()
            await wire.head()
            server.stop()
            await wire.rest()
        await server.ended()
        await asyncio.to_thread(over.wait)
    assert len(seen) == 1


async def test_many_clients_get_their_own_answers() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", TEXT)
        text = environ["PATH_INFO"].encode()
        kind = environ["QUERY_STRING"]
        return iter([text[:2], text[2:]]) if kind == "pieces" else [text]

    async def talk(server: Any, number: int) -> None:
        wire: Wire
        async with await server.connect() as wire:
            for turn in range(20):
                path = f"/{number}-{turn}-{'x' * chance.randrange(50)}"
                await wire.get(path + chance.choice(["", "?pieces"]))
                assert (await wire.answer()).body == path.encode()

    async with served_in_threads(app, wsgi_threads=5) as server:
        await asyncio.gather(*(talk(server, number) for number in range(40)))


def test_no_call_is_lost_and_the_threads_end() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    pool = ThreadPool(6, "pool")
    made: list[int] = []
    done = threading.Semaphore(0)

    def call(number: int, waits: bool) -> None:
        if waits:
            threading.Event().wait(0.0001)
        made.append(number)
        done.release()

    def bring(numbers: range, waits: list[bool]) -> None:
        for number, wait in zip(numbers, waits, strict=True):
            pool.submit(lambda number=number, wait=wait: call(number, wait))

    submitters = [
        threading.Thread(
            target=bring,
            args=(range(start, start + 500), [chance.random() < 0.1 for _ in range(500)]),
        )
        for start in range(0, 2000, 500)
    ]
    for thread in submitters:
        thread.start()
    for thread in submitters:
        thread.join()
    for _ in range(2000):
        assert done.acquire(timeout=20)
    assert sorted(made) == list(range(2000))
    assert 1 <= len(pool.threads) <= 6
    # Once idle it still works, one by one.
    for number in range(100):
        pool.submit(lambda number=number: call(number, False))
        assert done.acquire(timeout=20)
    pool.close()
    pool.join(20)
    assert pool.threads == []


class Interrupted(ThreadPool):
    """One whose submitter is held up where it has found no thread to wake."""

    meanwhile: Callable[[], None] | None = None

    def _grow(self) -> bool:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return super()._grow()


def test_a_thread_that_lies_down_beside_a_search_for_one_is_woken() -> None:
    pool = Interrupted(1, "pool")
    entered, proceed, second, third = (threading.Event() for _ in range(4))

    def first() -> None:
        entered.set()
        proceed.wait(20)

    def meanwhile() -> None:
        proceed.set()
        assert second.wait(20)
        deadline = time.monotonic() + 20
        while not pool._idle and time.monotonic() < deadline:
            time.sleep(0.001)
        assert pool._idle
        pool.submit(third.set)

    pool.submit(first)
    assert entered.wait(20)
    pool.meanwhile = meanwhile
    pool.submit(second.set)
    assert third.wait(20)
    pool.close()
    pool.join(20)


async def test_what_a_thread_raises_after_its_request_was_given_up_is_logged() -> None:
    entered, proceed = threading.Event(), threading.Event()

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        entered.set()
        proceed.wait(20)
        raise LookupError("found out too late")

    limits = hoopsnake.ServerLimits(response_timeout=2)
    async with served_in_threads(app, faulty=True, limits=limits) as server:
        assert (await server.get("/late")).status == 504
        assert entered.is_set()
        proceed.set()
        await server.log.wait_for("GET /late: exception in the application")
        assert "LookupError: found out too late" in server.log.text


def test_calls_that_come_together_do_not_wake_all_threads() -> None:
    pool = ThreadPool(8, "pool")
    names: set[str] = set()
    done = threading.Semaphore(0)

    def call() -> None:
        names.add(threading.current_thread().name)
        done.release()

    for _ in range(50):
        pool.submit(call)
        assert done.acquire(timeout=20)
    # Two as a rule; one more where a thread is held up between its work and its rest.
    assert len(names) <= 4
    pool.close()
    pool.join(20)


def test_calls_that_block_get_a_thread_each() -> None:
    pool = ThreadPool(8, "pool")
    together = threading.Barrier(8)
    for _ in range(16):
        pool.submit(lambda: together.wait(20) and None)
    pool.close()
    pool.join(20)
    assert pool.threads == []
    assert not together.broken


def test_what_was_submitted_is_still_done_after_the_close() -> None:
    pool = ThreadPool(1, "pool")
    entered, proceed, done = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        entered.set()
        proceed.wait(20)

    pool.submit(first)
    assert entered.wait(20)
    pool.submit(done.set)
    pool.close()
    proceed.set()
    assert done.wait(20)
    pool.join(20)


def test_a_system_that_gives_no_thread_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    pool = ThreadPool(2, "pool")
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            pool.submit(lambda: None)
    done = threading.Event()
    pool.submit(done.set)
    assert done.wait(20)
    pool.close()
    pool.join(20)


def test_there_are_more_threads_than_processors_but_not_many() -> None:
    assert 5 <= default_threads() <= 32
