"""Cookies: what servers set is kept and sent where it belongs, and nowhere else (RFC 6265)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from scripted_server import ScriptedServer, answering, response, scripted

import hoopsnake


def setting(*cookies: str) -> bytes:
    return response(b"", *[f"set-cookie: {cookie}" for cookie in cookies])


@asynccontextmanager
async def asked(*answers: bytes) -> AsyncIterator[tuple[ScriptedServer, hoopsnake.Client]]:
    async with scripted(answering(*answers)) as server, hoopsnake.Client() as client:
        yield server, client


def cookie_of(request: bytes) -> str | None:
    for line in request.decode().split("\r\n"):
        name, _, value = line.partition(": ")
        if name.lower() == "cookie":
            return value
    return None


@pytest.mark.parametrize("way", ["plain", "with options", "streamed"])
async def test_what_a_server_sets_goes_back_to_it(way: str) -> None:
    async with asked(setting("a=1; Path=/", "b=2; HttpOnly")) as (server, client):
        got = await client.get(server.url)
        assert dict(got.cookies) == dict(client.cookies) == {"a": "1", "b": "2"}
        if way == "plain":
            await client.get(server.url)
            await client.post(server.url, content=b"body")
        elif way == "with options":
            await client.get(server.url, headers={"x-a": "1"})
        else:
            async with client.stream("GET", server.url) as streamed:
                assert streamed.status_code == 200
    assert cookie_of(server.requests[0]) is None
    assert {cookie_of(request) for request in server.requests[1:]} == {"a=1; b=2"}


@pytest.mark.parametrize("way", ["plain", "with options", "streamed", "of a jar", "beside"])
async def test_the_bytes_of_a_cookie_go_back_as_they_came(way: str) -> None:
    # RFC 6265 section 5.4: a value is octets, here of Latin-1, of UTF-8, and of both.
    values = ["caf\xe9", "caf\xc3\xa9", "\xff\xc3\xa9"]
    async with asked(setting(*[f"{i}={value}" for i, value in enumerate(values)])) as (
        server,
        client,
    ):
        got = await client.get(server.url)
        assert client.cookies["1"] == "café"
        if way == "plain":
            await client.get(server.url)
        elif way == "with options":
            await client.get(server.url, params={"a": "1"})
        elif way == "streamed":
            async with client.stream("GET", server.url) as streamed:
                assert streamed.status_code == 200
        elif way == "of a jar":
            async with hoopsnake.Client() as other:
                await other.get(server.url, cookies=got.cookies)
        else:
            await client.get(server.url, cookies={"3": "thé"})
    expected = "; ".join(f"{i}={value}" for i, value in enumerate(values)).encode("latin-1")
    more = "; 3=thé".encode() if way == "beside" else b""
    assert b"\r\ncookie: " + expected + more + b"\r\n" in server.requests[1]


async def test_cookies_of_one_name_for_a_single_request_are_all_sent() -> None:
    cookies = hoopsnake.Cookies()
    cookies.set("a", "wide", "127.0.0.1")
    cookies.set("a", "deep", "127.0.0.1", "/deep")
    async with asked(response(b"")) as (server, client):
        await client.get(server.url + "deep/er", cookies=cookies)
    assert cookie_of(server.requests[0]) == "a=deep; a=wide"


async def test_a_path_an_end_and_a_replacement_count() -> None:
    async with asked(
        setting("deep=1; Path=/deep", "a=old; Path=/", "gone=1; Path=/"),
        setting(
            "a=new; Path=/",
            "gone=; Path=/; Max-Age=0",
            "past=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        ),
    ) as (server, client):
        await client.get(server.url)
        await client.get(server.url)
        await client.get(server.url)
        await client.get(server.url + "deep/er")
        assert dict(client.cookies) == {"deep": "1", "a": "new"}
    assert [cookie_of(request) for request in server.requests[1:]] == [
        "a=old; gone=1",
        "a=new",
        "deep=1; a=new",
    ]


@pytest.mark.parametrize(
    "cookie",
    [
        "a=1; Domain=example.com",
        "a=1; Domain=com",
        "a=1; Domain=0.0.1",
        "a=1; Secure",
        "__Host-a=1; Path=/",
        "__Secure-a=1",
        "a=" + "x" * 5000,
    ],
)
async def test_what_a_server_may_not_set_is_left_out(cookie: str) -> None:
    async with asked(setting(cookie, "kept=1")) as (server, client):
        got = await client.get(server.url)
        await client.get(server.url)
        assert dict(client.cookies) == dict(got.cookies) == {"kept": "1"}
    assert cookie_of(server.requests[1]) == "kept=1"


async def test_a_server_cannot_set_cookies_for_a_public_suffix_or_a_neighbour() -> None:
    """The URL's host is what counts, wherever its connection goes."""
    cookies = ("a=1; Domain=co.uk", "b=1; Domain=shop.co.uk", "c=1; Domain=evil.co.uk", "d=1")
    async with asked(setting(*cookies)) as (server, client):
        got = await client.get(server.url)
        jar = hoopsnake.Cookies()
        jar._jar.store(hoopsnake.URL("https://www.shop.co.uk/"), got.headers)
        assert dict(jar) == {"b": "1", "d": "1"}
        assert jar.get("b", domain="shop.co.uk") == "1"


