"""Hosts that are ours, redirects to HTTPS, and names of requests."""

from __future__ import annotations

from typing import Any

import pytest
from asgi_messages import Answer, ask, scope_of, text

from hoopsnake import request_id
from hoopsnake.web import App, Request
from hoopsnake.web.middleware import (
    HTTPSRedirectMiddleware,
    RequestIdMiddleware,
    TrustedHostMiddleware,
)

CLOSED = {"type": "websocket.close", "code": 1008, "reason": ""}


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("a.example", 200),
        ("A.Example:8000", 200),
        ("a.example.", 200),
        ("deep.below.b.example", 200),
        ("[2001:db8::1]:80", 200),
        ("b.example", 400),
        (".b.example", 400),
        ("evilb.example", 400),
        ("a.example.evil.test", 400),
        ("a.example:x", 400),
        ("[2001:db8::1]x", 400),
        ("", 400),
        ("evil.test/.b.example", 400),
        ("evil.test?.b.example", 400),
        ("evil.test#.b.example", 400),
        ("evil.test\\.b.example", 400),
        ("evil.test@a.b.example", 400),
        ("a b.b.example", 400),
    ],
)
async def test_only_hosts_of_ours_are_answered(host: str, status: int) -> None:
    app = TrustedHostMiddleware(text, ["a.example", "*.b.example", "[2001:db8::1]"])
    assert (await ask(app, scope_of(host=host))).status == status


async def test_two_hosts_or_none_are_nobodys() -> None:
    app = TrustedHostMiddleware(text, ["a.example"])
    assert (await ask(app, scope_of(host=["a.example", "evil.test"]))).status == 400
    assert (await ask(app, scope_of())).status == 400
    with pytest.raises(ValueError, match="a star"):
        TrustedHostMiddleware(text, ["a.*.example"])


async def test_a_host_without_www_is_sent_to_the_one_with() -> None:
    app = TrustedHostMiddleware(text, ["www.a.example"])
    answer = await ask(app, scope_of("GET", "/x?y=z", host="a.example:81"))
    assert (answer.status, answer.header("location")) == (307, "http://www.a.example:81/x?y=z")


async def test_a_websocket_for_another_host_is_refused() -> None:
    app = TrustedHostMiddleware(text, ["a.example"])
    scope = {**scope_of(host="evil.test"), "type": "websocket"}
    assert (await ask(app, scope)).messages == [CLOSED]
    answer = await ask(app, {**scope, "extensions": {"websocket.http.response": {}}})
    assert [each["type"] for each in answer.messages] == [
        "websocket.http.response.start",
        "websocket.http.response.body",
    ]
    assert answer.status == 400


@pytest.mark.parametrize(
    ("scheme", "host", "location"),
    [
        ("http", "a.example", "https://a.example/p?q=1"),
        ("http", "a.example:80", "https://a.example/p?q=1"),
        ("http", "a.example:8000", "https://a.example:8000/p?q=1"),
        ("http", "[::1]:80", "https://[::1]/p?q=1"),
        ("https", "a.example", None),
    ],
)
async def test_what_came_without_tls_is_sent_on(
    scheme: str, host: str, location: str | None
) -> None:
    scope = {**scope_of("GET", "/p?q=1", host=host), "scheme": scheme}
    answer = await ask(HTTPSRedirectMiddleware(text), scope)
    assert answer.header("location") == location
    assert answer.status == (200 if location is None else 307)
    assert (await ask(HTTPSRedirectMiddleware(text), scope_of())).status == 400


async def test_requests_have_names_in_logs_and_answers() -> None:
    app = App()

    @app.get("/")
    async def handler(request: Request) -> list[str | None]:
        return [request_id(), request.state.request_id]

    async def named(trust: bool, given: str) -> tuple[Any, str | None]:
        answer: Answer = await ask(
            RequestIdMiddleware(app, trust=trust, generator=lambda: "new"),
            scope_of(x_request_id=given),
        )
        return answer.body, answer.header("x-request-id")

    assert await named(False, "theirs") == (b'["new","new"]', "new")
    assert await named(True, "theirs") == (b'["theirs","theirs"]', "theirs")
    assert (await named(True, "a\nb"))[1] == "new"
    assert (await named(True, "x" * 129))[1] == "new"
    assert request_id() is None
    answer = await ask(RequestIdMiddleware(text), scope_of())
    assert len(answer.header("x-request-id") or "") == 32
