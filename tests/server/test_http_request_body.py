"""A request's body as the application receives it: framing, waiting, giving up waiting."""

from __future__ import annotations

import asyncio

import pytest
from applications import body, echo, hello, read_all, start
from served import Message, Receive, Scope, Send, served
from wire import request


async def test_a_request_without_a_body_is_one_empty_event() -> None:
    events: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        events.append(await receive())
        await hello(scope, receive, send)

    async with served(app, lifespan="off") as server:
        assert (await server.get()).status == 200
    assert events == [{"type": "http.request", "body": b"", "more_body": False}]
    assert type(events[0]["body"]) is bytes


async def test_a_body_arrives_as_it_is_sent() -> None:
    arrived: asyncio.Queue[Message] = asyncio.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while True:
            event = await receive()
            arrived.put_nowait(event)
            if not event["more_body"]:
                break
        await hello(scope, receive, send)

    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(request("POST / HTTP/1.1", "Content-Length: 6"))
            for piece, more in ((b"one", True), (b"two", False)):
                await wire.send(piece)
                event = await arrived.get()
                assert event == {"type": "http.request", "body": piece, "more_body": more}
            assert (await wire.answer()).status == 200


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"3\r\nabc\r\n0\r\n\r\n", b"abc"),
        (b"3\r\nabc\r\n00A\r\n0123456789\r\n0\r\n\r\n", b"abc0123456789"),
        (b"0\r\n\r\n", b""),
        (b'3;name="value"\r\nabc\r\n0\r\n\r\n', b"abc"),
        (b"3\r\nabc\r\n0\r\nX-Trailer: unseen\r\n\r\n", b"abc"),
    ],
    ids=["one", "two", "none", "extension", "trailer"],
)
async def test_chunks_are_put_together(raw: bytes, expected: bytes) -> None:
    async with served(echo, lifespan="off") as server:
        async with await server.connect() as wire:
            head = request("POST / HTTP/1.1", "Transfer-Encoding: chunked")
            await wire.send(head + raw + request("GET / HTTP/1.1"))
            assert (await wire.answer()).body == expected
            assert (await wire.answer()).body == b"", "the next request begins where it should"