async def test_a_flood_of_cookies_stays_bounded_and_drives_out_none_of_the_programs() -> None:
    flood = [setting(*[f"n{number}=1" for number in range(start, start + 90)]) for start in (0, 90)]
    async with asked(*flood) as (server, client):
        client.cookies.set("own", "1")
        await client.get(server.url)
        await client.get(server.url)
        assert len(client.cookies) <= 151
        assert client.cookies["own"] == "1"


async def test_the_programs_own_go_to_whom_it_asks_and_not_where_that_one_leads() -> None:
    async with scripted(answering(response())) as other:
        moved = response(b"", f"location: {other.url}", "set-cookie: s=1", status="302 Found")
        async with scripted(answering(moved)) as server:
            async with hoopsnake.Client(cookies={"a": "b"}, follow_redirects=True) as client:
                await client.get(server.url, cookies={"mine": "1"})
                await client.get(other.url)
    assert cookie_of(server.requests[0]) == "a=b; mine=1"
    # Cookies know hosts and no ports: what the first server set goes to the second one too.
    assert cookie_of(other.requests[0]) == "s=1"
    assert cookie_of(other.requests[1]) == "a=b; s=1"


async def test_cookies_of_a_redirect_go_along() -> None:
    moved = response(b"", "location: /next", "set-cookie: s=1", status="303 See Other")
    async with asked(moved, response()) as (server, client):
        got = await client.post(server.url, json={}, cookies={"mine": "1"}, follow_redirects=True)
        assert (dict(got.cookies), dict(got.history[0].cookies)) == ({}, {"s": "1"})
    assert cookie_of(server.requests[1]) == "s=1; mine=1"


async def test_a_cookie_field_of_the_programs_own_stays_as_it_is() -> None:
    moved = response(b"", "location: /next", "set-cookie: s=1", status="303 See Other")
    async with asked(moved, response()) as (server, client):
        headers = {"cookie": "by=hand"}
        await client.get(server.url, headers=headers, follow_redirects=True)
        await client.get(server.url)
    assert [cookie_of(request) for request in server.requests] == ["by=hand", "by=hand", "s=1"]


async def test_a_requests_cookies_are_not_kept_and_stand_before_the_clients() -> None:
    async with asked(response()) as (server, client):
        client.cookies = hoopsnake.Cookies({"a": "1", "b": "1"})
        await client.get(server.url, cookies={"a": "2"})
        request = client.build_request("GET", server.url, cookies={"c": "3"})
        client.cookies.delete("b")
        await client.send(request)
        await client.get(server.url)
    assert [cookie_of(each) for each in server.requests] == ["b=1; a=2", "a=1; c=3", "a=1"]


