"""The OpenAPI document and its pages: served from here, with nothing from elsewhere."""

from __future__ import annotations

import gzip
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from asgi_client import client_of, get
from asgi_messages import ask, scope_of
from pydantic import BaseModel

import hoopsnake
from hoopsnake.web import App, Depends
from hoopsnake.web.security import OAuth2PasswordBearer

if TYPE_CHECKING:
    from playwright.async_api import Page


class Book(BaseModel):
    title: str
    pages: int = 1


BEARER = OAuth2PasswordBearer("https://tokens.example/token")


def shelf(**options: Any) -> App:
    app = App(title="The <shelf>", **options)

    @app.get("/books/{number}")
    async def one_book(number: int) -> Book:
        return Book(title="Moby Dick")

    @app.post("/books")
    async def new_book(book: Book, token: Annotated[str, Depends(BEARER)]) -> Book:
        return book

    return app


async def test_the_document_is_served() -> None:
    app = shelf()
    answer = await get(app, "/openapi.json")
    assert answer.json() == app.openapi()
    assert answer.headers["content-type"] == "application/json"
    etag = answer.headers["etag"]
    kept = await get(app, "/openapi.json", headers={"if-none-match": etag})
    assert (kept.status_code, kept.content, kept.headers["etag"]) == (304, b"", etag)


async def test_a_route_that_comes_later_is_in_it() -> None:
    app = shelf()
    await get(app, "/openapi.json")

    @app.get("/late")
    async def late() -> None: ...

    assert "/late" in (await get(app, "/openapi.json")).json()["paths"]


@pytest.mark.parametrize("page", ["/docs", "/redoc", "/docs/oauth2-redirect"])
async def test_a_page_loads_nothing_but_what_is_here(page: str) -> None:
    app = shelf()
    async with client_of(app) as client:
        answer = await client.get(page)
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self';")
        connect = "'self' https://tokens.example" if page == "/docs" else "'self'"
        assert f"connect-src {connect};" in policy
        # No script stands in the page.
        assert not re.findall(r"<script(?![^>]* src=)", answer.text)
        loaded = re.findall(r'(?:src|href)="([^"]*)"', answer.text)
        loaded.remove("data:,")
        assert loaded
        for url in loaded:
            assert url.startswith(("/docs/assets/", "/redoc/assets/"))
            assert (await client.get(url)).status_code == 200
    if page != "/docs/oauth2-redirect":
        assert "<title>The &lt;shelf&gt; - " in answer.text
        assert "<shelf>" not in answer.text


async def test_files_of_pages_are_kept_for_as_long_as_they_are_the_same() -> None:
    app = shelf()
    page = (await get(app, "/docs")).text
    (url,) = re.findall(r'src="([^"]*bundle[^"]*)"', page)
    answer = await get(app, url, headers={"accept-encoding": "gzip"})
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-encoding"] == "gzip"
    assert "SwaggerUIBundle" in answer.text
    plain = await get(app, url, headers={"accept-encoding": "identity"})
    assert plain.content == answer.content
    assert plain.headers["etag"] != answer.headers["etag"]
    headers = {"accept-encoding": "gzip", "if-none-match": answer.headers["etag"]}
    kept = await get(app, url, headers=headers)
    assert (kept.status_code, kept.headers["vary"]) == (304, "Accept-Encoding")
    unversioned = await get(app, url.partition("?")[0])
    assert unversioned.headers["cache-control"] == "no-cache"
    assert (await get(app, "/docs/assets/..%2F_pages.py")).status_code == 404
    assert (await get(app, "/docs/assets/redoc.LICENSE")).status_code == 404


