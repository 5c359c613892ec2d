"""An `App` gives the same answers whatever serves it: our server, uvicorn, granian."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

import hoopsnake

FOLDER = Path(__file__).parent
PATIENCE = 20.0

COMMANDS = {
    "hoopsnake": ("hoopsnake", "serve", "portable_app:app", "--app-dir", str(FOLDER)),
    "uvicorn": ("uvicorn", "portable_app:app", "--app-dir", str(FOLDER), "--lifespan", "on"),
    "granian": ("granian", "--interface", "asgi", "portable_app:app"),
}


class Served(NamedTuple):
    """A server that runs."""

    url: str
    process: subprocess.Popen[bytes]
    end: Path


@pytest.fixture(scope="module", params=list(COMMANDS))
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """The application under one of the servers."""
    name = request.param
    _skip_without(name)
    end = tmp_path_factory.mktemp(name) / "end"
    with _running(name, end) as served:
        yield served


def _skip_without(name: str) -> None:
    if name != "hoopsnake":
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pytest.skip(f"{name} is not installed")


@contextlib.contextmanager
def _running(name: str, end: Path) -> Iterator[Served]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    packages = Path(hoopsnake.__file__).parents[1]
    process = subprocess.Popen(
        [sys.executable, "-m", *COMMANDS[name], "--port", str(port)],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(packages), str(FOLDER)]),
            "PORTABLE_END": str(end),
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while True:
            assert process.poll() is None, f"{name} ended with {process.returncode}"
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), PATIENCE).close()
                break
        yield Served(f"http://127.0.0.1:{port}", process, end)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def ask(served: Served, method: str, path: str, **options: Any) -> httpx.Response:
    return httpx.request(method, served.url + path, timeout=PATIENCE, **options)


# A request, and what every server has to answer: status, body, headers.
ANSWERS: list[tuple[str, str, dict[str, Any], int, Any, dict[str, str]]] = [
    ("GET", "/items/7?q=tea", {}, 200, {"n": 7, "q": "tea"}, {"content-type": "application/json"}),
    ("HEAD", "/items/7", {}, 200, "", {"x-stamp": "HEAD"}),
    ("POST", "/items", {"json": {"name": "tea", "price": 2}}, 201, {"name": "tea", "price": 2}, {}),
    ("PUT", "/raw/a/b", {"content": b"x" * 500_000}, 200, {"rest": "a/b", "length": 500_000}, {}),
    ("PUT", "/raw/a%20b", {"content": iter([b"x", b"y"])}, 200, {"rest": "a b", "length": 2}, {}),
    ("PUT", "/raw/%C3%BC", {}, 200, {"rest": "ü", "length": 0, "path": "/raw/ü"}, {}),
    (
        "GET",
        "/fields",
        {"headers": [("x-own", "1"), ("x-own", "2"), ("cookie", "taste=sweet")]},
        200,
        [["1", "2"], "sweet"],
        {"x-answer": "yes", "set-cookie": "seen=1; Path=/; SameSite=lax"},
    ),
    ("GET", "/plain-function?number=4", {}, 200, 8, {}),
    ("GET", "/refused", {}, 418, {"detail": {"why": "tea"}}, {"x-why": "tea", "x-stamp": "GET"}),
    ("GET", "/fails", {}, 500, "Internal Server Error", {}),
    ("GET", "/leads", {}, 303, "", {"location": "/items/1?q=led"}),
    ("DELETE", "/empty", {}, 204, "", {}),
    ("GET", "/nowhere", {}, 404, {"detail": "Not Found"}, {}),
    ("PATCH", "/leads", {}, 405, {"detail": "Method Not Allowed"}, {"allow": "GET, HEAD"}),
    ("GET", "/admin", {}, 307, "", {"location": "/admin/"}),
    ("GET", "/admin/", {}, 200, "admin", {"content-type": "text/plain; charset=utf-8"}),
    ("GET", "/mounted/a/b", {}, 200, "/a/b", {}),
    ("GET", "/pieces", {}, 200, "".join(f"{n}," for n in range(100)), {}),
]


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: f"{answer[0]} {answer[1]}")
def test_an_answer_is_the_same(served: Served, answer: Any) -> None:
    method, path, options, status, body, headers = answer
    # An iterator is used up by the first server.
    content = options.get("content")
    if content is not None and not isinstance(content, bytes):
        options = {**options, "content": iter([b"x", b"y"])}
    told = ask(served, method, path, **options)

    assert told.status_code == status
    if isinstance(body, dict) and path.startswith("/raw"):
        assert body.items() <= told.json().items()
    elif isinstance(body, str):
        assert told.text == body
    else:
        assert told.json() == body
    assert headers.items() <= dict(told.headers).items()


@pytest.mark.parametrize(
    ("method", "path", "options", "place"),
    [
        ("GET", "/items/x", {}, ["path", "n"]),
        ("GET", "/items/1?q=toolong", {}, ["query", "q"]),
        ("POST", "/items", {"json": {"name": "t", "price": 1}}, ["body", "name"]),
        ("POST", "/items", {"content": b"{"}, ["body"]),
    ],
)
def test_what_is_wrong_is_told_the_same(
    served: Served, method: str, path: str, options: Any, place: list[Any]
) -> None:
    refused = ask(served, method, path, **options)

    assert refused.status_code == 422
    assert refused.json()["detail"][0]["loc"] == place


def test_events_are_streamed(served: Served) -> None:
    told = ask(served, "GET", "/events")

    assert told.headers["content-type"].startswith("text/event-stream")
    assert [line for line in told.text.splitlines() if line.startswith("data:")] == [
        'data: {"n":1}',
        'data: {"n":2}',
    ]


def test_a_background_task_runs_and_sees_the_lifespans_state(served: Served) -> None:
    assert ask(served, "GET", "/works-on").json() == "at startup"
    assert ask(served, "GET", "/worked").json() == "yes"


def test_a_websocket_is_served(served: Served) -> None:
    url = served.url.replace("http", "ws") + "/mirror/a%20b?times=2"
    with connect(url, subprotocols=["first", "second"], proxy=None) as websocket:
        assert websocket.subprotocol == "second"
        websocket.send("ü")
        assert [websocket.recv(PATIENCE) for _ in range(2)] == ["a b: ü"] * 2
        websocket.send(b"x" * 100_000)
        assert [websocket.recv(PATIENCE) for _ in range(2)] == [b"x" * 100_000] * 2
        websocket.send("close")
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                websocket.recv(PATIENCE)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4000, "as you like")


@pytest.mark.parametrize("path", ["/closed", "/nowhere", "/mirror/x?times=y"])
def test_a_websocket_is_refused(served: Served, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(served.url.replace("http", "ws") + path, proxy=None)
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("name", list(COMMANDS))
def test_the_lifespan_ends_with_the_server(name: str, tmp_path: Path) -> None:
    _skip_without(name)
    with _running(name, tmp_path / "end") as served:
        assert ask(served, "GET", "/works-on").json() == "at startup"
        assert not served.end.exists()
        served.process.send_signal(signal.SIGTERM)
        served.process.wait(PATIENCE)
        assert served.end.read_text() == "closed"
