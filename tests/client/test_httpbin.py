"""The client against httpbin: what its authors, and not we, think that HTTP is."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from certificate_authority import Authority
from wsgi_applications import served_in_threads

import hoopsnake

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    httpbin = pytest.importorskip("httpbin", reason="httpbin wants Python 3.12 beside playwright")


@contextlib.asynccontextmanager
async def asked(**settings: Any) -> AsyncIterator[hoopsnake.Client]:
    """A client of an httpbin that our own server serves."""
    async with served_in_threads(httpbin.app) as server:
        base = f"http://127.0.0.1:{server.port}"
        async with hoopsnake.Client(base_url=base, **settings) as client:
            yield client


async def test_cookies_are_set_sent_and_deleted() -> None:
    async with asked(follow_redirects=True) as client:
        got = await client.get("/cookies/set", params={"a": "1", "b": "2"})
        assert got.json() == {"cookies": {"a": "1", "b": "2"}}
        got = await client.get("/cookies/delete", params={"a": ""})
        assert got.json() == {"cookies": {"b": "2"}}
        got = await client.get("/cookies", cookies={"c": "3"})
        assert got.json() == {"cookies": {"b": "2", "c": "3"}}


@pytest.mark.parametrize("path", ["/basic-auth/user/pass", "/hidden-basic-auth/user/pass"])
async def test_basic_authentication(path: str) -> None:
    async with asked() as client:
        assert (await client.get(path, auth=("user", "pass"))).json()["user"] == "user"
        assert (await client.get(path, auth=("user", "wrong"))).status_code in (401, 404)


async def test_a_bearers_token() -> None:
    async with asked(auth="the token") as client:
        assert (await client.get("/bearer")).json() == {"authenticated": True, "token": "the token"}


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
async def test_digest_authentication(algorithm: str) -> None:
    # httpbin remembers a client by its cookies, which go along with the second request.
    async with asked(auth=hoopsnake.DigestAuth("user", "pass")) as client:
        for _ in range(2):
            got = await client.get(f"/digest-auth/auth/user/pass/{algorithm}/never")
            assert (got.status_code, got.json()["authenticated"]) == (200, True)
        got = await client.get(
            f"/digest-auth/auth/user/pass/{algorithm}/never",
            auth=hoopsnake.DigestAuth("user", "wrong"),
        )
        assert got.status_code == 401


@pytest.mark.parametrize("kind", ["redirect", "relative-redirect", "absolute-redirect"])
async def test_redirects(kind: str) -> None:
    async with asked() as client:
        got = await client.get(f"/{kind}/3", follow_redirects=True)
        assert (got.status_code, got.url.path) == (200, "/get")
        assert [each.status_code for each in got.history] == [302, 302, 302]
        with pytest.raises(hoopsnake.TooManyRedirects):
            await client.get(f"/{kind}/25", follow_redirects=True)


@pytest.mark.parametrize(("status", "method"), [(302, "GET"), (303, "GET"), (307, "POST")])
async def test_redirects_of_a_post(status: int, method: str) -> None:
    async with asked(follow_redirects=True) as client:
        params = {"url": "/anything", "status_code": status}
        got = (await client.post("/redirect-to", params=params, json={"a": 1})).json()
        assert (got["method"], got["json"]) == (method, {"a": 1} if method == "POST" else None)


@pytest.mark.parametrize(
    ("path", "name"), [("/gzip", "gzipped"), ("/deflate", "deflated"), ("/brotli", "brotli")]
)
async def test_codings_are_undone(path: str, name: str) -> None:
    async with asked() as client:
        assert (await client.get(path)).json()[name] is True


async def test_bodies_arrive_as_they_were_given() -> None:
    async with asked() as client:
        got = (await client.post("/anything", params={"q": ["1", "2"]}, json={"a": "ü"})).json()
        assert (got["args"], got["json"]) == ({"q": ["1", "2"]}, {"a": "ü"})
        got = (await client.put("/anything", data={"a": ["1", "2"]})).json()
        assert got["form"] == {"a": ["1", "2"]}
        files = {"file": ("name.txt", b"text", "text/plain")}
        got = (await client.post("/anything", data={"a": "1"}, files=files)).json()
        assert (got["form"], got["files"]) == ({"a": "1"}, {"file": "text"})
        got = (await client.patch("/anything", content="text")).json()
        assert (got["data"], got["method"]) == ("text", "PATCH")


async def test_answers_are_read_as_streams() -> None:
    async with asked() as client:
        async with client.stream("GET", "/stream/5") as got:
            lines = [line async for line in got.aiter_lines()]
            assert len(lines) == 5
        async with client.stream("GET", "/stream-bytes/100000", params={"seed": 1}) as got:
            assert sum([len(piece) async for piece in got.aiter_bytes(4096)]) == 100_000
        assert "∮ E⋅da" in (await client.get("/encoding/utf8")).text
        with pytest.raises(hoopsnake.HTTPStatusError, match="418"):
            (await client.get("/status/418")).raise_for_status()


async def test_it_is_the_same_through_tls(tmp_path: Path) -> None:
    authority = Authority()
    certificate = str(authority.write(tmp_path))
    async with served_in_threads(httpbin.app, ssl_certfile=certificate) as server:
        trust = str(authority.write_own(tmp_path))
        base = f"https://localhost:{server.port}"
        async with hoopsnake.Client(base_url=base, verify=trust, follow_redirects=True) as client:
            got = await client.get("/cookies/set", params={"a": "1"})
            assert (got.json(), got.http_version) == ({"cookies": {"a": "1"}}, "HTTP/2")
            got = await client.get("/basic-auth/user/pass", auth=("user", "pass"))
            assert got.json()["authenticated"] is True
