"""`TestClient`: what a test asks goes through the server, and comes back as its users know it."""

from __future__ import annotations

import asyncio
import gc
import io
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
from client_application import events, make_application

from hoopsnake import ServerConfig, ServerLimits
from hoopsnake.web import (
    App,
    Depends,
    Request,
    StreamingResponse,
    TestClient,
    WebSocket,
    WebSocketDisconnect,
)


def user() -> str:
    """Something to depend on."""
    return "somebody"


@pytest.fixture
def client() -> Iterator[TestClient]:
    events.clear()
    with TestClient(make_application()) as client:
        yield client


def test_a_request_has_what_the_test_says(client: TestClient) -> None:
    response = client.post(
        "/echo?a=1",
        params={"b": [2, "x y"], "c": True},
        json={"ü": [1, None]},
        headers={"X-Own": "yes"},
        cookies={"taste": "sweet"},
    )

    assert response.status_code == 200
    told = response.json()
    assert told["method"] == "POST"
    assert told["path"] == "/echo"
    assert told["query"] == "a=1&b=2&b=x+y&c=true"
    assert told["body"] == '{"ü":[1,null]}'
    assert told["headers"]["content-type"] == "application/json"
    assert told["headers"]["x-own"] == "yes"
    assert told["headers"]["cookie"] == "taste=sweet"
    assert told["headers"]["host"] == "testserver"
    assert told["headers"]["user-agent"] == "testclient"
    assert response.url == "http://testserver/echo?a=1&b=2&b=x+y&c=true"
    assert response.request.method == "POST"


@pytest.mark.parametrize(
    ("options", "body", "kind"),
    [
        ({"data": {"a": "1 2", "b": ["x", "ü"]}}, "a=1+2&b=x&b=%C3%BC", "x-www-form-urlencoded"),
        ({"content": "tea"}, "tea", "text/plain"),
        ({"content": b"tea", "headers": {"Content-Type": "x/y"}}, "tea", "x/y"),
        ({"content": iter([b"te", b"", b"a"])}, "tea", ""),
        ({"json": [1.5]}, "[1.5]", "application/json"),
        ({}, "", ""),
    ],
)
def test_a_body_is_what_was_said(
    client: TestClient, options: dict[str, Any], body: str, kind: str
) -> None:
    told = client.post("/echo", **options).json()

    assert told["body"] == body
    assert kind in told["headers"].get("content-type", "")


def test_files_are_parts_of_a_form(client: TestClient) -> None:
    told = client.post(
        "/echo",
        data={"title": "tea"},
        files={
            "plain": b"bytes",
            "named": ('a"b.txt', io.BytesIO(b"from a file"), "text/plain"),
        },
    ).json()

    boundary = told["headers"]["content-type"].partition("boundary=")[2]
    assert told["headers"]["content-type"].startswith("multipart/form-data; ")
    parts = told["body"].split(f"--{boundary}")
    assert parts[-1] == "--\r\n"
    assert parts[1] == '\r\nContent-Disposition: form-data; name="title"\r\n\r\ntea\r\n'
    assert 'name="plain"; filename="upload"' in parts[2]
    assert 'name="named"; filename="a%22b.txt"\r\nContent-Type: text/plain' in parts[3]
    assert parts[3].endswith("\r\n\r\nfrom a file\r\n")


def test_redirects_are_followed_unless_the_test_says_otherwise(client: TestClient) -> None:
    led = client.post("/leads?status=303", json={})
    assert (led.json()["method"], [each.status_code for each in led.history]) == ("GET", [303])
    assert "content-type" not in led.json()["headers"]

    kept = client.post("/leads?status=307", json={"a": 1}).json()
    assert (kept["method"], kept["body"]) == ("POST", '{"a":1}')

    alone = client.get("/leads?status=302", follow_redirects=False)
    assert alone.is_redirect
    assert alone.headers["location"] == "/echo"

    with pytest.raises(RuntimeError, match="more than 20 redirects"):
        client.get("/circle")


def test_cookies_are_kept_and_sent_again(client: TestClient) -> None:
    first = client.get("/cookie?name=a&value=1")
    assert dict(first.cookies) == {"a": "1"}
    assert client.get("/echo").json()["headers"]["cookie"] == "a=1"

    client.cookies["b"] = "2"
    assert client.get("/echo").json()["headers"]["cookie"] == "a=1; b=2"
    del client.cookies["a"]
    assert client.get("/echo").json()["headers"]["cookie"] == "b=2"
    client.cookies.clear()
    assert "cookie" not in client.get("/echo").json()["headers"]


