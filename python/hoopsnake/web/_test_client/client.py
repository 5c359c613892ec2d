"""`TestClient`: an application asked from a test that is a plain function."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from hoopsnake._server_config import ServerConfig
from hoopsnake.web._test_client.asking import Asking
from hoopsnake.web._test_client.exchange import Exchange
from hoopsnake.web._test_client.request import Options
from hoopsnake.web._test_client.response import TestResponse
from hoopsnake.web._test_client.served import ServedInThread
from hoopsnake.web._test_client.websocket import WebSocketTestSession, connect

__all__ = ["TestClient"]


class TestClient(Asking):
    """Asks an ASGI application in this process, through hoopsnake's own server.

    The server listens on a port of the loopback that the system chooses, on a loop in a thread;
    `base_url` is what the application sees. `with client:` runs the application's lifespan; without
    it there is none. What the application raises is raised in the test, unless
    `raise_server_exceptions` is False: then the server's answer (500) is returned. A request
    returns when the application is through with it, background tasks included.

    `headers` and `cookies` go with every request. `timeout`, in seconds, ends any wait with
    TimeoutError; None waits for ever. `config` sets up the server, but for where it listens.

    The requests take `params`, `content`, `data` (a form), `files`, `json`, `headers`, `cookies`,
    `auth` (user and password) and `follow_redirects`.
    """

    __test__ = False

    _served: ServedInThread | None = None
    _end: weakref.finalize[Any, TestClient] | None = None

    # Requests.

    def request(
        self,
        method: str,
        url: str,
        *,
        follow_redirects: bool | None = None,
        **options: Any,
    ) -> TestResponse:
        """Send a request, and return the whole response."""
        return self._request(method, url, follow_redirects, options, stream=False)

    def get(self, url: str, **options: Any) -> TestResponse:
        """Send a GET."""
        return self.request("GET", url, **options)

    def options(self, url: str, **options: Any) -> TestResponse:
        """Send an OPTIONS."""
        return self.request("OPTIONS", url, **options)

    def head(self, url: str, **options: Any) -> TestResponse:
        """Send a HEAD."""
        return self.request("HEAD", url, **options)

    def post(self, url: str, **options: Any) -> TestResponse:
        """Send a POST."""
        return self.request("POST", url, **options)

    def put(self, url: str, **options: Any) -> TestResponse:
        """Send a PUT."""
        return self.request("PUT", url, **options)

    def patch(self, url: str, **options: Any) -> TestResponse:
        """Send a PATCH."""
        return self.request("PATCH", url, **options)

    def delete(self, url: str, **options: Any) -> TestResponse:
        """Send a DELETE."""
        return self.request("DELETE", url, **options)

    @contextlib.contextmanager
    def stream(
        self, method: str, url: str, *, follow_redirects: bool | None = None, **options: Any
    ) -> Iterator[TestResponse]:
        """Send a request; the response's body is read as it comes, with `iter_bytes` and its like.

        Leaving the block early closes the connection, of which the application hears.
        """
        response = self._request(method, url, follow_redirects, options, stream=True)
        try:
            yield response
        finally:
            response.close()

    def websocket_connect(
        self, url: str, subprotocols: Sequence[str] | None = None, **options: Any
    ) -> WebSocketTestSession:
        """Open a WebSocket; `options` are `params`, `headers` and `cookies`.

        Raises WebSocketDisconnect if the application does not accept: a WebSocketRefused, with its
        response.
        """
        return connect(self._exchange, self._running(), url, subprotocols, Options(**options))

    def _request(
        self,
        method: str,
        url: str,
        follow_redirects: bool | None,
        options: dict[str, Any],
        *,
        stream: bool,
    ) -> TestResponse:
        follow = self.follow_redirects if follow_redirects is None else follow_redirects
        return self._exchange.request(
            self._running(),
            method,
            url,
            Options(**options),
            follow_redirects=follow,
            stream=stream,
        )

    # Its life.

    def __enter__(self) -> TestClient:
        self.close()
        self._start(self._exchange.config)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the server, and the lifespan if there is one; a later request starts it again."""
        self._exchange.close()
        served, self._served = self._served, None
        if self._end is not None:
            self._end.detach()
        if served is not None:
            served.end()

    def _running(self) -> ServedInThread:
        if self._served is None:
            self._start(replace(self._exchange.config, lifespan="off"))
        assert self._served is not None
        return self._served

    def _start(self, config: ServerConfig) -> None:
        served = ServedInThread(self.app, config, self._exchange.raises)
        served.start()
        self._served = served
        # For a client that nobody closes: no loop may run on while the interpreter ends.
        self._end = weakref.finalize(self, _end, self._exchange, served)


def _end(exchange: Exchange, served: ServedInThread) -> None:
    exchange.close()
    served.end()
