"""Forms and files of the web framework, over real sockets."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from served import served
from wire import request

from hoopsnake.web import App, Form, Request, UploadFile

BODY = (
    b'--x\r\nContent-Disposition: form-data; name="first"\r\n\r\n1\r\n'
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n'
    b"Content-Type: text/plain\r\n\r\n" + b"0123456789" * 200_000 + b"\r\n--x--\r\n"
)


async def test_a_form_comes_in_pieces() -> None:
    app = App()

    @app.post("/")
    async def take(file: UploadFile) -> Any:
        return [file.filename, file.size, len(await file.read()), file.content_type]

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, 210, 7):
            yield BODY[at : at + 7]
            await asyncio.sleep(0)
        yield BODY[210:]

    headers = {"content-type": "multipart/form-data; boundary=x"}
    async with served(app) as server, httpx.AsyncClient(base_url=server.address) as client:
        answer = await client.post("/", content=pieces(), headers=headers)
        assert answer.json() == ["f", 2_000_000, 2_000_000, "text/plain"]


FORM = "Content-Type: multipart/form-data; boundary=x"


def looking() -> App:
    """Show what of a form arrives, and what can still be read of the request."""
    app = App()

    @app.post("/")
    async def take(first: Annotated[str, Form()], file: UploadFile) -> Any:
        content = await file.read()
        return [first, file.size, hashlib.sha256(content).hexdigest()]

    @app.post("/by-hand")
    async def by_hand(request: Request) -> Any:
        async with request.form() as form:
            names = list(form)
        assert await request.form() is form
        with pytest.raises(RuntimeError, match="as a stream"):
            await request.body()
        return names

    @app.post("/body-first")
    async def body_first(request: Request) -> Any:
        length = len(await request.body())
        return [length, list(await request.form())]

    @app.post("/nothing")
    async def nothing() -> str:
        return "not read"

    return app


def form_of(size: int) -> tuple[bytes, list[Any]]:
    """A form with a file of so many bytes, and what is told of it."""
    file = bytes(number * 7 % 251 for number in range(1024)) * (size // 1024)
    body = BODY[: BODY.index(b"0123456789")] + file + b"\r\n--x--\r\n"
    return body, ["1", len(file), hashlib.sha256(file).hexdigest()]


@pytest.mark.parametrize("size", [0, 1024, 100 * 1024, 3 * 1024 * 1024])
@pytest.mark.parametrize("cuts", [(), (0,), (30,), (100, 220), (-20,), (-1,)])
async def test_a_form_is_the_same_however_it_arrives(size: int, cuts: tuple[int, ...]) -> None:
    body, expected = form_of(size)
    async with served(looking()) as server, await server.connect() as wire:
        for _ in range(2):
            head = request("POST / HTTP/1.1", FORM, f"Content-Length: {len(body)}")
            places = sorted(at % len(body) for at in cuts)
            pieces = [body[a:b] for a, b in itertools.pairwise([0, *places, len(body)])]
            await wire.send(head + pieces[0])
            for piece in pieces[1:]:
                # The server has its turns meanwhile, and reads them one by one.
                for _ in range(5):
                    await asyncio.sleep(0)
                await wire.send(piece)
            assert json.loads((await wire.answer()).body) == expected


@pytest.mark.parametrize("size", [1024, 3 * 1024 * 1024])
async def test_chunks_of_a_form_are_read_too(size: int) -> None:
    body, expected = form_of(size)
    chunks = b"".join(
        b"%x\r\n%b\r\n" % (len(body[at : at + 1000]), body[at : at + 1000])
        for at in range(0, len(body), 1000)
    )
    async with served(looking()) as server, await server.connect() as wire:
        head = request("POST / HTTP/1.1", FORM, "Transfer-Encoding: chunked")
        await wire.send(head + chunks + b"0\r\n\r\n")
        assert json.loads((await wire.answer()).body) == expected
        await wire.get("/missing")
        assert (await wire.answer()).status == 404


async def test_what_is_wrong_with_a_form_is_told_and_harms_no_other_request() -> None:
    body, expected = form_of(100 * 1024)
    broken = {
        400: body.replace(b"Content-Disposition", b"Content Disposition", 1),
        413: body.replace(b"\r\n\r\n1\r\n", b"\r\n\r\n" + b"1" * 2_000_000 + b"\r\n", 1),
        422: body.replace(b'name="first"', b'name="other"', 1),
    }
    async with served(looking()) as server:
        for status, each in broken.items():
            async with await server.connect() as wire:
                head = request("POST / HTTP/1.1", FORM, f"Content-Length: {len(each)}")
                await wire.send(head + each)
                assert (await wire.answer()).status == status
        async with await server.connect() as wire:
            head = request("POST / HTTP/1.1", FORM, f"Content-Length: {len(body)}")
            await wire.send(head + body)
            assert json.loads((await wire.answer()).body) == expected


async def test_a_body_is_read_once_however_it_is_read() -> None:
    body, _ = form_of(1024)
    fields = (FORM, f"Content-Length: {len(body)}")
    async with served(looking()) as server, await server.connect() as wire:
        for path, expected in (
            ("/by-hand", ["first", "file"]),
            ("/body-first", [len(body), ["first", "file"]]),
            ("/nothing", "not read"),
            ("/by-hand", ["first", "file"]),
        ):
            await wire.send(request(f"POST {path} HTTP/1.1", *fields, body=body))
            assert json.loads((await wire.answer()).body) == expected


@pytest.mark.parametrize("size", [1024, 3 * 1024 * 1024])
async def test_a_client_that_leaves_within_a_form_reaches_no_handler(size: int) -> None:
    body, _ = form_of(size)
    app, seen = App(), []

    @app.post("/")
    async def take(file: UploadFile) -> None:
        seen.append(file)

    async with served(app, access_log=True) as server:
        async with await server.connect() as wire:
            head = request("POST / HTTP/1.1", FORM, f"Content-Length: {len(body)}")
            await wire.send(head + body[:-5])
            wire.vanish()
        await server.log.wait_for('"POST / HTTP/1.1" 499')
    assert seen == []