def test_a_status_is_raised_where_it_is_asked_for(client: TestClient) -> None:
    missing = client.get("/nowhere")
    assert (missing.status_code, missing.is_error, missing.reason_phrase) == (
        404,
        True,
        "Not Found",
    )
    with pytest.raises(Exception, match="404 Not Found: GET http://testserver/nowhere"):
        missing.raise_for_status()
    assert client.get("/echo").raise_for_status().is_success


def test_every_method_has_its_call(client: TestClient) -> None:
    for method in ("get", "post", "put", "patch", "delete", "options"):
        assert getattr(client, method)("/echo").json()["method"] == method.upper()
    head = client.head("/echo")
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) > 0
    # The connection is still of use after an answer without a body.
    assert client.get("/empty").status_code == 204
    assert client.get("/echo").status_code == 200


def test_what_the_application_raises_is_raised_in_the_test(client: TestClient) -> None:
    for path in ("/fails", "/fails-late", "/fails-in-the-background"):
        with pytest.raises(ZeroDivisionError, match=path):
            client.get(path)
    assert client.get("/echo").status_code == 200

    with TestClient(make_application(), raise_server_exceptions=False) as quiet:
        assert quiet.get("/fails").status_code == 500


def test_a_response_is_there_when_its_background_tasks_are_done(client: TestClient) -> None:
    client.get("/works-on")

    assert events == ["startup", "worked on"]


def test_a_stream_is_read_as_it_comes(client: TestClient) -> None:
    # The application sends the second line once it is asked to, by another request.
    with client.stream("GET", "/lines") as response:
        lines = response.iter_lines()
        assert next(lines) == "first"
        client.get("/go-on")
        assert list(lines) == ["second ü"]
    assert client.get("/zipped").text == "tea " * 1000


def test_a_stream_that_is_left_ends_in_the_application(client: TestClient) -> None:
    with client.stream("GET", "/endless") as response:
        assert next(response.iter_bytes())
    with client.stream("GET", "/ended") as response:
        assert response.read() == b"yes"


def test_the_lifespan_runs_in_a_with_block_only() -> None:
    events.clear()
    app = make_application()
    with TestClient(app) as client:
        assert client.get("/state").json() == "made at startup"
        assert events == ["startup"]
    assert events == ["startup", "shutdown"]

    alone = TestClient(app)
    assert alone.get("/echo").status_code == 200
    assert events == ["startup", "shutdown"]
    alone.close()


@pytest.mark.parametrize("stage", ["startup", "shutdown"])
def test_a_lifespan_that_fails_raises(stage: str) -> None:
    @asynccontextmanager
    async def lifespan(app: App) -> AsyncIterator[None]:
        if stage == "startup":
            raise LookupError("no database")
        yield
        raise LookupError("no database")

    entered = False
    with pytest.raises(LookupError, match="no database"):
        with TestClient(App(lifespan=lifespan)):
            entered = True
    assert entered == (stage == "shutdown")


def test_dependencies_are_overridden() -> None:
    app = App()

    @app.get("/who")
    async def who(user: Annotated[str, Depends(user)]) -> str:
        return user

    with TestClient(app) as client:
        assert client.get("/who").json() == "somebody"
        app.dependency_overrides[user] = lambda: "a test"
        assert client.get("/who").json() == "a test"
        app.dependency_overrides.clear()
        assert client.get("/who").json() == "somebody"


def test_the_application_sees_base_url_and_root_path() -> None:
    app = App()

    @app.get("/where")
    async def where(request: Request) -> list[str]:
        return [str(request.url), request.scope["root_path"], request.scope["scheme"]]

    with TestClient(app, "https://shop.test", root_path="/api") as client:
        assert client.get("/where").json() == ["https://shop.test/api/where", "/api", "https"]
        assert client.get("http://shop.test/where").json()[2] == "http"


def test_requests_pass_the_servers_own_limits() -> None:
    config = ServerConfig(limits=ServerLimits(body_size=10, target_size=100))
    with TestClient(make_application(), config=config) as client:
        assert client.post("/echo", content=b"x" * 11).status_code == 413
        assert client.get("/echo?" + "x" * 200).status_code == 414
        assert client.get("/echo", headers={"transfer-encoding": "nonsense"}).status_code == 400