async def test_chunks_may_arrive_byte_by_byte() -> None:
    raw = request("POST / HTTP/1.1", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n"
    async with served(echo, lifespan="off") as server:
        async with await server.connect() as wire:
            for index in range(len(raw)):
                await wire.send(raw[index : index + 1])
            assert (await wire.answer()).body == b"abc"


async def test_a_client_that_expects_to_be_asked_is_asked_when_the_body_is_wanted() -> None:
    wanted = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await wanted.wait()
        await echo(scope, receive, send)

    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(request("PUT / HTTP/1.1", "Expect: 100-continue", "Content-Length: 3"))
            asked = asyncio.create_task(wire.head())
            async with await server.connect() as other:
                wanted.clear()
                await other.get()
            assert not asked.done()
            wanted.set()
            assert (await asked).status == 100
            await wire.send(b"yes")
            assert (await wire.answer()).body == b"yes"


async def test_a_body_that_nobody_wants_is_not_asked_for() -> None:
    async with served(hello, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(request("PUT / HTTP/1.1", "Expect: 100-continue", "Content-Length: 3"))
            assert (await wire.answer()).status == 200


@pytest.mark.parametrize("framing", ["content-length", "chunked"])
async def test_who_expects_to_be_asked_is_not_asked_in_the_middle_of_the_response(
    framing: str,
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(200, [(b"content-length", b"10")] if framing == "content-length" else []))
        await send(body(b"hello", True))
        event = await receive()
        await send(body(event["body"]))

    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(request("PUT / HTTP/1.1", "Expect: 100-continue", "Content-Length: 5"))
            answer = await wire.head()
            assert answer.one("connection") == "close", "what it sends on may be a body or not"
            # It does without being asked (RFC 9110 section 10.1.1).
            await wire.send(b"world")
            rest = await wire.rest()
    chunks = b"5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n"
    assert rest == (b"helloworld" if framing == "content-length" else chunks)


async def test_an_unread_body_is_not_taken_for_a_request() -> None:
    smuggled = request("GET /smuggled HTTP/1.1")
    async with served(hello, lifespan="off") as server:
        async with await server.connect() as wire:
            length = f"Content-Length: {len(smuggled)}"
            await wire.send(request("POST /1 HTTP/1.1", length, body=smuggled))
            assert (await wire.answer()).body == b"/1"
            # Whether the connection stays is the server's choice; where a request begins is not.
            await wire.send(request("GET /2 HTTP/1.1", "Connection: close"))
            rest = await wire.rest()
    assert rest == b"" or rest.endswith(b"/2")
    assert b"smuggled" not in rest


async def test_an_answer_may_come_before_the_body() -> None:
    async with served(hello, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(request("POST / HTTP/1.1", "Content-Length: 1000000"))
            assert (await wire.answer()).body == b"/"


async def test_body_and_answer_may_flow_at_the_same_time() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        more = True
        while more:
            event = await receive()
            more = event["more_body"]
            await send(body(event["body"].upper(), more))

    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(request("POST / HTTP/1.1", "Transfer-Encoding: chunked"))
            await wire.send(b"1\r\na\r\n")
            assert (await wire.head()).status == 200
            chunks = wire.chunks()
            assert await anext(chunks) == b"A"
            await wire.send(b"1\r\nb\r\n")
            assert await anext(chunks) == b"B"
            await wire.send(b"0\r\n\r\n")
            assert [chunk async for chunk in chunks] == []


async def test_giving_up_waiting_loses_nothing() -> None:
    gave_up = asyncio.Event()
    given_up = 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal given_up

        async def patiently() -> Message:
            nonlocal given_up
            while True:
                try:
                    return await asyncio.wait_for(receive(), 0.002)
                except TimeoutError:
                    given_up += 1
                    gave_up.set()

        await echo(scope, patiently, send)

    sent = bytearray()
    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(request("POST / HTTP/1.1", "Content-Length: 2560"))
            for number in range(10):
                gave_up.clear()
                await gave_up.wait()
                piece = bytes([number]) * 256
                sent += piece
                await wire.send(piece)
            assert (await wire.answer()).body == sent
    assert given_up >= 10


@pytest.mark.parametrize("turns", range(0, 24, 2))
async def test_a_receive_cancelled_at_any_moment_loses_nothing(turns: int) -> None:
    sent = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        first = asyncio.ensure_future(receive())
        await sent.wait()
        for _ in range(turns):
            await asyncio.sleep(0)
        first.cancel()
        (outcome,) = await asyncio.gather(first, return_exceptions=True)
        data = b"" if isinstance(outcome, BaseException) else outcome["body"]
        while len(data) < 3:
            data += (await receive())["body"]
        await send(start())
        await send(body(data))

    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(request("POST / HTTP/1.1", "Content-Length: 3"))
            await wire.send(b"abc")
            sent.set()
            assert (await wire.answer()).body == b"abc"


async def test_receive_and_send_make_tasks() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        event = await asyncio.create_task(receive())
        await asyncio.create_task(send(start()))
        async with asyncio.TaskGroup() as group:
            group.create_task(send(body(event["body"])))

    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(request("POST / HTTP/1.1", "Content-Length: 3", body=b"abc"))
            assert (await wire.answer()).body == b"abc"


async def test_two_receives_may_wait_at_once() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        both = [asyncio.ensure_future(receive()) for _ in range(2)]
        await asyncio.sleep(0)
        await send(start())
        await send(body(b"go on", True))
        events = await asyncio.gather(*both)
        await send(body(b"".join(sorted(event["body"] for event in events))))

    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(request("POST / HTTP/1.1", "Transfer-Encoding: chunked"))
            await wire.head()
            chunks = wire.chunks()
            assert await anext(chunks) == b"go on"
            await wire.send(b"1\r\na\r\n")
            await wire.send(b"1\r\nb\r\n")
            assert [chunk async for chunk in chunks] == [b"ab"]
            await wire.send(b"0\r\n\r\n")


async def test_a_large_body_arrives_whole() -> None:
    data = bytes(range(256)) * 40_000

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert await read_all(receive) == data
        await hello(scope, receive, send)

    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(request("POST / HTTP/1.1", f"Content-Length: {len(data)}", body=data))
            assert (await wire.answer()).status == 200
