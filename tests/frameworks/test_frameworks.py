"""The contract: what every application of this folder answers, whatever it is written in.

An application's file has nothing but the application; what is asked of it, over sockets, is here.
"""

from __future__ import annotations

import hashlib
import os
import re
import signal
import socket
import ssl

import httpx
import pytest
from contenders import OF_THEIR_OWN, PATIENCE, Contender, Server, running
from websockets.exceptions import ConnectionClosed, InvalidMessage
from websockets.sync.client import ClientConnection, connect

MEBIBYTE = 1024 * 1024


def test_a_route_takes_its_parameter_from_the_path(server: Server, client: httpx.Client) -> None:
    for name in ("Anna", "Zoë", "a b"):
        answer = client.get(f"/hello/{name}")
        assert (answer.status_code, answer.text) == (200, f"Hello, {name}!")
        assert answer.headers["content-type"].startswith("text/plain")
    assert answer.http_version == ("HTTP/2" if server.contender.tls else "HTTP/1.1")


def test_a_head_request_has_the_headers_and_no_body(client: httpx.Client) -> None:
    answer = client.head("/hello/Anna")
    assert (answer.status_code, answer.content) == (200, b"")
    # The connection is in step: the next answer is not taken for a body.
    assert client.get("/hello/Anna").text == "Hello, Anna!"


def test_what_is_not_there_is_a_404(client: httpx.Client) -> None:
    assert client.get("/nowhere").status_code == 404


@pytest.mark.only_with("knows_methods")
def test_what_may_not_be_done_is_a_405(client: httpx.Client) -> None:
    assert client.delete("/hello/Anna").status_code == 405
    assert client.get("/form").status_code == 405


def test_a_form_is_decoded(client: httpx.Client) -> None:
    assert client.post("/form", data={"name": "Zoë & co"}).text == "Zoë & co"


def test_a_file_is_taken_in_whole(client: httpx.Client) -> None:
    data = os.urandom(MEBIBYTE)
    answer = client.post("/upload", files={"file": ("some.bin", data)})
    assert answer.json() == {
        "name": "some.bin",
        "size": MEBIBYTE,
        "sha256": hashlib.sha256(data).hexdigest(),
    }


def test_a_response_is_streamed(client: httpx.Client) -> None:
    with client.stream("GET", "/stream/300") as answer:
        assert "content-length" not in answer.headers
        assert [int(line) for line in answer.iter_lines()] == list(range(300))
    assert client.get("/stream/0").content == b""


def test_cookies_come_back_one_header_for_each(client: httpx.Client) -> None:
    for visits in ("1", "2", "3"):
        answer = client.get("/cookies")
        assert answer.text == visits
        assert len(answer.headers.get_list("set-cookie")) == 2
    assert dict(client.cookies) == {"visits": "3", "theme": "dark"}


def test_a_handler_that_raises_is_a_500_and_the_server_goes_on(client: httpx.Client) -> None:
    for _ in range(3):
        # uvicorn ends the connection after it, and says so to nobody.
        assert client.get("/fail", headers={"Connection": "close"}).status_code == 500
        assert client.get("/hello/Anna").status_code == 200


def test_work_goes_on_after_the_response(client: httpx.Client) -> None:
    assert client.post("/background").text == "accepted"
    assert client.get("/background-done").text == "done"


def test_the_application_sees_that_its_client_leaves(
    client: httpx.Client, leaving_client: httpx.Client
) -> None:
    with leaving_client.stream("GET", "/endless") as answer:
        assert next(answer.iter_lines()) == "tick"
        leaving_client.close()
    assert client.get("/left").text == "left"


@pytest.mark.only_with("lifespan")
def test_the_application_was_started_before_its_first_request(client: httpx.Client) -> None:
    assert client.get("/started").text == "started"


@pytest.mark.only_with("on_loop")
def test_handlers_run_on_the_loop_of_hoopsnake(client: httpx.Client) -> None:
    assert client.get("/loop").text.startswith("hoopsnake")


def opened(server: Server, trust: ssl.SSLContext) -> ClientConnection:
    """Open a WebSocket; over TLS again, where the client has lost what it was answered.

    It reads in one thread while it writes in another, over one SSL object. CPython's `ssl` did not
    lock that up to 3.13.0 at least: while the tickets of a new session arrive, one handshake in
    some hundreds loses its request or its answer. The server's system calls are as they should be.
    """
    url = f"ws{server.url.removeprefix('http')}/echo"
    if not server.contender.tls:
        return connect(url, proxy=None)
    for _ in range(2):
        try:
            return connect(url, ssl=trust, proxy=None)
        except (TimeoutError, InvalidMessage):
            continue
    return connect(url, ssl=trust, proxy=None)


