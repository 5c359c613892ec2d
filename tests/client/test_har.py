"""Exchanges recorded to HAR files and replayed from them, and from browsers' files."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from scripted_server import ScriptedServer, answering, response, scripted

import hoopsnake
from hoopsnake import Client, MockTransport, Request, Response, har

BROWSERS = Path(__file__).parent / "chromium.har"


def shop(request: Request) -> Response:
    assert isinstance(request.content, bytes | None)
    if request.url.path == "/down":
        raise hoopsnake.ConnectTimeout("nobody is there")
    if request.url.path == "/picture":
        return Response(200, headers={"content-type": "image/png"}, content=b"\x89PNG\xff\x00")
    if request.url.path == "/cake":
        cookie = {"set-cookie": "session=secret; Path=/; HttpOnly"}
        return Response(200, headers=cookie, content=b"")
    return Response(
        200, text=f"{request.url.query} {(request.content or b'').decode(errors='replace')} ü"
    )


def recording(path: Path, **options: Any) -> Client:
    return Client(
        transport=har.RecordingTransport(path, MockTransport(shop), **options),
        base_url="http://shop",
    )


def replaying(path: Path, **options: Any) -> Client:
    return Client(transport=har.ReplayTransport(path, **options), base_url="http://shop")


def entries(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text())["log"]["entries"]
    return found


async def test_what_is_recorded_is_replayed(tmp_path: Path) -> None:
    path = tmp_path / "below" / "shop.har"
    asked: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", "/tea?a=1", {}),
        ("POST", "/tea", {"json": {"b": 2}}),
        ("POST", "/tea", {"content": b"text \xc3\xbc"}),
        ("GET", "/picture", {}),
    ]

    async def ask_all(client: Client) -> list[tuple[int, str, bytes, str | None]]:
        gots = [await client.request(*one[:2], **one[2]) for one in asked]
        return [
            (got.status_code, got.reason_phrase, got.content, got.headers.get("content-type"))
            for got in gots
        ]

    async with recording(path) as client:
        recorded = await ask_all(client)
    async with replaying(path) as client:
        assert await ask_all(client) == recorded
    assert recorded[0][2].decode() == "a=1  ü"
    assert list(path.parent.iterdir()) == [path]


async def test_the_file_is_one_of_har(tmp_path: Path) -> None:
    path = tmp_path / "shop.har"
    async with recording(path) as client:
        await client.post("/tea?a=1&b=", content=b"\xff\x00", headers={"content-type": "x/y"})
    log = json.loads(path.read_text())["log"]
    assert (log["version"], log["creator"]["name"]) == ("1.2", "hoopsnake")
    (entry,) = log["entries"]
    assert entry["startedDateTime"].endswith("+00:00")
    assert entry["time"] == pytest.approx(sum(entry["timings"].values()), abs=0.01)
    asked, answered = entry["request"], entry["response"]
    assert (asked["method"], asked["url"]) == ("POST", "http://shop/tea?a=1&b=")
    assert asked["queryString"] == [{"name": "a", "value": "1"}, {"name": "b", "value": ""}]
    assert asked["postData"] == {"mimeType": "x/y", "text": "/wA=", "_encoding": "base64"}
    assert (answered["status"], answered["statusText"]) == (200, "OK")
    assert answered["httpVersion"] == "HTTP/1.1"
    assert answered["content"]["mimeType"] == "text/plain; charset=utf-8"
    for needed in ("cookies", "headersSize", "bodySize"):
        assert needed in asked
        assert needed in answered


async def test_secrets_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "shop.har"
    async with recording(path, redact_params=["key"]) as client:
        await client.get(
            "http://user:word@shop/picture?key=secret&a=1",
            headers={"cookie": "a=secret; b=secret", "authorization": "Bearer secret"},
        )
        await client.get("/cake")
    text = path.read_text()
    assert "secret" not in text
    assert "word" not in text
    first, second = entries(path)
    headers = {each["name"]: each["value"] for each in first["request"]["headers"]}
    assert headers["authorization"] == "Bearer [redacted]"
    assert headers["cookie"].startswith("a=[redacted]; b=[redacted]")
    fields = {each["name"]: each["value"] for each in second["response"]["headers"]}
    assert fields["set-cookie"] == "session=[redacted]; Path=/; HttpOnly"
    async with replaying(path, redact_params=["key"]) as client:
        assert (await client.get("/picture", params={"key": "other", "a": 1})).status_code == 200


def leading(request: Request) -> Response:
    target = "http://user:word@shop/next?token=secret&a=1#secret"
    if request.url.path == "/broken":
        raise hoopsnake.ReadError(f"GET {request.url}: broken")
    if request.url.path == "/login":
        headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
        return Response(200, headers=headers, content=b"token=secret&b=2")
    return Response(302, headers={"location": target, "content-location": "/x?token=secret"})


async def test_a_secret_is_left_out_wherever_urls_and_forms_are(tmp_path: Path) -> None:
    path = tmp_path / "shop.har"
    transport = har.RecordingTransport(path, MockTransport(leading), redact_params=["token"])
    headers = {"referer": "http://user:word@shop/?token=secret", "x-api-key": "secret"}
    async with Client(transport=transport, base_url="http://shop") as client:
        await client.get("/?token=secret", headers=headers)
        got = await client.post("/login", data={"token": "secret", "c": "3"})
        with pytest.raises(hoopsnake.ReadError, match="token=secret"):
            await client.get("/broken?token=secret&d=4")
    assert got.content == b"token=secret&b=2"
    text = path.read_text()
    assert "secret" not in text
    assert "word" not in text
    lead, login, broken = entries(path)
    assert lead["response"]["redirectURL"] == "http://shop/next?token=%5Bredacted%5D&a=1"
    assert login["request"]["postData"]["text"] == "token=%5Bredacted%5D&c=3"
    assert login["response"]["content"]["text"] == "token=%5Bredacted%5D&b=2"
    assert broken["response"]["_error"]["text"].endswith("?token=%5Bredacted%5D&d=4: broken")
    replay = har.ReplayTransport(path, match=("url", "body"), redact_params=["token"])
    async with Client(transport=replay, base_url="http://shop") as client:
        assert (await client.post("/login", data={"token": "other", "c": "3"})).status_code == 200


async def breaking_off(
    server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    await server.head(reader)
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhal")
    writer.close()


async def test_a_stream_that_breaks_off_is_recorded_without_secrets(tmp_path: Path) -> None:
    path = tmp_path / "shop.har"
    async with scripted(breaking_off) as server:
        transport = har.RecordingTransport(path, redact_params=["token"])
        async with Client(transport=transport) as client:
            with pytest.raises(hoopsnake.RequestError):
                await client.get(server.url + "?token=secret")
    (entry,) = entries(path)
    assert "redacted" in entry["comment"]
    assert "secret" not in path.read_text()


async def test_what_is_left_out_can_be_set(tmp_path: Path) -> None:
    path = tmp_path / "shop.har"

    def edit(exchange: har.Exchange) -> har.Exchange | None:
        if exchange.url.endswith("/cake"):
            return None
        exchange.body = exchange.body.replace(b"a=1", b"a=?")
        return exchange

    async with recording(path, redact=["x-key"], edit=edit) as client:
        headers = {"authorization": "Bearer kept", "x-key": "secret"}
        assert (await client.get("/tea?a=1", headers=headers)).text == "a=1  ü"
        await client.get("/cake")
    (entry,) = entries(path)
    told = {each["name"]: each["value"] for each in entry["request"]["headers"]}
    assert (told["authorization"], told["x-key"]) == ("Bearer kept", "[redacted]")
    assert entry["response"]["content"]["text"] == "a=?  ü"


async def test_the_clients_own_connections_are_recorded(tmp_path: Path) -> None:
    path = tmp_path / "shop.har"
    packed = gzip.compress(b"packed " * 100)
    answer = response(packed, "content-encoding: gzip", "content-type: text/plain")
    async with scripted(answering(answer)) as server:
        async with Client(transport=har.RecordingTransport(path)) as client:
            assert (await client.get(server.url)).text == "packed " * 100
            async with client.stream("GET", server.url) as got:
                raw = b"".join([piece async for piece in got.aiter_raw()])
            assert raw == packed
        url = server.url
    assert [entry["response"]["bodySize"] for entry in entries(path)] == [len(packed)] * 2
    async with Client(transport=har.ReplayTransport(path)) as client:
        assert (await client.get(url)).text == "packed " * 100
        got = await client.get(url)
        assert (got.text, got.headers["content-length"]) == ("packed " * 100, "700")


async def test_a_stream_passes_as_it_comes_and_is_kept_as_far_as_it_was_read(
    tmp_path: Path,
) -> None:
    path = tmp_path / "shop.har"
    going_on = asyncio.Event()

    async def handle(server: ScriptedServer, reader: Any, writer: Any) -> None:
        await server.head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\none\n\r\n")
        await going_on.wait()
        writer.write(b"4\r\ntwo\n\r\n")
        await reader.read()

    async with scripted(handle) as server:
        async with Client(transport=har.RecordingTransport(path)) as client:
            async with client.stream("GET", server.url) as got:
                lines = got.aiter_lines()
                assert await anext(lines) == "one"
                going_on.set()
                assert await anext(lines) == "two"
    (entry,) = entries(path)
    assert entry["response"]["content"]["text"] == "one\ntwo\n"
    assert entry["comment"] == "the client closed the response before its end"


async def test_an_error_is_recorded_and_raised_again(tmp_path: Path) -> None:
    path = tmp_path / "shop.har"
    async with recording(path) as client:
        with pytest.raises(hoopsnake.ConnectTimeout):
            await client.get("/down")
    async with replaying(path) as client:
        with pytest.raises(hoopsnake.ConnectTimeout, match="nobody is there") as caught:
            await client.get("/down")
    assert caught.value.request is not None


async def three(path: Path) -> None:
    async with recording(path) as client:
        for number in (1, 2, 1):
            await client.get(f"/tea?a={number}")


async def test_each_exchange_answers_once(tmp_path: Path) -> None:
    path = tmp_path / "shop.har"
    await three(path)
    transport = har.ReplayTransport(path)
    async with Client(transport=transport) as client:
        for number in (2, 1, 1):
            assert (await client.get(f"http://shop/tea?a={number}")).text == f"a={number}  ü"
        assert transport.unplayed == []
        with pytest.raises(har.NoRecordedExchange, match="answered already; mode 'repeat'"):
            await client.get("http://shop/tea?a=2")


async def test_exchanges_may_answer_again(tmp_path: Path) -> None:
    path = tmp_path / "shop.har"
    await three(path)
    transport = har.ReplayTransport(path, mode="repeat")
    async with Client(transport=transport) as client:
        for _ in range(5):
            assert (await client.get("http://shop/tea?a=1")).text == "a=1  ü"
    assert [exchange.url for exchange in transport.unplayed] == ["http://shop/tea?a=2"]


async def test_exchanges_may_have_to_come_in_order(tmp_path: Path) -> None:
    path = tmp_path / "shop.har"
    await three(path)
    async with replaying(path, mode="strict") as client:
        await client.get("/tea?a=1")
        with pytest.raises(har.NoRecordedExchange, match="number 2 is due") as caught:
            await client.get("/tea?a=1")
        assert "GET http://shop/tea?a=2" in str(caught.value)
        await client.get("/tea?a=2")
        await client.get("/tea?a=1")
        with pytest.raises(har.NoRecordedExchange, match="all 3 have answered"):
            await client.get("/tea?a=1")


async def test_what_none_answers_is_told_with_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "shop.har"
    async with recording(path) as client:
        await client.get("/coffee")
        await client.post("/tea", json={"a": 1, "b": 2})
    async with replaying(path, match=("method", "path", "body")) as client:
        # JSON is compared by what it means.
        pretty = b'{"b": 2,\n "a": 1}'
        await client.post("/tea", content=pretty, headers={"content-type": "application/json"})
        with pytest.raises(har.NoRecordedExchange) as caught:
            await client.post("/tea", json={"a": 3})
    told = str(caught.value).splitlines()
    assert told[0] == (
        f"no exchange of {path} answers POST http://shop/tea; the nearest is number 2"
    )
    assert told[1:] == [
        "  POST http://shop/tea",
        "  body: {'a': 3} is asked, {'a': 1, 'b': 2} is recorded",
    ]
    assert not isinstance(caught.value, hoopsnake.HTTPError)


async def test_parameters_match_in_any_order_and_headers_by_name(tmp_path: Path) -> None:
    path = tmp_path / "shop.har"
    async with recording(path) as client:
        await client.get("/tea?a=1&b=2", headers={"accept": "text/x"})
    match = ("method", "url", "header:accept")
    async with replaying(path, match=match) as client:
        with pytest.raises(har.NoRecordedExchange, match="header:accept"):
            await client.get("/tea?b=2&a=1")
        await client.get("/tea?b=2&a=1", headers={"accept": "text/x"})


async def test_forms_match_whatever_divides_their_parts(tmp_path: Path) -> None:
    path = tmp_path / "shop.har"
    files = {"file": ("name.txt", b"text")}
    async with recording(path) as client:
        await client.post("/tea", files=files)
    async with replaying(path, match=("method", "url", "body")) as client:
        await client.post("/tea", files=files)


async def test_recorded_once_and_replayed_from_then_on(tmp_path: Path) -> None:
    path = tmp_path / "shop.har"
    asked = 0

    def handler(request: Request) -> Response:
        nonlocal asked
        asked += 1
        return Response(200, json=asked)

    async def test() -> int:
        transport = har.record_once(path, MockTransport(handler))
        async with Client(transport=transport) as client:
            return int((await client.get("http://shop/")).json())

    assert [await test(), await test(), await test()] == [1, 1, 1]
    assert asked == 1


async def test_a_test_that_fails_leaves_no_recording(tmp_path: Path) -> None:
    path = tmp_path / "shop.har"
    with pytest.raises(LookupError):
        async with Client(transport=har.record_once(path, MockTransport(shop))) as client:
            await client.get("http://shop/tea")
            raise LookupError
    assert not path.exists()


async def test_a_file_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "shop.har"
    await three(path)
    before = path.read_text()

    def full(*arguments: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space left"):
        await three(path)
    assert path.read_text() == before
    assert list(tmp_path.iterdir()) == [path]


async def test_a_browsers_file_is_read(tmp_path: Path) -> None:
    async with replaying(BROWSERS) as client:
        page = await client.get("https://shop.example/")
        assert (page.text, page.http_version) == ("<h1>Töa</h1>", "HTTP/2")
        assert "content-encoding" not in page.headers
        assert page.headers.get_list("set-cookie") == ["a=1; Path=/", "b=2; Path=/"]
        picture = await client.get("https://shop.example/picture.png")
        assert picture.content == b"\x89PNG"
        found = await client.post("https://shop.example/search", data={"q": "tea"})
        assert (found.status_code, found.content) == (204, b"")
        with pytest.raises(hoopsnake.ConnectError, match="ERR_NAME_NOT_RESOLVED"):
            await client.get("https://gone.example/")
    assert len(har.load(BROWSERS)) == 4


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("no JSON", "is no HAR file"),
        ("[]", "is no HAR file"),
        ('{"log": {}}', "is no HAR file: KeyError: 'entries'"),
        ('{"log": {"entries": [{"request": {"url": "http://a/"}}]}}', "entry 1 of"),
        (
            '{"log": {"entries": [{"request": {"url": "http://a/", "method": "GET"}, "response":'
            ' {"status": 200, "content": {"text": "?", "encoding": "base64"}}}]}}',
            "base64",
        ),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "bad.har"
    path.write_text(text)
    with pytest.raises(har.HARError, match=complaint):
        har.ReplayTransport(path)


def test_settings_that_do_not_exist_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mode is one of strict, once, repeat"):
        har.ReplayTransport(BROWSERS, mode="twice")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="match has 'colour'"):
        har.ReplayTransport(BROWSERS, match=["colour"])
    with pytest.raises(FileNotFoundError):
        har.ReplayTransport(tmp_path / "none.har")


async def test_a_recording_needs_a_client(tmp_path: Path) -> None:
    transport = har.RecordingTransport(tmp_path / "shop.har")
    with pytest.raises(RuntimeError, match="for a client"):
        await transport.handle_async_request(Request("GET", "http://shop/"))


async def test_a_body_that_is_made_is_recorded(tmp_path: Path) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one "
        yield b"two"

    path = tmp_path / "shop.har"
    async with recording(path) as client:
        assert (await client.post("/tea", content=pieces())).text == " one two ü"
    assert entries(path)[0]["request"]["postData"]["text"] == "one two"
