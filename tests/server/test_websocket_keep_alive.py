"""Pings to silent WebSocket clients, and what becomes of those that do not answer."""

from __future__ import annotations

import asyncio

import pytest
from frames import CLOSE, PING, PONG, TEXT, frame, next_frame, opened
from served import Message, Receive, Scope, Send, served

import hoopsnake


class Echo:
    """Sends back what comes, and keeps how it ended."""

    def __init__(self) -> None:
        self.end: asyncio.Queue[Message] = asyncio.Queue()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] == "websocket.receive":
            await send({**event, "type": "websocket.send"})
        self.end.put_nowait(event)


async def test_a_client_that_answers_pings_stays() -> None:
    settings = {"ws_ping_interval": 0.02, "ws_ping_timeout": 5.0}
    async with served(Echo(), lifespan="off", **settings) as server:
        async with await server.connect() as wire:
            await opened(wire)
            for _ in range(5):
                ping = await next_frame(wire)
                assert ping.opcode == PING
                await wire.send(frame(PONG, ping.payload))
            await wire.send(frame(TEXT, b"still here"))
            while (answer := await next_frame(wire)).opcode == PING:
                pass
            assert answer.payload == b"still here"


async def test_a_client_that_does_not_is_given_up() -> None:
    echo = Echo()
    settings = {"ws_ping_interval": 0.02, "ws_ping_timeout": 0.05}
    async with served(echo, lifespan="off", **settings) as server:
        async with await server.connect() as wire:
            await opened(wire)
            assert (await next_frame(wire)).opcode == PING
            answer = await next_frame(wire)
            assert answer.opcode == CLOSE and answer.close == (1011, "no answer to a ping")
            assert await echo.end.get() == {
                "type": "websocket.disconnect",
                "code": 1006,
                "reason": "no answer to a ping",
            }
            wire.leave()


@pytest.mark.parametrize("interval", [None, 1000.0])
async def test_no_ping_is_sent_before_its_time(interval: float | None) -> None:
    async with served(Echo(), lifespan="off", ws_ping_interval=interval) as server:
        async with await server.connect() as wire:
            await opened(wire)
            for _ in range(100):
                await wire.send(frame(TEXT, b"x"))
                assert (await next_frame(wire)).opcode == TEXT


@pytest.mark.parametrize("name", ["ws_ping_interval", "ws_ping_timeout", "ws_max_size"])
def test_a_setting_that_cannot_be_meant_is_refused(name: str) -> None:
    with pytest.raises(hoopsnake.ServerError, match=name):
        hoopsnake.ServerConfig(**{name: 0})
