"""Small programs end alike on asyncio's own loop and on ours."""

from __future__ import annotations

import asyncio
import contextvars
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import hoopsnake

Program = Callable[[], Awaitable[Any]]
PROGRAMS: list[Program] = []


def program(function: Program) -> Program:
    PROGRAMS.append(function)
    return function


def outcome(factory: Callable[[], asyncio.AbstractEventLoop], program: Program) -> Any:
    """What a program returned or raised, and what it left to the exception handler."""
    reported: list[tuple[str, str]] = []

    async def main() -> Any:
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: reported.append(
                (context["message"].split(" at ")[0], repr(context.get("exception")))
            )
        )
        return await asyncio.wait_for(program(), 10)  # type: ignore[arg-type]

    with asyncio.Runner(loop_factory=factory) as runner:
        try:
            result = runner.run(main())
        except Exception as error:
            result = (type(error), str(error))
    return result, reported


@program
async def order_of_callbacks_timers_and_tasks() -> list[str]:
    loop, seen = asyncio.get_running_loop(), []

    async def task(name: str) -> None:
        seen.append(f"{name} begins")
        await asyncio.sleep(0)
        seen.append(f"{name} ends")

    loop.call_later(0, seen.append, "timer")
    loop.call_soon(seen.append, "soon")
    first = asyncio.ensure_future(task("first"))
    loop.call_soon(lambda: loop.call_soon(seen.append, "nested"))
    second = asyncio.ensure_future(task("second"))
    first.add_done_callback(lambda _: seen.append("first done"))
    await asyncio.gather(first, second)
    await asyncio.sleep(0.001)
    return seen


@program
async def order_of_futures_and_locks() -> list[int]:
    lock, seen = asyncio.Lock(), []

    async def take(number: int) -> None:
        async with lock:
            seen.append(number)
            await asyncio.sleep(0)

    await asyncio.gather(*(take(number) for number in range(10)))
    return seen


@program
async def producers_and_consumers() -> list[int]:
    queue: asyncio.Queue[int | None] = asyncio.Queue(2)
    seen = []

    async def produce() -> None:
        for number in range(20):
            await queue.put(number)
        await queue.put(None)

    producing = asyncio.ensure_future(produce())
    while (number := await queue.get()) is not None:
        seen.append(number)
    await producing
    return seen


@program
async def cancellation_of_a_nest() -> list[str]:
    seen = []

    async def inner() -> None:
        try:
            await asyncio.sleep(10)
        finally:
            seen.append("inner")

    async def outer() -> None:
        try:
            await asyncio.gather(inner(), inner())
        except asyncio.CancelledError:
            seen.append("outer")
            raise

    task = asyncio.ensure_future(outer())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        seen.append("main")
    return seen


@program
async def failures_in_callbacks() -> str:
    loop = asyncio.get_running_loop()

    def fail(reason: str) -> None:
        raise LookupError(reason)

    loop.call_soon(fail, "soon")
    loop.call_later(0, fail, "later")
    loop.call_soon_threadsafe(fail, "threadsafe")
    await asyncio.sleep(0.002)
    return "went on"


@program
async def failure_of_main() -> None:
    await asyncio.sleep(0)
    raise ValueError("of main")


@program
async def failure_in_a_group() -> list[str]:
    async def fail() -> None:
        raise KeyError("in the group")

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            group.create_task(asyncio.sleep(10))
    except ExceptionGroup as failures:
        return [repr(failure) for failure in failures.exceptions]
    return []


@program
async def contexts_of_tasks_and_callbacks() -> list[int]:
    variable = contextvars.ContextVar("variable", default=0)
    loop, seen = asyncio.get_running_loop(), []

    async def task(number: int) -> None:
        variable.set(number)
        await asyncio.sleep(0)
        loop.call_soon(lambda: seen.append(variable.get()))
        await asyncio.sleep(0)

    await asyncio.gather(*(task(number) for number in range(5)))
    seen.append(variable.get())
    return seen


@program
async def conversation_over_tcp() -> list[bytes]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for line in reader:
            writer.write(line[::-1])
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.writelines([b"one\n", b"two\n"])
    writer.write_eof()
    answers = [await reader.read(-1)]
    writer.close()
    await writer.wait_closed()
    server.close()
    return answers


@program
async def calls_of_a_protocol() -> list[Any]:
    calls: list[Any] = []
    done = asyncio.get_running_loop().create_future()

    class Noting(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            calls.append("made")
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            calls.append(data)

        def eof_received(self) -> None:
            calls.append("end")

        def connection_lost(self, error: Exception | None) -> None:
            calls.append(("lost", error))
            done.set_result(None)

    left, right = socket.socketpair()
    left.sendall(b"data")
    transport, _ = await asyncio.get_running_loop().create_connection(Noting, sock=right)
    calls.append("connected")
    left.close()
    await done
    calls.append(transport.is_closing())
    return calls


@program
async def errors_of_wrong_calls() -> list[str]:
    loop, seen = asyncio.get_running_loop(), []
    coroutine = asyncio.sleep(0)
    for call in (
        lambda: loop.call_later(None, print),  # type: ignore[arg-type]
        lambda: loop.call_at(None, print),  # type: ignore[arg-type]
        lambda: loop.set_task_factory(1),  # type: ignore[arg-type]
        lambda: loop.set_exception_handler(1),  # type: ignore[arg-type]
        lambda: loop.run_until_complete(coroutine),
        lambda: loop.close(),
        lambda: loop.add_reader("name", print),
        lambda: loop.create_task(1),  # type: ignore[arg-type]
        lambda: loop.call_exception_handler({"message": "mine"}),
    ):
        try:
            call()
            seen.append("fine")
        except Exception as error:
            seen.append(repr(error))
    coroutine.close()
    return seen


@program
async def generators_left_half_way() -> list[str]:
    seen: list[str] = []

    async def count() -> Any:
        try:
            for number in range(10):
                yield number
        finally:
            await asyncio.sleep(0)
            seen.append("closed")

    generator = count()
    await anext(generator)
    await asyncio.get_running_loop().shutdown_asyncgens()
    return seen


@program
async def work_in_threads() -> list[int]:
    return await asyncio.gather(*(asyncio.to_thread(pow, number, 2) for number in range(20)))


@program
async def a_shell_command() -> tuple[bytes, int | None]:
    process = await asyncio.create_subprocess_shell(
        "cat; exit 3", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate(b"through")
    return out, process.returncode


@program
async def a_timeout_that_strikes_and_one_that_does_not() -> list[str]:
    seen = []
    for delay, limit in ((10, 0.001), (0, 10)):
        try:
            async with asyncio.timeout(limit):
                await asyncio.sleep(delay)
            seen.append("in time")
        except TimeoutError:
            seen.append("too late")
    return seen


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_a_program_ends_alike_on_both_loops(program: Program) -> None:
    expected = outcome(asyncio.SelectorEventLoop, program)
    assert outcome(hoopsnake.new_event_loop, program) == expected


@pytest.mark.parametrize("debug", [False, True])
def test_the_order_stays_the_same_in_debug_mode(debug: bool) -> None:
    def debugging() -> asyncio.AbstractEventLoop:
        loop = hoopsnake.new_event_loop()
        loop.set_debug(debug)
        return loop

    for program in PROGRAMS[:4]:
        assert outcome(debugging, program) == outcome(asyncio.SelectorEventLoop, program)
