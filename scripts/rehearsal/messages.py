"""WebSockets: small, large, packed, and many that are told the same."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import hoopsnake
from hoopsnake.web import App, EventChannel, Request, Response, Room, WebSocket
from scripts.rehearsal.amount import Amount, expect
from scripts.rehearsal.asgi_application import application
from scripts.rehearsal.serving import serving

CONNECTIONS = 12
MEMBERS = 40


async def run(amount: Amount) -> None:
    """Echoes of each kind, and a room."""
    for pinging in (20.0, None):
        async with serving(application, ws_ping_interval=pinging) as url:
            await echoes(amount, url, 2_500, "a few words, and then some", compression=False)
            await echoes(amount, url, 1_500, b"\x00\x01" * 90, compression=False)
            await echoes(amount, url, 250, b"large" * 7_000, compression=False)
            await echoes(amount, url, 600, '{"packed": "yes"}' * 12, compression=True)
    await told_to_all(amount)


async def echoes(
    amount: Amount, url: str, usual: int, message: str | bytes, **options: Any
) -> None:
    """Messages there and back over some connections."""
    address = "ws" + url.removeprefix("http")
    async with contextlib.AsyncExitStack() as stack:
        idle = [
            await stack.enter_async_context(hoopsnake.connect_websocket(address, **options))
            for _ in range(CONNECTIONS)
        ]

        async def once(_number: int) -> None:
            socket = idle.pop()
            await socket.send(message)
            expect(await socket.receive() == message, "another message")
            idle.append(socket)

        await amount.repeat(usual, once, at_once=CONNECTIONS)


def meeting_place() -> App:
    """An application with a room, and with events for those who only listen."""
    app = App()
    room, channel = Room("all"), EventChannel("all")

    @app.websocket("/room")
    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        async with room.member(socket):
            await socket.send_text("you are in")
            async for message in socket:
                await room.broadcast(message)

    @app.get("/listen")
    async def listen(request: Request) -> Response:
        return channel.response(request, first="you are in")

    @app.post("/tell")
    async def tell(request: Request) -> Response:
        await channel.publish((await request.body()).decode())
        return Response(status_code=204)

    return app


async def told_to_all(amount: Amount) -> None:
    """What one says, all hear."""
    async with (
        serving(meeting_place(), graceful_timeout=1) as url,
        contextlib.AsyncExitStack() as stack,
    ):
        address = f"ws{url.removeprefix('http')}/room"
        members = [
            await stack.enter_async_context(hoopsnake.connect_websocket(address, compression=False))
            for _ in range(MEMBERS)
        ]
        client = await stack.enter_async_context(hoopsnake.Client(base_url=url))
        listeners = [
            await stack.enter_async_context(client.events("/listen", reconnect=False))
            for _ in range(MEMBERS)
        ]
        for member in members:
            expect(await member.receive() == "you are in", "not let in")
        for listener in listeners:
            expect((await anext(listener)).data == "you are in", "not let in")
        for number in range(amount.of(40)):
            await members[number % MEMBERS].send(f"message {number}")
            heard = await asyncio.gather(*[member.receive() for member in members])
            expect(set(heard) == {f"message {number}"}, "not all heard the same")
            await client.post("/tell", content=f"event {number}")
            told = await asyncio.gather(*[anext(listener) for listener in listeners])
            expect({event.data for event in told} == {f"event {number}"}, "not all were told")
