"""Request ids: made or taken over, and the same in scope, response and logs."""

from __future__ import annotations

import logging
import re

import pytest
from applications import body, start
from frames import handshake
from served import Receive, Scope, Send, Served, served

import hoopsnake

MADE = re.compile("[0-9a-f]{32}")
HEADER = {"request_id_header": "X-Request-ID", "lifespan": "off"}
EXTENSION = "hoopsnake.request_id"


async def names_itself(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with what the request is called, in the scope and in the context."""
    named = scope["extensions"].get(EXTENSION, {}).get("id")
    await send(start(headers=[(b"x-own", b"kept")]))
    await send(body(f"{named} {hoopsnake.request_id()}".encode()))


async def ask(server: Served, *headers: str) -> tuple[str | None, str]:
    """The id in the response's header, and the application's answer."""
    async with await server.connect() as wire:
        await wire.get("/", *headers)
        answer = await wire.answer()
        return answer.one("x-request-id"), answer.body.decode()


async def test_every_request_gets_an_id_of_its_own() -> None:
    seen = set()
    async with served(names_itself, **HEADER) as server:
        # More than are made of what the system gives at once.
        async with await server.connect() as wire:
            for _ in range(300):
                await wire.get()
                answer = await wire.answer()
                named = answer.one("x-request-id")
                assert named is not None and MADE.fullmatch(named)
                assert answer.body.decode() == f"{named} {named}"
                seen.add(named)
    assert len(seen) == 300


async def test_without_the_option_nothing_has_an_id() -> None:
    async with served(names_itself, lifespan="off") as server:
        assert await ask(server, "X-Request-ID: abc") == (None, "None None")
    assert hoopsnake.request_id() is None


async def test_a_trusted_proxy_chooses_the_id_and_a_stranger_does_not() -> None:
    async with served(names_itself, forwarded_allow_ips=("127.0.0.1",), **HEADER) as server:
        for proper in (
            "abc",
            "Root=1-67891233-abcdef012345678912345678",
            "a" * 128,
            "a.b_c:d/e@f~+",
        ):
            assert await ask(server, f"X-Request-ID: {proper}") == (proper, f"{proper} {proper}")
        for improper in ("a" * 129, "a b", "a,b", "a\tb", 'a"b', "a\\b", "é", "<x>", "a;b", ""):
            named, _ = await ask(server, f"X-Request-ID: {improper}")
            assert named is not None and MADE.fullmatch(named), improper
    async with served(names_itself, **HEADER) as server:
        named, _ = await ask(server, "X-Request-ID: abc")
        assert named is not None and MADE.fullmatch(named)


async def test_the_header_of_the_application_stays() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(headers=[(b"x-request-id", b"mine")]))
        await send(body())

    async with served(app, **HEADER) as server:
        assert (await ask(server))[0] == "mine"


async def test_logs_and_errors_have_the_id() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/raises":
            raise LookupError("nothing there")

    async with served(app, faulty=True, access_log=True, **HEADER) as server:
        ids = []
        async with await server.connect() as wire:
            for path in ("/raises", "/forgets"):
                await wire.get(path)
                answer = await wire.answer()
                assert answer.status == 500
                ids.append(answer.one("x-request-id"))
    raised, forgot = ids
    assert server.log.lines("hoopsnake.error")[1:3] == [
        f"GET /raises [{raised}]: exception in the application",
        f"GET /forgets [{forgot}]: the application returned without a response",
    ]
    accesses = server.log.lines("hoopsnake.access")
    assert [line.rpartition(" ")[2] for line in accesses] == [f"[{raised}]", f"[{forgot}]"]
    of_requests = [each for each in server.log.records if hasattr(each, "request_id")]
    assert [vars(each)["request_id"] for each in of_requests] == [raised, raised, forgot, forgot]
    assert {each.levelno for each in of_requests} == {logging.INFO, logging.ERROR}


async def test_a_websocket_has_one_too() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        assert scope["extensions"][EXTENSION]["id"] == hoopsnake.request_id()
        if scope["path"] == "/denied":
            return await send({"type": "websocket.close"})
        await send({"type": "websocket.accept"})

    async with served(app, **HEADER) as server:
        for path, status in (("/", 101), ("/denied", 403)):
            async with await server.connect() as wire:
                await wire.send(handshake(path))
                answer = await wire.head()
            assert answer.status == status
            assert MADE.fullmatch(answer.one("x-request-id") or "")


@pytest.mark.parametrize("name", ["", "a b", "a:b", "ä"])
def test_a_header_that_cannot_be_is_an_error(name: str) -> None:
    with pytest.raises(hoopsnake.ServerError, match="is no name of a header"):
        hoopsnake.ServerConfig(request_id_header=name)
