"""What the WebSocket client says, hears, and keeps, with servers that keep to the rules."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp.web
import pytest
import websockets.asyncio.server
from certificate_authority import Authority
from served import Message, Receive, Scope, Send, served
from websocket_servers import Peer, echo, rude, websockets_server

import hoopsnake

AUTHORITY = Authority()


class Echo:
    """An application of ours that sends back what it receives, and remembers the handshake."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []
        self.codes: list[int] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            return
        self.scopes.append(scope)
        assert (await receive())["type"] == "websocket.connect"
        wanted = scope["subprotocols"]
        await send({"type": "websocket.accept", "subprotocol": wanted[-1] if wanted else None})
        while True:
            message: Message = await receive()
            if message["type"] == "websocket.disconnect":
                self.codes.append(message["code"])
                return
            if message.get("text") == "leave":
                await send({"type": "websocket.close", "code": 3456, "reason": "as you say"})
            else:
                await send({**message, "type": "websocket.send"})


async def test_messages_come_back_as_they_were_sent() -> None:
    application = Echo()
    async with served(application) as server, hoopsnake.Client() as client:
        async with client.websocket(server.websocket_url) as socket:
            for message in ("", "hello", "Zoë €", b"", b"\0\xff", "x" * 70_000, b"y" * 3_000_000):
                await socket.send(message)
                assert await socket.receive() == message
            await socket.send(bytearray(b"array"))
            await socket.send(memoryview(b"view"))
            assert [await socket.receive(), await socket.receive()] == [b"array", b"view"]
            await socket.send_json({"a": [1, "ü"]})
            assert await socket.receive_json() == {"a": [1, "ü"]}
            assert socket.response.status_code == 101
            assert (socket.close_code, socket.closed_by, socket.is_closed) == (None, None, False)
        assert (socket.close_code, socket.closed_by, socket.is_closed) == (1000, "client", True)
    assert application.codes == [1000]


async def test_a_handshake_says_what_the_client_says() -> None:
    application = Echo()
    async with (
        served(application) as server,
        hoopsnake.Client(
            base_url=f"http://127.0.0.1:{server.port}",
            headers={"x-own": "1"},
            cookies={"crumb": "2"},
            auth=("user", "password"),
        ) as client,
    ):
        options: dict[str, Any] = {"params": {"q": 1}, "headers": {"origin": "http://here"}}
        async with client.websocket("/chat", subprotocols=["a", "b"], **options) as socket:
            assert socket.subprotocol == "b"
            await socket.send("hello")
            assert await socket.receive() == "hello"
    scope = application.scopes[0]
    assert (scope["path"], scope["query_string"]) == ("/chat", b"q=1")
    headers = dict(scope["headers"])
    assert headers[b"x-own"] == b"1"
    assert headers[b"cookie"] == b"crumb=2"
    assert headers[b"origin"] == b"http://here"
    assert headers[b"authorization"].startswith(b"Basic ")
    assert headers[b"sec-websocket-extensions"] == b"permessage-deflate; client_max_window_bits"


async def test_the_server_closes_and_says_why() -> None:
    async with served(Echo()) as server, hoopsnake.Client() as client:
        async with client.websocket(server.websocket_url) as socket:
            await socket.send("leave")
            with pytest.raises(hoopsnake.ConnectionClosedError, match="as you say") as caught:
                await socket.receive()
            error = caught.value
            assert (error.code, error.reason, error.closed_by) == (3456, "as you say", "server")
            assert error.request is not None
            assert isinstance(error, hoopsnake.TransportError)
            with pytest.raises(hoopsnake.ConnectionClosed):
                await socket.send("too late")
            with pytest.raises(hoopsnake.ConnectionClosed):
                await socket.ping()
            with pytest.raises(hoopsnake.ConnectionClosedError):
                async for _ in socket:
                    pass
        assert socket.close_code == 3456


async def test_an_iteration_ends_when_the_server_is_done() -> None:
    async def counts(socket: websockets.asyncio.server.ServerConnection) -> None:
        for number in range(200):
            await socket.send(str(number))

    async with websockets_server(counts) as url, hoopsnake.connect_websocket(url) as socket:
        assert [message async for message in socket] == [str(number) for number in range(200)]
        assert (socket.close_code, socket.closed_by) == (1000, "server")
        with pytest.raises(hoopsnake.ConnectionClosedOK):
            await socket.receive()


