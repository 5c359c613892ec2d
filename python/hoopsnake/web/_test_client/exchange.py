"""What the clients for tests share: requests to a server, whoever waits for their answers."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from urllib.parse import urljoin, urlsplit

from hoopsnake._server_config import ServerConfig
from hoopsnake.web._test_client.connection import Connection, Head
from hoopsnake.web._test_client.cookies import Cookies
from hoopsnake.web._test_client.request import Options, RequestMade, make_request, target_of
from hoopsnake.web._test_client.response import TestResponse
from hoopsnake.web._test_client.served import Served

__all__ = ["Exchange"]

_MOST_REDIRECTS = 20


class Exchange:
    """Asks a server and keeps cookies and idle connections; blocks, and may be used by threads."""

    def __init__(
        self,
        *,
        base_url: str,
        root_path: str,
        raises: bool,
        headers: Mapping[str, str] | None,
        cookies: Mapping[str, str] | None,
        timeout: float | None,
        config: ServerConfig | None,
    ) -> None:
        self.base_url = base_url
        self.raises = raises
        self.timeout = timeout
        self.headers: dict[str, str] = {
            "accept": "*/*",
            "accept-encoding": "gzip, deflate",
            "connection": "keep-alive",
            "user-agent": "testclient",
            **(headers or {}),
        }
        self.cookies = Cookies(dict(cookies or {}))
        self.config = replace(
            config or ServerConfig(graceful_timeout=1.0),
            host="127.0.0.1",
            port=0,
            uds=None,
            bind=(),
            root_path=root_path or (config.root_path if config else ""),
            # The client's word for a URL with https, which it speaks without TLS.
            forwarded_allow_ips=("127.0.0.1",),
            forwarded_parts=("proto",),
        )
        self._idle: list[Connection] = []
        self._lock = threading.Lock()

    def request(
        self,
        served: Served,
        method: str,
        url: str,
        options: Options,
        *,
        follow_redirects: bool,
        stream: bool,
    ) -> TestResponse:
        """Ask, and follow redirects; raises what the application raises."""
        request = make_request(method.upper(), url, self.base_url, self.headers, options)
        history: list[TestResponse] = []
        while True:
            response = self._ask(served, request, options.cookies)
            response.history = list(history)
            if not (follow_redirects and response.is_redirect):
                break
            response.read()
            if len(history) == _MOST_REDIRECTS:
                raise RuntimeError(f"more than {_MOST_REDIRECTS} redirects, from {url}")
            history.append(response)
            request = _redirected(request, response)
        if not stream:
            response.read()
        return response

    def _ask(
        self, served: Served, request: RequestMade, cookies: Mapping[str, str] | None
    ) -> TestResponse:
        conversation = contextlib.ExitStack()
        conversation.enter_context(served.conversation())
        try:
            connection = self._connection(served)
            conversation.callback(self._release, connection)
            target = target_of(request.url)
            connection.ask(self.head_of(request, target, cookies), request.body)
            try:
                head = connection.read_head()
            except Exception:
                # An application that failed without an answer says why.
                served.settle(connection.port, self.timeout)
                served.witness.raise_failure(request.method, target)
                raise
        except BaseException:
            conversation.close()
            raise
        return self._response(served, request, head, connection, conversation.close)

    def _response(
        self,
        served: Served,
        request: RequestMade,
        head: Head,
        connection: Connection,
        end: Callable[[], None],
    ) -> TestResponse:
        target = target_of(request.url)

        def pieces() -> Iterator[bytes]:
            try:
                yield from connection.body(head, request.method)
            except Exception:
                served.settle(connection.port, self.timeout)
                served.witness.raise_failure(request.method, target)
                raise
            served.settle(connection.port, self.timeout)
            served.witness.raise_failure(request.method, target)

        response = TestResponse(request, head, pieces(), end)
        self.cookies.take(request.url, response.headers.getlist("set-cookie"))
        return response

    def head_of(
        self, request: RequestMade, target: str, cookies: Mapping[str, str] | None = None
    ) -> bytes:
        """Write the head of a request, with the cookies that go with it."""
        parts = urlsplit(request.url)
        fields = list(request.headers)
        names = {name.lower() for name, _ in fields}
        if "host" not in names:
            fields.insert(0, ("host", parts.netloc))
        if parts.scheme in ("https", "wss"):
            fields.append(("x-forwarded-proto", parts.scheme))
        kept = self.cookies.header(request.url)
        own = [f"{name}={value}" for name, value in (cookies or {}).items()]
        if (kept or own) and "cookie" not in names:
            fields.append(("cookie", "; ".join([*([kept] if kept else ()), *own])))
        lines = [f"{request.method} {target} HTTP/1.1", *(f"{n}: {v}" for n, v in fields)]
        return "\r\n".join([*lines, "\r\n"]).encode("latin-1")

    def _connection(self, served: Served) -> Connection:
        with self._lock:
            while self._idle:
                connection = self._idle.pop()
                if not connection.is_stale:
                    connection.is_reusable = False
                    return connection
                connection.close()
        return Connection(served.port, self.timeout)

    def _release(self, connection: Connection) -> None:
        if not connection.is_reusable:
            connection.close()
            return
        with self._lock:
            self._idle.append(connection)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        with self._lock:
            while self._idle:
                self._idle.pop().close()


def _redirected(request: RequestMade, response: TestResponse) -> RequestMade:
    """Make the request that follows a redirect (RFC 9110 section 15.4)."""
    url = urljoin(request.url, response.headers["location"])
    method, body = request.method, request.body
    headers = request.headers
    status = response.status_code
    becomes_get = (status == 303 and method != "HEAD") or (
        status in (301, 302) and method == "POST"
    )
    if becomes_get:
        method, body = "GET", b""
        gone = ("content-length", "content-type", "transfer-encoding")
        headers = [(name, value) for name, value in headers if name.lower() not in gone]
    if urlsplit(url).netloc != urlsplit(request.url).netloc:
        # A secret is for whom it was meant.
        headers = [
            (name, value)
            for name, value in headers
            if name.lower() not in ("authorization", "cookie")
        ]
    return RequestMade(method, url, headers, body)