async def test_each_page_can_be_left_out_or_elsewhere() -> None:
    none = shelf(openapi_url=None)
    for path in ("/openapi.json", "/docs", "/redoc"):
        assert (await get(none, path)).status_code == 404
    some = shelf(docs_url=None, redoc_url="/manual", openapi_url="/schema")
    assert (await get(some, "/docs")).status_code == 404
    assert 'data-document="/schema"' in (await get(some, "/manual")).text

    own = shelf()

    @own.get("/docs")
    async def docs() -> str:
        return "mine"

    assert (await get(own, "/docs")).json() == "mine"
    assert (await get(own, "/redoc")).status_code == 200
    assert [path for path in own.openapi()["paths"] if path not in ("/docs",)] == [
        "/books/{number}",
        "/books",
    ]


async def test_behind_a_prefix_all_is_below_it() -> None:
    app = shelf()
    scope = {**scope_of("GET", "/api/docs"), "root_path": "/api"}
    page = (await ask(app, scope)).body.decode()
    assert 'data-document="/api/openapi.json"' in page
    assert 'src="/api/docs/assets/' in page
    scope = {**scope_of("GET", "/api/openapi.json"), "root_path": "/api"}
    assert b'"servers":[{"url":"/api"}]' in (await ask(app, scope)).body


async def test_what_swagger_ui_is_started_with_cannot_leave_its_attribute() -> None:
    app = shelf(
        swagger_ui_parameters={"filter": '"><script>alert(1)</script>'},
        swagger_ui_init_oauth={"clientId": "me"},
    )
    page = (await get(app, "/docs")).text
    assert "<script>alert" not in page
    assert 'data-oauth="{&quot;clientId&quot;: &quot;me&quot;}"' in page


def test_the_files_in_the_package_are_compressed_and_have_their_licences() -> None:
    from importlib.resources import files

    folder = files("hoopsnake.web").joinpath("assets")
    names = {each.name for each in folder.iterdir()}
    for name in ("swagger-ui-bundle.js", "redoc.standalone.js"):
        assert len(gzip.decompress(folder.joinpath(f"{name}.gz").read_bytes())) > 1_000_000
        assert f"{name}.LICENSE.txt" in names
    assert {"swagger-ui.LICENSE", "swagger-ui.NOTICE", "redoc.LICENSE"} <= names


@asynccontextmanager
async def browsing(app: App) -> AsyncIterator[tuple[Page, list[str], str]]:
    """Serve the application and open a browser; list what it asks for and complains of."""
    playwright = pytest.importorskip("playwright.async_api", reason="playwright is not installed")
    import asyncio
    import shutil
    import socket

    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no Chromium")
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    config = hoopsnake.ServerConfig(bind=[f"fd:{listening.detach()}"], log_level="critical")
    serving = asyncio.create_task(hoopsnake.serve(app, config))
    seen: list[str] = []
    try:
        async with playwright.async_playwright() as driver:
            browser = await driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = await browser.new_page()
            page.set_default_timeout(20_000)

            def look(url: str) -> None:
                if not url.startswith((address, "data:", f"blob:{address}")):
                    seen.append(f"a request to elsewhere: {url}")

            page.on("request", lambda request: look(request.url))
            page.on("pageerror", lambda error: seen.append(f"uncaught: {error}"))
            yield page, seen, address
            await browser.close()
    finally:
        serving.cancel()
        await asyncio.wait([serving])


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
async def test_a_browser_shows_the_document_and_asks_nobody_else(
    page: str, tmp_path: Any, request: pytest.FixtureRequest
) -> None:
    if "asgi" in request.node.callspec.id:
        pytest.skip("a browser wants a server")
    async with browsing(shelf()) as (browser, seen, address):
        await browser.goto(f"{address}{page}")
        await browser.get_by_text("One Book").first.wait_for()
        if page == "/docs":
            await browser.get_by_text("One Book").first.click()
            await browser.get_by_role("button", name="Try it out").click()
            await browser.get_by_placeholder("number").fill("7")
            await browser.get_by_role("button", name="Execute").click()
            await browser.locator(".live-responses-table").get_by_text("Moby Dick").first.wait_for()
        await browser.screenshot(path=str(tmp_path / "page.png"), full_page=True)
    assert seen == []