@pytest.mark.parametrize(
    "terms",
    [
        True,
        False,
        hoopsnake.Deflate(server_no_context_takeover=True, client_no_context_takeover=True),
        hoopsnake.Deflate(server_max_window_bits=10, client_max_window_bits=9),
    ],
)
async def test_compression_is_as_agreed(terms: bool | hoopsnake.Deflate) -> None:
    async with (
        websockets_server(echo) as url,
        hoopsnake.connect_websocket(url, compression=terms) as socket,
    ):
        has_extension = "sec-websocket-extensions" in socket.response.headers
        assert has_extension is bool(terms)
        for number in range(20):
            text = f"the same again and again {number} " * 50
            await socket.send(text)
            assert await socket.receive() == text


async def test_aiohttps_server_is_understood() -> None:
    async def handle(request: aiohttp.web.Request) -> aiohttp.web.WebSocketResponse:
        socket = aiohttp.web.WebSocketResponse(protocols=["chat"], compress=True)
        await socket.prepare(request)
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                await socket.send_str(message.data)
            else:
                await socket.send_bytes(message.data)
        return socket

    application = aiohttp.web.Application()
    application.router.add_get("/", handle)
    runner = aiohttp.web.AppRunner(application)
    await runner.setup()
    try:
        site = aiohttp.web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        url = f"ws://{host}:{port}/"
        async with hoopsnake.connect_websocket(url, subprotocols=["chat"]) as socket:
            assert socket.subprotocol == "chat"
            for message in ("hello " * 100, b"bytes " * 100_000):
                await socket.send(message)
                assert await socket.receive() == message
            assert await socket.ping() > 0
    finally:
        await runner.cleanup()


async def test_tls_is_the_clients_own_and_unix_sockets_serve(tmp_path: Path) -> None:
    certificate, authority = AUTHORITY.write(tmp_path), str(AUTHORITY.write_own(tmp_path))
    async with served(Echo(), ssl_certfile=str(certificate)) as server:
        url = f"wss://localhost:{server.port}/"
        async with hoopsnake.Client(verify=authority) as client:
            # One that shares a connection of HTTP/2 has to leave it out for a WebSocket.
            async with client.websocket(url) as socket:
                await socket.send("x" * 500_000)
                assert await socket.receive() == "x" * 500_000
        with pytest.raises(hoopsnake.ConnectError):
            async with hoopsnake.connect_websocket(url):
                pass
    path = str(tmp_path / "socket")
    async with (
        websockets.asyncio.server.unix_serve(echo, path),
        hoopsnake.connect_websocket("ws://anywhere/", uds=path) as socket,
    ):
        await socket.send("over a file")
        assert await socket.receive() == "over a file"


