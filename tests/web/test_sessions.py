"""Sessions in signed cookies, and tokens against cross-site requests."""

from __future__ import annotations

from http.cookies import SimpleCookie
from typing import Annotated, Any

import pytest
from asgi_messages import Answer, ask, echo, scope_of, text
from hypothesis import given
from hypothesis import strategies as st

from hoopsnake.web import App, Query, Request, WebError
from hoopsnake.web._signing import Signer
from hoopsnake.web.middleware import CSRFMiddleware, SessionMiddleware, csrf_token

OLD, NEW = "old secret " * 2, "new secret " * 2

CLOSED = {"type": "websocket.close", "code": 1008, "reason": ""}


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def counting(**options: Any) -> SessionMiddleware:
    """An application that counts visits in the session, or does as it is told."""
    app = App()

    @app.get("/")
    async def handler(request: Request, do: Annotated[str, Query()] = "count") -> Any:
        if do == "nothing":
            return None
        session = request.session
        if do == "count":
            session["n"] = session.get("n", 0) + 1
            session.setdefault("list", []).append(session["n"])
        elif do == "clear":
            session.clear()
        elif do == "grow":
            session["x"] = "x" * 4000
        elif do == "break":
            session["x"] = object()
        return session

    return SessionMiddleware(app, **{"secret_key": NEW, **options})


async def visit(app: Any, cookie: str = "", do: str = "count", **extra: Any) -> Answer:
    return await ask(app, {**scope_of("GET", f"/?do={do}", cookie=cookie), **extra})


def kept(answer: Answer) -> str:
    (cookie,) = answer.headers("set-cookie")
    return cookie.partition(";")[0]


async def test_a_client_has_a_session_of_its_own() -> None:
    app = counting()
    first = await visit(app)
    assert first.body == b'{"n":1,"list":[1]}'
    assert first.header("vary") == "Cookie"
    second = await visit(app, kept(first))
    assert second.body == b'{"n":2,"list":[1,2]}'
    assert (await visit(app)).body == b'{"n":1,"list":[1]}'
    # Nothing changed: nothing is sent. Not looked at: the answer depends on nothing.
    assert (await visit(app, kept(second), "read")).headers("set-cookie") == []
    ignored = await visit(app, kept(second), "nothing")
    assert (ignored.header("vary"), ignored.headers("set-cookie")) == (None, [])


async def test_an_answer_that_has_no_use_for_the_session_does_not_renew_it() -> None:
    clock = Clock()
    app = counting(max_age=100, clock=clock)
    cookie = kept(await visit(app))
    clock.now += 60
    # It may be for all, and a cache that keeps it would give the cookie to others.
    ignored = await visit(app, cookie, "nothing")
    assert (ignored.header("vary"), ignored.headers("set-cookie")) == (None, [])
    used = await visit(app, cookie, "read")
    assert (used.header("vary"), len(used.headers("set-cookie"))) == ("Cookie", 1)


async def test_the_cookie_says_how_it_is_to_be_kept() -> None:
    async def flags(scheme: str = "http", **options: Any) -> Any:
        answer = await visit(counting(**options), scheme=scheme)
        (morsel,) = SimpleCookie(answer.header("set-cookie")).values()
        names = ("max-age", "path", "samesite", "secure", "httponly", "domain")
        return [morsel[name] for name in names]

    assert await flags() == ["1209600", "/", "lax", "", True, ""]
    assert await flags("https") == ["1209600", "/", "lax", True, True, ""]
    assert await flags(same_site="none", max_age=None, path="/a", domain="a.example") == [
        "",
        "/a",
        "none",
        True,
        True,
        "a.example",
    ]


async def test_what_a_client_has_made_up_is_nothing() -> None:
    app = counting()
    cookie = kept(await visit(app))
    stranger = kept(await visit(counting(secret_key="another secret of theirs")))
    name, _, value = cookie.partition("=")
    flipped = f"{name}={value[:10]}{'A' if value[10] != 'A' else 'B'}{value[11:]}"
    other_purpose = f"{name}={Signer(NEW, 'csrf').sign(b'{}', 1)}"
    for each in (stranger, flipped, other_purpose, f"{name}=x", f"{name}=.", f"{name}=ä"):
        assert (await visit(app, each)).body == b'{"n":1,"list":[1]}', each


async def test_secrets_are_changed_without_anybody_losing_a_session() -> None:
    old = kept(await visit(counting(secret_key=OLD)))
    both = counting(secret_key=[NEW, OLD])
    renewed = await visit(both, old)
    assert renewed.body == b'{"n":2,"list":[1,2]}'
    assert (await visit(counting(), kept(renewed))).body == b'{"n":3,"list":[1,2,3]}'
    assert (await visit(counting(), old)).body == b'{"n":1,"list":[1]}'


async def test_a_session_ends_and_one_in_use_does_not() -> None:
    clock = Clock()
    app = counting(max_age=100, clock=clock)
    cookie = kept(await visit(app))
    clock.now += 60
    renewed = await visit(app, cookie, "read")
    assert renewed.body == b'{"n":1,"list":[1]}'
    clock.now += 60
    assert (await visit(app, cookie)).body == b'{"n":1,"list":[1]}'
    assert (await visit(app, kept(renewed))).body == b'{"n":2,"list":[1,2]}'
    cleared = await visit(app, kept(renewed), "clear")
    assert kept(cleared) == 'session=""'
    assert "Max-Age=0" in cleared.headers("set-cookie")[0]


