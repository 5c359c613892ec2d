"""What a client sends, and what it makes of what comes back."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from scripted_server import answering, response, scripted

import hoopsnake


async def test_a_get_is_sent_with_the_headers_of_the_client_and_read_whole() -> None:
    answer = response(b"hello", "content-type: text/plain; charset=latin-1", "x-one: 1", "x-one: 2")
    async with scripted(answering(answer)) as server, hoopsnake.Client() as client:
        got = await client.get(server.url + "a path?q=1#part")
        assert (got.status_code, got.reason_phrase, got.http_version) == (200, "OK", "HTTP/1.1")
        assert (got.content, got.text, got.encoding) == (b"hello", "hello", "latin-1")
        assert got.headers["X-One"] == "1, 2"
        assert got.headers.get_list("x-one") == ["1", "2"]
        assert got.headers.get("none") is None
        assert str(got.url) == server.url + "a%20path?q=1#part"
        assert (got.request.method, got.request.headers["host"]) == (
            "GET",
            f"127.0.0.1:{server.port}",
        )
        assert got.num_bytes_downloaded == 5
        assert 0 < got.elapsed.total_seconds() < 10
        assert repr(got) == "<Response [200 OK]>"
    head = server.requests[0].decode().lower().split("\r\n")
    assert head[0] == "get /a%20path?q=1 http/1.1"
    assert head[1] == f"host: 127.0.0.1:{server.port}"
    assert f"user-agent: hoopsnake/{hoopsnake.__version__}" in head
    assert "accept-encoding: gzip, deflate, br, zstd" in head


async def test_one_connection_serves_one_request_after_the_other() -> None:
    async with scripted(answering(response())) as server, hoopsnake.Client() as client:
        for _ in range(5):
            assert (await client.get(server.url)).content == b"hello"
        stats = client.stats()
    assert server.connections == 1
    assert (stats.opened, stats.reused, stats.open, stats.idle) == (1, 4, 1, 1)


async def test_a_call_is_a_coroutine_of_which_tasks_can_be_made() -> None:
    async with scripted(answering(response())) as server, hoopsnake.Client() as client:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(client.get(server.url)) for _ in range(3)]
        both = await asyncio.gather(client.get(server.url), client.get(server.url))
    assert [task.result().text for task in tasks] == ["hello"] * 3
    assert [got.text for got in both] == ["hello"] * 2
    assert asyncio.iscoroutine(client.get(server.url))


async def test_a_call_that_nobody_awaits_sends_nothing() -> None:
    async with scripted(answering(response())) as server, hoopsnake.Client() as client:
        client.get(server.url).close()
        call = client.get(server.url)
        assert (await call).content == b"hello"
        with pytest.raises(RuntimeError, match="already awaited"):
            await call
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("options", "kind", "body"),
    [
        ({"content": b"bytes"}, None, b"bytes"),
        ({"content": "täxt"}, b"text/plain; charset=utf-8", "täxt".encode()),
        ({"json": {"a": [1, "ü"]}}, b"application/json", '{"a":[1,"ü"]}'.encode()),
        (
            {"data": {"a": "1 2", "b": ["x", "y"]}},
            b"application/x-www-form-urlencoded",
            b"a=1+2&b=x&b=y",
        ),
    ],
)
async def test_a_body_is_sent_with_its_type_and_length(
    options: dict[str, object], kind: bytes | None, body: bytes
) -> None:
    bodies = []

    async def handle(server, reader, writer):  # type: ignore[no-untyped-def]
        head = await server.head(reader)
        bodies.append(await server.body(head, reader))
        writer.write(response())

    async with scripted(handle) as server, hoopsnake.Client() as client:
        await client.post(server.url, **options)  # type: ignore[arg-type]
    assert bodies == [body]
    head = server.requests[0].lower()
    assert f"content-length: {len(body)}".encode() in head
    assert (b"content-type: " + kind in head) if kind else (b"content-type" not in head)


async def test_a_form_with_files_is_one_that_a_server_can_read(tmp_path: Path) -> None:
    bodies = []
    path = tmp_path / "picture.png"
    path.write_bytes(bytes(range(256)) * 1000)

    async def handle(server, reader, writer):  # type: ignore[no-untyped-def]
        head = await server.head(reader)
        bodies.append((head, await server.body(head, reader)))
        writer.write(response())

    async with scripted(handle) as server, hoopsnake.Client() as client:
        with path.open("rb") as file:
            files = {"file": file, "note": ("n.txt", "text", "text/plain")}
            await client.post(server.url, data={"name": 'a"b'}, files=files)
    head, body = bodies[0]
    boundary = head.lower().partition(b"boundary=")[2].partition(b"\r\n")[0]
    assert f"content-length: {len(body)}".encode() in head.lower()
    parts = body.split(b"--" + boundary)
    assert [len(parts), parts[-1]] == [5, b"--\r\n"]
    assert b'name="a%22b"' not in parts[1] and b'name="name"\r\n\r\na"b\r\n' in parts[1]
    assert b'filename="picture.png"\r\nContent-Type: image/png' in parts[2]
    assert parts[2].endswith(bytes(range(256)) + b"\r\n")
    assert b'filename="n.txt"\r\nContent-Type: text/plain\r\n\r\ntext\r\n' in parts[3]


async def test_a_body_is_made_as_it_goes_and_no_faster_than_it_is_taken() -> None:
    made, taken = 0, asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal made
        for _ in range(400):
            made += 1
            yield b"x" * 65536

    async def handle(server, reader, writer):  # type: ignore[no-untyped-def]
        await server.head(reader)
        await taken.wait()
        total = 0
        while size := int(await reader.readline(), 16):
            total += len(await reader.readexactly(size))
            await reader.readline()
        writer.write(response(str(total).encode()))

    async with scripted(handle) as server, hoopsnake.Client() as client:
        call = asyncio.create_task(client.post(server.url, content=pieces()))
        seen = -1
        while made != seen or made < 10:
            seen = made
            await asyncio.sleep(0.05)
        # What the sockets hold, and no more.
        assert seen < 300
        taken.set()
        assert (await call).text == str(400 * 65536)
    assert b"transfer-encoding: chunked" in server.requests[0].lower()


async def test_an_exception_of_whoever_makes_the_body_is_raised_and_the_connection_closed() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"half"
        raise LookupError("mine")

    async with scripted(answering(response())) as server, hoopsnake.Client() as client:
        with pytest.raises(LookupError, match="mine"):
            await client.post(server.url, content=pieces())
        assert client.stats().open == 0
        assert (await client.get(server.url)).content == b"hello"


async def test_parameters_headers_cookies_and_authority_are_merged_with_the_clients() -> None:
    async with scripted(answering(response())) as server:
        async with hoopsnake.Client(
            base_url=server.url + "api/",
            headers={"x-mine": "1", "accept": "text/html"},
            params={"a": 1},
            cookies={"session": "s"},
            auth=("user", "pässword"),
        ) as client:
            await client.get("/items?z=0", params={"b": [True, None]}, headers={"X-Mine": "2"})
            await client.get("items", cookies={"more": "m"}, auth="token")
    first, second = (head.decode().split("\r\n") for head in server.requests)
    assert first[0] == "GET /api/items?z=0&a=1&b=true&b= HTTP/1.1"
    assert {"x-mine: 2", "accept: text/html", "cookie: session=s"} <= set(first)
    assert "authorization: Basic dXNlcjpww6Rzc3dvcmQ=" in first
    assert {"cookie: session=s; more=m", "authorization: Bearer token"} <= set(second)


async def test_a_url_in_a_query_does_not_make_a_relative_one_absolute() -> None:
    async with scripted(answering(response())) as server:
        async with hoopsnake.Client(base_url=server.url + "api") as client:
            await client.get("/login?next=http://x/")
            await client.get(server.url + "?next=http://x/")
    lines = [head.split(b"\r\n")[0] for head in server.requests]
    assert lines == [b"GET /api/login?next=http://x/ HTTP/1.1", b"GET /?next=http://x/ HTTP/1.1"]


async def test_what_a_url_has_before_the_at_sign_authorises_and_is_shown_nowhere() -> None:
    async with scripted(answering(response(status="401 Unauthorized"))) as server:
        async with hoopsnake.Client() as client:
            got = await client.get(f"http://user:secret@127.0.0.1:{server.port}/")
            with pytest.raises(hoopsnake.HTTPStatusError, match="401 Unauthorized") as caught:
                got.raise_for_status()
    assert b"authorization: Basic dXNlcjpzZWNyZXQ=" in server.requests[0]
    assert "secret" not in str(caught.value) and "secret" not in repr(got.url)
    assert caught.value.response is got


def field_of(request: bytes, name: str) -> str | None:
    found = [line.partition(": ") for line in request.decode().split("\r\n")]
    return next((value for own, _, value in found if own.lower() == name), None)


@pytest.mark.parametrize("options", [{}, {"params": {"a": "1"}}])
async def test_headers_of_a_client_change_for_the_next_request(options: dict[str, Any]) -> None:
    async with scripted(answering(response())) as server, hoopsnake.Client() as client:
        first = await client.get(server.url, **options)
        client.headers["authorization"] = "Bearer one"
        second = await client.get(server.url, **options)
        client.headers.update({"authorization": "Bearer two", "transfer-encoding": "chunked"})
        client.headers["content-length"] = "7"
        await client.get(server.url, **options)
        del client.headers["authorization"]
        await client.post(server.url, content=b"body", **options)
        client.headers = {"x-a": "1"}
        await client.get(server.url, **options)
        assert "authorization" not in first.request.headers
        assert second.request.headers["authorization"] == "Bearer one"
        second.request.headers["x-b"] = "2"
        assert "x-b" not in client.headers
    told = [field_of(request, "authorization") for request in server.requests]
    assert told == [None, "Bearer one", "Bearer two", None, None]
    assert all(field_of(request, "transfer-encoding") is None for request in server.requests)
    lengths = [field_of(request, "content-length") for request in server.requests]
    assert lengths == [None, None, None, "4", None]
    last = server.requests[-1]
    assert (field_of(last, "x-a"), field_of(last, "accept")) == ("1", "*/*")


async def test_hooks_see_each_request_and_each_response() -> None:
    seen: list[object] = []

    async def on_response(got: hoopsnake.Response) -> None:
        seen.append(got.status_code)

    def on_request(request: hoopsnake.Request) -> None:
        seen.append(request.method)
        request.headers["x-hook"] = "yes"

    hooks = {"request": [on_request], "response": [on_response]}
    async with scripted(answering(response())) as server:
        async with hoopsnake.Client(event_hooks=hooks) as client:
            await client.get(server.url)
    assert seen == ["GET", 200]
    assert b"x-hook: yes" in server.requests[0]


async def test_a_response_is_unpacked_and_read_as_json() -> None:
    body = gzip.compress(json.dumps({"a": "ü"}).encode())
    answer = response(body, "content-encoding: gzip", "content-type: application/json")
    async with scripted(answering(answer)) as server, hoopsnake.Client() as client:
        got = await client.get(server.url)
        assert got.json() == {"a": "ü"}
        assert got.num_bytes_downloaded == len(body)
        async with client.stream("GET", server.url) as streamed:
            assert b"".join([piece async for piece in streamed.aiter_raw()]) == body


async def test_a_stream_is_read_as_bytes_text_and_lines() -> None:
    text = "één\r\ntwo\n\nfour\rfive"

    async def handle(server, reader, writer):  # type: ignore[no-untyped-def]
        while True:
            await server.head(reader)
            writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            for byte in text.encode():
                writer.write(b"1\r\n" + bytes([byte]) + b"\r\n")
                await writer.drain()
            writer.write(b"0\r\nx-sum: 7\r\n\r\n")

    async with scripted(handle) as server, hoopsnake.Client() as client:
        async with client.stream("GET", server.url) as got:
            with pytest.raises(hoopsnake.ResponseNotRead):
                _ = got.content
            assert [line async for line in got.aiter_lines()] == ["één", "two", "", "four", "five"]
            assert got.trailers["x-sum"] == "7"
        async with client.stream("GET", server.url) as got:
            assert "".join([piece async for piece in got.aiter_text()]) == text
            with pytest.raises(hoopsnake.StreamClosed):
                await got.aread()
        async with client.stream("GET", server.url) as got:
            assert await got.aread() == text.encode()
            assert [len(piece) async for piece in got.aiter_bytes(8)] == [8, 8, 5]
        assert client.stats().open == 1


async def test_a_stream_that_is_left_early_gives_its_slot_back() -> None:
    async def handle(server, reader, writer):  # type: ignore[no-untyped-def]
        await server.head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    async with scripted(handle) as server, hoopsnake.Client() as client:
        async with client.stream("GET", server.url) as got:
            async for piece in got.aiter_bytes():
                assert piece
                break
        assert client.stats().open == 0


async def test_a_unix_socket_serves_whatever_the_url_says(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    async with scripted(answering(response()), path) as server:
        async with hoopsnake.Client(uds=path) as client:
            assert (await client.get("http://some.where/x")).content == b"hello"
    assert b"host: some.where\r\n" in server.requests[0]


async def test_names_are_resolved_as_the_loop_does() -> None:
    async with scripted(answering(response())) as server, hoopsnake.Client() as client:
        got = await client.get(f"http://localhost:{server.port}/")
        assert got.content == b"hello"
        unknown = r"GET http://no\.such\.name\.invalid/: .*connect phase"
        with pytest.raises(hoopsnake.ConnectError, match=unknown) as caught:
            await client.get("http://no.such.name.invalid/")
    assert caught.value.phase == "connect"
    assert caught.value.elapsed is not None and caught.value.elapsed < 20


async def test_what_cannot_be_sent_is_told_before_anything_is() -> None:
    async with hoopsnake.Client() as client:
        with pytest.raises(hoopsnake.InvalidURL, match="no absolute URL"):
            await client.get("//missing")
        with pytest.raises(hoopsnake.UnsupportedProtocol, match="ftp"):
            await client.get("ftp://example.com/")
        with pytest.raises(hoopsnake.LocalProtocolError, match="header value"):
            await client.get("http://example.com/", headers={"a": "b\r\nc: d"})
        with pytest.raises(hoopsnake.LocalProtocolError, match="no method"):
            await client.request("GE T", "http://example.com/")
    with pytest.raises(hoopsnake.ClientClosed):
        await client.get("http://example.com/")


def test_on_another_loop_it_says_what_to_do() -> None:
    async def main() -> None:
        await hoopsnake.Client().get("http://127.0.0.1:1/")

    with pytest.raises(RuntimeError, match=r"hoopsnake\.run\(\)"):
        asyncio.run(main())


def test_a_client_outlives_the_loop_that_it_worked_on() -> None:
    client = hoopsnake.Client()

    async def main() -> bytes:
        async with scripted(answering(response())) as server:
            return (await client.get(server.url)).content

    assert [hoopsnake.run(main()), hoopsnake.run(main())] == [b"hello"] * 2


@pytest.mark.parametrize("options", [{}, {"content": b""}])
async def test_a_post_without_a_body_says_so(options: dict[str, bytes]) -> None:
    async with scripted(answering(response())) as server, hoopsnake.Client() as client:
        await client.post(server.url, **options)
        await client.request("DELETE", server.url)
    assert b"content-length: 0\r\n" in server.requests[0].lower()
    assert b"content-length" not in server.requests[1].lower()
