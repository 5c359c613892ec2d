"""HTTP/2: what applications see of it, how much goes under way, and how it ends."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import h2.errors
import h2.settings
import httpx
import pytest
from applications import body, echo, hello, read_all, start
from certificate_authority import Authority
from http2 import PREFACE, Client, client_of
from served import Message, Receive, Scope, Send, served

import hoopsnake


async def test_a_scope_is_that_of_http_1_with_the_authority_as_host() -> None:
    scopes: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await hello(scope, receive, send)

    async with client_of(app) as (client, server):
        peer = client.wire.sock.getsockname()
        headers = [
            ("accept", "*/*"),
            ("x-a", "1"),
            ("x-a", "2"),
            ("cookie", "a=1"),
            ("cookie", "b"),
        ]
        response = await client.get("/caf%C3%A9?x=%20", *headers)
    assert response.status == 200 and response.body == "/café".encode()
    (scope,) = scopes
    assert scope["http_version"] == "2"
    assert (scope["method"], scope["scheme"]) == ("GET", "http")
    assert (scope["raw_path"], scope["query_string"]) == (b"/caf%C3%A9", b"x=%20")
    assert (scope["client"], scope["server"]) == (peer, ("127.0.0.1", server.port))
    assert scope["headers"] == [
        (b"host", b"test"),
        (b"accept", b"*/*"),
        (b"x-a", b"1"),
        (b"x-a", b"2"),
        (b"cookie", b"a=1; b"),
    ]


async def test_it_is_agreed_on_within_the_tls_handshake(tmp_path: Path) -> None:
    authority = Authority()
    settings = {"ssl_certfile": authority.write(tmp_path), "access_log": True}
    async with served(hello, lifespan="off", **settings) as server:
        async with httpx.AsyncClient(http2=True, verify=authority.client()) as client:
            response = await client.get(f"{server.address}/there")
        assert (response.http_version, response.text) == ("HTTP/2", "/there")
        assert '"GET /there HTTP/2" 200' in server.log.text
        for offered, chosen in [(("h2", "http/1.1"), "h2"), (("http/1.1",), "http/1.1")]:
            async with await server.connect(tls=authority.client(*offered)) as wire:
                assert wire.tls.selected_alpn_protocol() == chosen
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await server.connect(tls=authority.client("spdy/3"))


async def test_it_can_be_switched_off(tmp_path: Path) -> None:
    authority = Authority()
    settings = {"ssl_certfile": authority.write(tmp_path), "http2": False}
    async with served(hello, lifespan="off", **settings) as server:
        async with await server.connect(tls=authority.client("h2", "http/1.1")) as wire:
            assert wire.tls.selected_alpn_protocol() == "http/1.1"
    async with served(hello, lifespan="off", http2=False) as server:
        async with await server.connect() as wire:
            await wire.send(PREFACE)
            assert b" 200 " not in await wire.rest()


async def test_a_preface_may_come_in_pieces() -> None:
    async with served(hello, lifespan="off") as server:
        async with await server.connect() as wire:
            client = Client(wire)
            client.h2.initiate_connection()
            await client.request("/pieces")
            for piece in (PREFACE[:1], PREFACE[1:10], PREFACE[10:23], PREFACE[23:]):
                await wire.send(piece)
                # What was sent before has been taken in once another connection is served.
                await server.get()


async def test_requests_go_on_side_by_side() -> None:
    turns: list[asyncio.Future[None]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        turn = asyncio.get_running_loop().create_future()
        turns.append(turn)
        await turn
        await hello(scope, receive, send)

    async with client_of(app) as (client, _):
        streams = [await client.request(f"/{number}") for number in range(100)]
        while len(turns) < 100:
            await asyncio.sleep(0)
        for turn in reversed(turns):
            turn.set_result(None)
        for number, stream in enumerate(streams):
            assert (await client.response(stream)).body == f"/{number}".encode()


async def test_more_streams_than_are_allowed_are_refused() -> None:
    released = asyncio.Event()
    begun = 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal begun
        begun += 1
        await released.wait()
        await hello(scope, receive, send)

    async with client_of(app) as (client, _):
        assert client.h2.remote_settings.max_concurrent_streams == 128
        # A client that does not keep to it.
        client.h2.remote_settings[h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS] = 1000
        client.h2.remote_settings.acknowledge()
        streams = [await client.request() for _ in range(130)]
        refused = [await client.response(stream) for stream in streams[128:]]
        assert {each.reset for each in refused} == {h2.errors.ErrorCodes.REFUSED_STREAM}
        released.set()
        answers = [await client.response(stream) for stream in streams[:128]]
    assert {each.status for each in answers} == {200}
    assert begun == 128


async def test_a_body_comes_and_goes_in_pieces() -> None:
    data = bytes(range(256)) * 8192
    async with client_of(echo) as (client, _):
        stream = await client.request(
            "/", ("content-length", str(len(data))), method="POST", end=False
        )
        await client.send_body(stream, data)
        response = await client.response(stream)
    assert response.body == data
    assert response.ended


async def test_a_client_that_takes_nothing_holds_its_application_back() -> None:
    sent = 0
    held_back = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal sent
        await send(start())
        for _ in range(256):
            sending = asyncio.ensure_future(send(body(bytes(16384), more=True)))
            await asyncio.sleep(0)
            if not sending.done():
                held_back.set()
            await sending
            sent += 1
        await send(body())

    async with client_of(app) as (client, _):
        client.takes_data = False
        stream = await client.request()
        reading = asyncio.create_task(client.until(lambda _: False))
        await held_back.wait()
        # The window of 64 KiB, what hyper and the server keep ready, and no more than that.
        assert sent < 32, sent
        reading.cancel()
        await asyncio.wait([reading])
        client.takes_data = True
        client.h2.increment_flow_control_window(2**24)
        client.h2.increment_flow_control_window(2**24, stream)
        await client.flush()
        assert len((await client.response(stream)).body) == 256 * 16384


async def test_an_application_that_does_not_read_holds_the_client_back() -> None:
    may_read = asyncio.Event()
    sizes: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await may_read.wait()
        sizes.append(len(await read_all(receive)))
        await send(start())
        await send(body())

    async with client_of(app) as (client, _):
        stream = await client.request(method="POST", end=False)
        sent = 0
        while window := client.h2.local_flow_control_window(stream):
            size = min(window, client.h2.max_outbound_frame_size)
            client.h2.send_data(stream, bytes(size))
            sent += size
            await client.flush()
        assert sent == 256 * 1024
        # An answered ping means that all before it was taken in, and no more is wanted.
        client.h2.ping(b"what now")
        await client.flush()
        await client.read()
        assert client.h2.local_flow_control_window(stream) == 0
        may_read.set()
        await client.send_body(stream, bytes(100_000))
        assert (await client.response(stream)).status == 200
    assert sizes == [sent + 100_000]


async def test_a_reset_stream_is_a_client_that_has_gone() -> None:
    events: list[Message] = []
    over: asyncio.Queue[BaseException] = asyncio.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/other":
            return await hello(scope, receive, send)
        await receive()
        if scope["path"] == "/streaming":
            await send(start())
            await send(body(b"x", more=True))
        events.append(await receive())
        try:
            await send(start() if scope["path"] == "/waiting" else body(b"y", more=True))
            await send(body(b"y"))
        except hoopsnake.ClientDisconnected as error:
            over.put_nowait(error)
            raise

    async with client_of(app) as (client, _):
        for path in ("/waiting", "/streaming"):
            stream = await client.request(path)
            if path == "/streaming":
                await client.until(lambda _, stream=stream: client.responses[stream].body)
            client.h2.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
            await client.flush()
            assert isinstance(await over.get(), hoopsnake.ClientDisconnected)
            # The connection itself is well.
            assert (await client.get("/other")).status == 200
    assert events == [{"type": "http.disconnect"}] * 2


async def test_a_connection_that_is_lost_is_a_client_that_has_gone() -> None:
    events: asyncio.Queue[Message] = asyncio.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        events.put_nowait(await receive())
        events.put_nowait(await receive())

    async with client_of(app) as (client, _):
        for _ in range(3):
            await client.request()
        for _ in range(3):
            assert (await events.get())["type"] == "http.request"
        client.wire.vanish()
        for _ in range(3):
            assert await events.get() == {"type": "http.disconnect"}


@pytest.mark.parametrize(
    ("method", "status", "sent", "length"),
    [
        ("HEAD", 200, [b"hello"], "5"),
        ("HEAD", 200, [b"hel", b"lo"], None),
        ("GET", 204, [b""], None),
        ("GET", 304, [b""], None),
        ("GET", 204, [b"for", b"bidden"], None),
    ],
)
async def test_a_response_without_a_body_has_a_head_alone(
    method: str, status: int, sent: list[bytes], length: str | None
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(status))
        for piece in sent[:-1]:
            await send(body(piece, more=True))
        await send(body(sent[-1]))

    async with client_of(app) as (client, _):
        response = await client.get(method=method)
        assert (response.status, response.body, response.ended) == (status, b"", True)
        assert response.all("content-length") == ([length] if length else [])
        assert (await client.get(method=method)).status == status


async def test_headers_of_http_1_connections_are_left_out() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        names = [b"connection", b"keep-alive", b"upgrade", b"proxy-connection"]
        await send(start(200, [*((name, b"x-own") for name in names), (b"x-kept", b"1")]))
        await send(body(b"hello"))

    async with client_of(app) as (client, _):
        response = await client.get()
    names = {name for name, _ in response.headers}
    assert names == {":status", "x-kept", "content-length", "date"}


async def test_an_application_that_fails_is_answered_with_500_or_breaks_its_stream_off() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/late":
            await send(start())
            await send(body(b"half", more=True))
        raise RuntimeError("as intended")

    async with client_of(app, faulty=True) as (client, _):
        assert (await client.get("/early")).status == 500
        late = await client.get("/late")
        assert late.status == 200
        assert late.body == b"half"
        assert not late.ended and late.reset == h2.errors.ErrorCodes.INTERNAL_ERROR
        assert (await client.get("/early")).status == 500


async def test_a_stop_says_goodbye_and_lets_requests_finish() -> None:
    entered, released = asyncio.Event(), asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        entered.set()
        await released.wait()
        await hello(scope, receive, send)

    async with client_of(app, graceful_timeout=30.0) as (client, server):
        stream = await client.request("/last")
        await entered.wait()
        server.stop()
        await client.until(lambda client: client.goaway is not None)
        assert client.goaway is not None
        assert client.goaway.code == h2.errors.ErrorCodes.NO_ERROR
        released.set()
        assert (await client.response(stream)).body == b"/last"
        await client.until_closed()
        client.wire.leave()
        await server.ended()


async def test_a_stop_closes_connections_without_requests() -> None:
    async with client_of(hello, graceful_timeout=30.0) as (client, server):
        assert (await client.get()).status == 200
        server.stop()
        await client.until_closed()
        assert client.goaway is not None
        client.wire.leave()
        await server.ended()


async def test_a_client_that_answers_pings_may_be_silent() -> None:
    async with client_of(hello, h2_ping_interval=0.02, h2_ping_timeout=5.0) as (client, _):
        # The package answers them.
        while client.pings < 3:
            await client.read()
            assert not client.ended
        assert (await client.get()).status == 200


async def test_a_client_that_does_not_answer_them_is_gone() -> None:
    events: asyncio.Queue[Message] = asyncio.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        events.put_nowait(await receive())
        events.put_nowait(await receive())

    async with client_of(app, h2_ping_interval=0.5, h2_ping_timeout=0.5) as (client, _):
        await client.request()
        assert (await events.get())["type"] == "http.request"
        assert await events.get() == {"type": "http.disconnect"}


async def test_how_many_requests_go_side_by_side_is_a_setting() -> None:
    async with client_of(hello, h2_max_concurrent_streams=7) as (client, _):
        assert client.h2.remote_settings.max_concurrent_streams == 7
        assert (await client.get()).status == 200


@pytest.mark.parametrize(
    "name", ["h2_max_concurrent_streams", "h2_ping_interval", "h2_ping_timeout"]
)
def test_a_setting_that_cannot_be_meant_is_refused(name: str) -> None:
    with pytest.raises(hoopsnake.ServerError, match=name):
        hoopsnake.ServerConfig(**{name: 0})