def test_cookies_are_a_mapping_with_domains_and_paths() -> None:
    cookies = hoopsnake.Cookies([("a", "1")])
    cookies.set("a", "2", domain="example.com", path="/deep")
    cookies["b"] = "3"
    assert (len(cookies), list(cookies), "b" in cookies) == (3, ["a", "a", "b"], True)
    assert cookies.get("a", domain="example.com") == "2"
    assert cookies.get("a", domain="", path="/") == "1"
    assert (cookies.get("no"), cookies.get("no", "default")) == (None, "default")
    with pytest.raises(hoopsnake.CookieConflict, match="2 cookies have the name 'a'"):
        cookies["a"]
    copy = hoopsnake.Cookies(cookies)
    copy.delete("a", domain="example.com")
    assert dict(copy) == {"a": "1", "b": "3"}
    copy.clear(domain="example.com")
    assert len(copy) == 2 and bool(copy)
    copy.clear()
    assert not copy
    with pytest.raises(KeyError):
        del copy["a"]


COPIES: list[Callable[[hoopsnake.Client, hoopsnake.Cookies], None]] = [
    lambda client, cookies: client.cookies.update(cookies),
    lambda client, cookies: client.cookies.update(hoopsnake.Cookies(cookies)),
    lambda client, cookies: setattr(client, "cookies", cookies),
]


@pytest.mark.parametrize("copy", COPIES)
async def test_copied_cookies_stay_for_whom_they_are(
    copy: Callable[[hoopsnake.Client, hoopsnake.Cookies], None],
) -> None:
    answer = setting("own=1; Path=/", "ends=1; Path=/; Max-Age=86400")
    # A proxy is asked for all names.
    async with (
        scripted(answering(answer, response())) as server,
        hoopsnake.Client(proxy=server.url) as client,
    ):
        got = await client.get("http://one.example/")
        client.cookies.clear()
        copy(client, got.cookies)
        client.cookies.update(client.cookies)
        await client.get("http://one.example/")
        await client.get("http://sub.one.example/")
        assert sorted(client.cookies) == ["ends", "own"]
    # A name below that of the host alone gets none.
    assert [cookie_of(request) for request in server.requests] == [None, "own=1; ends=1", None]


def test_copied_cookies_stay_secure() -> None:
    url, headers = "https://one.example/", {"set-cookie": "a=1; Secure; Path=/"}
    answer = hoopsnake.Response(200, headers=headers, request=hoopsnake.Request("GET", url))
    cookies = hoopsnake.Cookies(answer.cookies)
    assert cookies._jar.pairs(hoopsnake.URL(url), True) == [(b"a", b"1")]
    assert cookies._jar.pairs(hoopsnake.URL(url.replace("https", "http")), True) == []


def test_a_copied_cookie_takes_the_place_of_one_of_the_programs() -> None:
    url = "https://one.example/"
    answer = hoopsnake.Response(
        200, headers={"set-cookie": "a=new; Path=/"}, request=hoopsnake.Request("GET", url)
    )
    cookies = hoopsnake.Cookies()
    cookies.set("a", "old", domain="one.example")
    cookies.update(answer.cookies)
    assert cookies["a"] == "new"


def test_of_a_jar_a_request_takes_what_is_for_its_url() -> None:
    jar = hoopsnake.Cookies({"anybody": "1"})
    jar.set("bank", "2", domain="bank.example")
    client = hoopsnake.Client()
    for url, wanted in (
        ("https://bank.example/", {"anybody=1", "bank=2"}),
        ("https://shop.example/", {"anybody=1"}),
    ):
        request = client.build_request("GET", url, cookies=jar)
        assert set(request.headers["cookie"].split("; ")) == wanted


def test_a_domain_is_found_as_it_was_set() -> None:
    cookies = hoopsnake.Cookies()
    for domain in (".example.com", "Other.Example"):
        cookies.set("a", domain, domain=domain)
        assert cookies.get("a", domain=domain) == domain
    cookies.delete("a", domain=".Example.com")
    cookies.clear(domain=".other.example")
    assert not cookies


def test_values_are_not_shown_and_what_no_cookie_can_hold_is_refused() -> None:
    cookies = hoopsnake.Cookies({"session": "secret"})
    assert "secret" not in repr(cookies) and "session" in repr(cookies)
    for name, value in [("a", "1; b=2"), ("a", "1\r\nx: y"), ("a;b", "1"), ("a=b", "1"), ("", "1")]:
        with pytest.raises(ValueError, match="cookie"):
            cookies.set(name, value)
    with pytest.raises(ValueError, match="path"):
        cookies.set("a", "1", path="deep")
