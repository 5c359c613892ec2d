"""The scope of a request: every key that the ASGI HTTP specification names, and its type."""

from __future__ import annotations

import random
from typing import Any

import pytest
from served import Application, Receive, Scope, Send, served
from wire import Wire, request


def keeping(scopes: list[Scope]) -> Application:
    """An application that keeps the scopes of its requests."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    return app


async def scope_of(raw: bytes, **settings: Any) -> Scope:
    scopes: list[Scope] = []
    async with served(keeping(scopes), lifespan="off", **settings) as server:
        async with await server.connect() as wire:
            await wire.send(raw)
            assert (await wire.answer()).status == 204
    return scopes[0]


async def test_a_scope_has_what_the_specification_names_and_nothing_else() -> None:
    scopes: list[Scope] = []
    async with served(keeping(scopes), lifespan="off") as server:
        async with await server.connect() as wire:
            client = wire.sock.getsockname()
            await wire.send(request("GET /a/b?c=d HTTP/1.1", "Host: example.org", "Accept: */*"))
            await wire.answer()
    assert scopes == [
        {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": scopes[0]["asgi"]["spec_version"]},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/a/b",
            "raw_path": b"/a/b",
            "query_string": b"c=d",
            "root_path": "",
            "headers": [(b"host", b"example.org"), (b"accept", b"*/*")],
            "client": client,
            "server": ("127.0.0.1", server.port),
            "extensions": {
                "http.response.early_hint": {},
                "http.response.pathsend": {},
                "http.response.zerocopysend": {},
            },
            "state": {},
        }
    ]
    assert scopes[0]["asgi"]["spec_version"] in ("2.4", "2.5")
    assert type(scopes[0]["client"]) is tuple
    assert type(scopes[0]["client"][1]) is int


@pytest.mark.parametrize(
    ("target", "path", "raw_path", "query"),
    [
        ("/", "/", b"/", b""),
        ("/?", "/", b"/", b""),
        ("/caf%C3%A9%20au%20lait", "/café au lait", b"/caf%C3%A9%20au%20lait", b""),
        ("/a%2Fb", "/a/b", b"/a%2Fb", b""),
        ("/plus+is+no+space", "/plus+is+no+space", b"/plus+is+no+space", b""),
        ("/%ff", "/\ufffd", b"/%ff", b""),
        ("/%zz%4", "/%zz%4", b"/%zz%4", b""),
        ("/?q=%C3%A9+x&q=2", "/", b"/", b"q=%C3%A9+x&q=2"),
        ("/a?b?c=/d", "/a", b"/a", b"b?c=/d"),
        ("//two/../three", "//two/../three", b"//two/../three", b""),
        ("http://example.org/absolute?x=1", "/absolute", b"/absolute", b"x=1"),
    ],
)
async def test_a_path_is_decoded_and_a_raw_path_and_query_are_not(
    target: str, path: str, raw_path: bytes, query: bytes
) -> None:
    scope = await scope_of(request(f"GET {target} HTTP/1.1"))
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == (path, raw_path, query)
    assert type(scope["raw_path"]) is bytes


async def test_the_asterisk_of_options_is_a_path() -> None:
    scope = await scope_of(request("OPTIONS * HTTP/1.1"))
    assert (scope["method"], scope["path"], scope["raw_path"]) == ("OPTIONS", "*", b"*")


@pytest.mark.parametrize(
    "method", ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "BREW"]
)
async def test_any_method_reaches_the_application(method: str) -> None:
    assert (await scope_of(request(f"{method} / HTTP/1.1")))["method"] == method


async def test_header_names_are_lower_case_and_duplicates_keep_their_order() -> None:
    lines = ["X-Two: first", "ACCEPT: a", "X-two: second", "x-TWO: third", "X-Latin: caf\xe9"]
    headers = (await scope_of(request("GET / HTTP/1.1", *lines)))["headers"]
    assert isinstance(headers, list)
    assert [value for name, value in headers if name == b"x-two"] == [b"first", b"second", b"third"]
    assert sorted(headers) == [
        (b"accept", b"a"),
        (b"host", b"test"),
        (b"x-latin", b"caf\xe9"),
        (b"x-two", b"first"),
        (b"x-two", b"second"),
        (b"x-two", b"third"),
    ]
    assert all(type(name) is bytes and type(value) is bytes for name, value in headers)


async def test_header_values_lose_the_space_around_them_only() -> None:
    headers = dict((await scope_of(request("GET / HTTP/1.1", "X-A: \t a b\t ", "X-B:")))["headers"])
    assert headers[b"x-a"] == b"a b"
    assert headers[b"x-b"] == b""


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_the_version_is_that_of_the_request(version: str) -> None:
    assert (await scope_of(request(f"GET / HTTP/{version}")))["http_version"] == version


async def test_a_root_path_is_told_and_stands_before_the_path() -> None:
    scope = await scope_of(request("GET /x%20y HTTP/1.1"), root_path="/mounted")
    assert (scope["root_path"], scope["path"]) == ("/mounted", "/mounted/x y")
    assert scope["raw_path"] == b"/x%20y", "the raw path is what the request said"


async def test_each_request_gets_a_scope_of_its_own() -> None:
    scopes: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert "mark" not in scope
        scope["mark"] = True
        scope["headers"].append((b"x-mark", b"1"))
        await keeping(scopes)(scope, receive, send)

    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            for _ in range(3):
                await wire.get()
                assert (await wire.answer()).status == 204
    assert [len(scope["headers"]) for scope in scopes] == [2, 2, 2]


async def test_over_a_unix_socket_the_client_is_unknown_and_the_server_a_path(
    tmp_path: Any,
) -> None:
    scopes: list[Scope] = []
    path = str(tmp_path / "socket")
    async with served(keeping(scopes), lifespan="off", uds=path):
        async with await Wire.open(path) as wire:
            await wire.get("/x")
            assert (await wire.answer()).status == 204
    assert scopes[0]["client"] is None
    assert scopes[0]["server"] == (path, None)


async def test_what_an_application_does_to_a_scope_shows_in_no_other() -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(
            {**scope, "headers": [*scope["headers"]], "extensions": {**scope["extensions"]}}
        )
        scope["headers"].append((b"more", b""))
        scope["extensions"].clear()
        scope["path"] = scope["raw_path"] = scope["query_string"] = None
        del scope["client"], scope["type"]
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            # What comes again is made once: after the second time at the latest.
            for _ in range(5):
                await wire.send(request("GET /again HTTP/1.1", "Host: example.org", "Accept: */*"))
                await wire.answer()
    assert len(seen) == 5
    assert all(scope == seen[0] for scope in seen)
    assert seen[0]["path"] == "/again"


async def test_targets_and_headers_that_come_again_are_never_mixed_up() -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    # More than there is room for, some of a kind, and some that differ in length alone.
    targets = [f"/{chance.choice('abc') * length}" for length in range(1, 240, 2)] + ["/?q", "/%61"]
    values = [chance.choice("xyz") * length for length in range(1, 240, 2)]
    names = ("accept", "user-agent", "cookie", "authorization", "x-own")
    scopes: list[Scope] = []
    async with served(keeping(scopes), lifespan="off") as server:
        async with await server.connect() as wire:
            for count in range(600):
                # Half of them the few at the front, so that they come again.
                front = 4 if count % 2 else None
                target = chance.choice(targets[:front])
                name, value = chance.choice(names), chance.choice(values[:front])
                await wire.send(
                    request(f"GET {target} HTTP/1.1", "Host: example.org", f"{name}: {value}")
                )
                await wire.answer()
                scope = scopes.pop()
                path, _, query = target.partition("?")
                assert scope["raw_path"] == path.encode(), count
                assert scope["path"] == path.replace("%61", "a"), count
                assert scope["query_string"] == query.encode(), count
                headers = [(b"host", b"example.org"), (name.encode(), value.encode())]
                assert scope["headers"] == headers, count