async def test_a_receive_that_is_cancelled_takes_nothing() -> None:
    go_on = asyncio.Event()

    async def later(socket: websockets.asyncio.server.ServerConnection) -> None:
        await go_on.wait()
        for number in range(3):
            await socket.send(str(number))

    async with websockets_server(later) as url, hoopsnake.connect_websocket(url) as socket:
        tasks = [asyncio.create_task(socket.receive()) for _ in range(5)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert all(task.cancelled() for task in tasks)
        go_on.set()
        # Cancelled in the moment in which the message is there.
        first = asyncio.create_task(socket.receive())
        while not first.done():
            await asyncio.sleep(0)
        assert first.result() == "0"
        assert [await socket.receive(), await socket.receive()] == ["1", "2"]


async def test_a_send_waits_for_a_slow_server_and_is_whole_or_not_at_all() -> None:
    go_on = asyncio.Event()
    received: list[str | bytes] = []

    async def slow(socket: websockets.asyncio.server.ServerConnection) -> None:
        await go_on.wait()
        async for message in socket:
            received.append(message)

    async with (
        websockets_server(slow, max_size=None, max_queue=1) as url,
        hoopsnake.connect_websocket(url, compression=False) as socket,
    ):
        sent: list[bytes] = []
        while True:
            message = len(sent).to_bytes(4, "big") * 50_000
            sending = asyncio.ensure_future(socket.send(message))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            if not sending.done():
                sending.cancel()
                break
            sent.append(message)
            assert len(sent) < 1000, "what is sent has to wait at last"
        with pytest.raises(asyncio.CancelledError):
            await sending
        waiting = asyncio.create_task(socket.send(b"the last"))
        go_on.set()
        await waiting
        await socket.close()
    assert received == [*sent, b"the last"]


async def test_a_program_that_does_not_read_holds_the_server_up_and_loses_nothing() -> None:
    sent = 0

    async def floods(socket: websockets.asyncio.server.ServerConnection) -> None:
        nonlocal sent
        for number in range(400):
            await socket.send(number.to_bytes(4, "big") * 25_000)
            sent += 1

    async with (
        websockets_server(floods, write_limit=1000, compression=None) as url,
        hoopsnake.connect_websocket(url) as socket,
    ):
        before = -1
        while sent > before:
            before = sent
            await asyncio.sleep(0.2)
        assert sent < 400, "the server has to wait"
        numbers = [message[:4] async for message in socket if isinstance(message, bytes)]
        assert numbers == [number.to_bytes(4, "big") for number in range(400)]


async def test_many_tasks_use_one_socket() -> None:
    async with websockets_server(echo) as url, hoopsnake.connect_websocket(url) as socket:

        async def say(name: int) -> None:
            for number in range(50):
                await socket.send(f"{name} {number}")

        async with asyncio.TaskGroup() as group:
            for name in range(10):
                group.create_task(say(name))
            reading = group.create_task(asyncio.wait_for(collect(socket, 500), 20), name="reading")
        got = reading.result()
    for name in range(10):
        own = [text for text in got if text.startswith(f"{name} ")]
        assert own == [f"{name} {number}" for number in range(50)]


async def collect(socket: hoopsnake.ClientWebSocket, count: int) -> list[str]:
    """Receive so many texts."""
    return [str(await socket.receive()) for _ in range(count)]


async def test_a_task_that_is_cancelled_inside_closes_in_order() -> None:
    codes: list[int | None] = []
    ended = asyncio.Event()

    async def watch(socket: websockets.asyncio.server.ServerConnection) -> None:
        await socket.wait_closed()
        codes.append(socket.close_code)
        ended.set()

    async def uses(url: str, inside: asyncio.Event) -> None:
        async with hoopsnake.connect_websocket(url) as socket:
            inside.set()
            await socket.receive()

    async with websockets_server(watch) as url:
        inside = asyncio.Event()
        task = asyncio.create_task(uses(url, inside))
        await inside.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await ended.wait()
        ended.clear()
        with pytest.raises(LookupError):
            async with hoopsnake.connect_websocket(url):
                raise LookupError
        await ended.wait()
        # A socket that is simply forgotten takes its connection with it.
        client = hoopsnake.Client()
        ended.clear()
        block = client.websocket(url)
        socket = await block.__aenter__()
        del socket, block
        await ended.wait()
        await client.aclose()
    assert codes == [1000, 1011, 1006] or codes == [1000, 1011, 1000]


async def test_pings_are_answered_while_nobody_receives() -> None:
    async def pings(socket: websockets.asyncio.server.ServerConnection) -> None:
        for _ in range(3):
            await (await socket.ping())
        await socket.send("all answered")

    async with websockets_server(pings) as url, hoopsnake.connect_websocket(url) as socket:
        assert await socket.receive() == "all answered"


async def test_what_cannot_be_meant_is_refused() -> None:
    async with websockets_server(echo) as url, hoopsnake.Client() as client:
        for wrong in (
            {"subprotocols": ["a b"]},
            {"subprotocols": ["a", "a"]},
            {"max_message": 0},
            {"ping_interval": 0},
            {"close_timeout": -1},
        ):
            with pytest.raises(ValueError, match=r"is|are"):
                client.websocket(url, **wrong)
        with pytest.raises(ValueError, match="8 to 15"):
            hoopsnake.Deflate(client_max_window_bits=16)
        async with client.websocket(url) as socket:
            for message in (None, 1, ["text"]):
                with pytest.raises(TypeError, match="str or bytes"):
                    await socket.send(message)  # type: ignore[arg-type]
            with pytest.raises(UnicodeEncodeError):
                await socket.send("\ud800")
            for code in (0, 999, 1005, 1006, 1015, 2999, 5000):
                with pytest.raises(ValueError, match="no code"):
                    await socket.close(code)
            with pytest.raises(ValueError, match="123"):
                await socket.close(1000, "x" * 124)
            await socket.send("still open")
            assert await socket.receive() == "still open"


async def test_a_hook_that_raises_leaves_no_socket_open() -> None:
    ended = asyncio.Event()

    async def talk(peer: Peer) -> None:
        await peer.reader.read()
        ended.set()

    def refuse(response: hoopsnake.Response) -> None:
        raise LookupError(response.status_code)

    async with rude(talk) as server, hoopsnake.Client(event_hooks={"response": [refuse]}) as client:
        with pytest.raises(LookupError, match="101") as kept:
            async with client.websocket(server.url):
                pass
        await ended.wait()
        assert kept.value.__traceback__ is not None