@pytest.mark.only_with("websocket")
def test_a_websocket_echoes_texts_and_bytes(server: Server, trust: ssl.SSLContext) -> None:
    with opened(server, trust) as socket:
        for message in ("Zoë", b"\x00\xff", "", "x" * 100_000, os.urandom(100_000)):
            socket.send(message)
            assert socket.recv(PATIENCE) == message


@pytest.mark.only_with("websocket")
def test_a_websocket_is_closed_with_the_code_of_the_application(
    server: Server, trust: ssl.SSLContext
) -> None:
    with opened(server, trust) as socket:
        socket.send("leave")
        with pytest.raises(ConnectionClosed):
            socket.recv(PATIENCE)
        expected = (4001, "as you wish") if server.contender.passes_close_code else (1000, "")
        assert (socket.close_code, socket.close_reason) == expected


@pytest.mark.only_with("websocket")
def test_a_websocket_is_closed_by_its_client(server: Server, trust: ssl.SSLContext) -> None:
    with opened(server, trust) as socket:
        socket.send("one")
        assert socket.recv(PATIENCE) == "one"
        socket.close(1000, "enough")
        assert socket.close_code == 1000


class Pending:
    """A request whose answer takes a while, over a connection of its own."""

    def __init__(self, server: Server, path: str, trust: ssl.SSLContext) -> None:
        url = httpx.URL(server.url)
        self.connection = socket.create_connection((url.host, url.port), PATIENCE)
        if server.contender.tls:
            self.connection = trust.wrap_socket(self.connection, server_hostname=url.host)
        head = f"GET {path} HTTP/1.1\r\nHost: {url.host}:{url.port}\r\nConnection: close\r\n\r\n"
        self.connection.sendall(head.encode())

    def answer(self) -> bytes:
        with self.connection:
            return b"".join(iter(lambda: self.connection.recv(65536), b""))


def stopped_amid_requests(
    server: Server, leaving_client: httpx.Client, trust: ssl.SSLContext, number: signal.Signals
) -> None:
    """Let a signal stop the server while it has two requests, of which one is answered after that.

    It waits for the end of the other, which is a stream, and ends as its client leaves.
    """
    url = httpx.URL(server.url)
    with leaving_client.stream("GET", "/endless") as stream:
        assert next(stream.iter_lines()) == "tick"
        pending = Pending(server, "/left", trust)
        # That has been taken in once one that came later was answered.
        assert Pending(server, "/hello/Anna", trust).answer().startswith(b"HTTP/1.1 200")
        server.stop(number)
        until_refused(url)
        leaving_client.close()
    answer = pending.answer()
    assert answer.startswith(b"HTTP/1.1 200"), answer
    assert answer.endswith(b"left"), answer


def until_refused(url: httpx.URL) -> None:
    """Wait until nobody listens any more."""
    while True:
        try:
            socket.create_connection((url.host, url.port), PATIENCE).close()
        except ConnectionRefusedError:
            return
        except ConnectionResetError:
            pass  # it was in the listener's queue as that was closed


def test_requests_under_way_are_finished_when_the_server_is_told_to_stop(
    server: Server, leaving_client: httpx.Client, trust: ssl.SSLContext
) -> None:
    """The last of the tests: it ends the process that they share."""
    stopped_amid_requests(server, leaving_client, trust, signal.SIGTERM)
    assert server.ended() == server.contender.ends_with, server.output
    if server.contender.lifespan:
        assert server.output.count("The application has stopped") == 1, server.output
    assert "never retrieved" not in server.output
    # hoopsnake had to complain of nothing but what the contract's /fail raises.
    complaints = re.findall(r"^\S+ (?:ERROR|WARNING) .*", server.output, re.MULTILINE)
    assert [each for each in complaints if "/fail" not in each] == [], server.output


@pytest.mark.parametrize("contender", OF_THEIR_OWN, ids=str)
def test_a_server_of_its_own_is_stopped_by_an_interrupt_too(
    contender: Contender, trust: ssl.SSLContext
) -> None:
    if missing := contender.missing():
        pytest.skip(missing)
    with running(contender) as server, httpx.Client(base_url=server.url) as client:
        stopped_amid_requests(server, client, trust, signal.SIGINT)
        server.ended()
        assert server.output.count("The application has stopped") == 1, server.output