def test_any_asgi_application_is_asked() -> None:
    class Plain:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            assert scope["type"] == "http"
            await send({"type": "http.response.start", "status": 201, "headers": []})
            await send({"type": "http.response.body", "body": scope["raw_path"]})

    with TestClient(Plain()) as client:
        response = client.get("/a%2Fb")
        assert (response.status_code, response.text) == (201, "/a%2Fb")


def test_an_application_without_an_answer_is_told() -> None:
    async def silent(scope: Any, receive: Any, send: Any) -> None:
        return

    client = TestClient(silent)
    with pytest.raises(RuntimeError, match="GET /x: the application returned without a response"):
        client.get("/x")
    client.close()


def test_a_wait_has_an_end() -> None:
    async def asleep(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.Event().wait()

    client = TestClient(asleep, timeout=0.05)
    with pytest.raises(TimeoutError):
        client.get("/x")
    client.close()


def test_a_client_that_nobody_closes_ends_its_thread() -> None:
    before = set(threading.enumerate())
    client = TestClient(make_application())
    client.get("/echo")
    (its_own,) = set(threading.enumerate()) - before

    del client
    gc.collect()
    its_own.join(20)
    assert not its_own.is_alive()


def test_a_websocket_carries_texts_bytes_and_json(client: TestClient) -> None:
    with client.websocket_connect("/mirror?a=1", subprotocols=["one", "two"]) as websocket:
        assert websocket.accepted_subprotocol == "two"
        websocket.send_text("ü")
        assert websocket.receive_text() == "ü"
        for size in (0, 125, 126, 65_535, 65_536, 300_000):
            websocket.send_bytes(b"x" * size)
            assert websocket.receive_bytes() == b"x" * size
        websocket.send_json({"a": [1]})
        assert websocket.receive_json() == {"a": [1]}
        websocket.send_json([2], mode="binary")
        assert websocket.receive_json(mode="binary") == [2]
        websocket.send_text("close")
        with pytest.raises(WebSocketDisconnect) as closed:
            websocket.receive()
    assert (closed.value.code, closed.value.reason) == (4000, "as you like")


def test_the_application_hears_that_a_websocket_is_closed(client: TestClient) -> None:
    with client.websocket_connect("/mirror") as websocket:
        websocket.close(4001, "enough")
    assert events == ["startup", "left 4001 enough"]


def test_a_websocket_that_is_refused_or_fails_is_told(client: TestClient) -> None:
    with pytest.raises(WebSocketDisconnect, match="refused with 403"):
        client.websocket_connect("/refused")
    with pytest.raises(KeyError, match="in a websocket"):
        with client.websocket_connect("/fails") as websocket:
            websocket.receive()
    # What the test itself raises is not hidden by it.
    with pytest.raises(LookupError, match="the test"):
        with client.websocket_connect("/fails"):
            raise LookupError("the test")


def test_a_websocket_whose_handler_never_ends_is_cancelled_after_its_client() -> None:
    app = App()

    @app.websocket("/deaf")
    async def deaf(websocket: WebSocket) -> None:
        await websocket.accept()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            events.append("cancelled")
            raise

    events.clear()
    with TestClient(app) as client:
        with client.websocket_connect("/deaf"):
            assert events == []
        assert events == ["cancelled"]


def test_two_websockets_and_a_request_go_on_at_once(client: TestClient) -> None:
    with client.websocket_connect("/mirror") as one, client.websocket_connect("/mirror") as other:
        one.send_text("1")
        assert client.get("/echo").status_code == 200
        other.send_text("2")
        assert (other.receive(), one.receive()) == ("2", "1")


def test_a_response_that_breaks_off_says_so() -> None:
    app = App()

    @app.get("/")
    async def breaks() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"first"
            raise OSError("the disk is gone")

        return StreamingResponse(pieces())

    with TestClient(app) as client, pytest.raises(OSError, match="the disk is gone"):
        client.get("/")


def test_a_stream_whose_length_is_known_says_it() -> None:
    app = App()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"te"
        yield b"a"

    @app.get("/known")
    async def known() -> StreamingResponse:
        return StreamingResponse(pieces(), headers={"Content-Length": "3"})

    @app.get("/unknown")
    async def unknown() -> StreamingResponse:
        return StreamingResponse(pieces())

    with TestClient(app) as client:
        assert client.get("/known").headers["content-length"] == "3"
        assert "content-length" not in client.get("/unknown").headers
        assert client.get("/unknown").content == client.get("/known").content == b"tea"