async def test_what_no_cookie_holds_is_told() -> None:
    with pytest.raises(WebError, match="keep a key in it"):
        await visit(counting(), "", "grow")
    with pytest.raises(WebError, match="holds JSON"):
        await visit(counting(), "", "break")
    with pytest.raises(WebError, match="16 bytes"):
        counting(secret_key="short")


@given(st.binary(max_size=50), st.floats(0, 2**39), st.text(max_size=40))
def test_what_is_signed_is_read_and_nothing_else(content: bytes, now: float, other: str) -> None:
    signer = Signer(NEW, "test")
    signed = signer.sign(content, now)
    assert signer.read(signed) == (content, int(now))
    assert signer.read(other) is None
    assert signer.read(f"{other}{signed}") is None or not other
    assert Signer(NEW, "other").read(signed) is None


# Requests of other sites.


def protected(**options: Any) -> CSRFMiddleware:
    app = App()

    @app.get("/")
    async def form(request: Request) -> str:
        return csrf_token(request)

    @app.get("/plain")
    async def plain() -> str:
        return "plain"

    app.mount("/echo", echo)
    return CSRFMiddleware(app, secret_key=NEW, **options)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec_fetch_site": "same-origin"}, 200),
        ({"sec_fetch_site": "none"}, 200),
        ({"sec_fetch_site": "cross-site", "origin": "https://evil.test"}, 403),
        ({"sec_fetch_site": "same-site", "origin": "https://sub.here"}, 403),
        ({"sec_fetch_site": "cross-site", "origin": "https://friend.example"}, 200),
        ({"origin": "http://here"}, 200),
        ({"origin": "https://here"}, 200),
        ({"origin": "http://here.evil.test"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://["}, 403),
        ({}, 200),
        ({"cookie": "session=x"}, 403),
    ],
)
async def test_who_says_where_it_comes_from_is_judged_by_that(
    headers: dict[str, str], status: int
) -> None:
    app = protected(trusted_origins=["https://friend.example"])
    for method in ("POST", "DELETE"):
        scope = scope_of(method, "/echo/", host="here", **headers)
        assert (await ask(app, scope)).status == status
    assert (await ask(app, scope_of("GET", "/plain", host="here", **headers))).status == 200


async def test_a_token_proves_a_page_of_ours() -> None:
    app = protected(always_token=True)
    page = await ask(app, scope_of())
    token, cookie = page.body.decode().strip('"'), kept(page)
    assert "HttpOnly" not in page.headers("set-cookie")[0]
    assert cookie == f"csrf_token={token}"

    async def post(body: bytes = b"", kind: str = "", **headers: str) -> Answer:
        headers = {"origin": "http://here", "host": "here", "content_type": kind, **headers}
        return await ask(app, scope_of("POST", "/echo/", **headers), [body[:9], body[9:]])

    form = "application/x-www-form-urlencoded"
    field = f"name=ada&csrf_token={token}".encode()
    assert (await post(cookie=cookie, x_csrf_token=token)).status == 200
    answer = await post(field, form, cookie=cookie)
    assert (answer.status, answer.body) == (200, field)
    for refused in (
        await post(cookie=cookie),
        await post(x_csrf_token=token),
        await post(cookie=cookie, x_csrf_token=token[:-1]),
        await post(field, "text/plain", cookie=cookie),
        await post(b"a&" * 2000, form, cookie=cookie),
        await post(b"a" * 70_000 + field, form, cookie=cookie),
        # Planted by a neighbour below the same domain: the two are alike, but not signed by us.
        await post(cookie="csrf_token=planted", x_csrf_token="planted"),
    ):
        assert (refused.status, refused.body) == (
            403,
            b"Forbidden: the request has no valid CSRF token",
        )
    again = await ask(app, scope_of(cookie=cookie))
    assert (again.body.decode().strip('"'), again.headers("set-cookie")) == (token, [])
    assert again.header("vary") == "Cookie"
    assert (await ask(app, scope_of("GET", "/plain"))).headers("set-cookie") == []


async def test_paths_with_signatures_of_their_own_are_left_alone() -> None:
    app = protected(exempt=["/echo/hooks"])
    headers = {"origin": "https://evil.test", "host": "here"}
    assert (await ask(app, scope_of("POST", "/echo/hooks", **headers))).status == 200
    assert (await ask(app, scope_of("POST", "/echo/other", **headers))).status == 403


async def test_websockets_of_other_sites_are_refused() -> None:
    app = CSRFMiddleware(text, NEW)
    scope = {**scope_of(origin="https://evil.test", host="here"), "type": "websocket"}
    assert (await ask(app, scope)).messages == [CLOSED]
    scope = {**scope_of(origin="https://here", host="here"), "type": "websocket"}
    assert (await ask(app, scope)).body == b"ok"
