"""A response as a test reads it."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from email.message import Message
from http import HTTPStatus
from typing import Any

from hoopsnake.web._headers import Headers
from hoopsnake.web._test_client.connection import Head
from hoopsnake.web._test_client.cookies import Cookies
from hoopsnake.web._test_client.request import RequestMade

__all__ = ["StatusError", "TestResponse"]


class StatusError(Exception):
    """What `raise_for_status` raises; `response` is what was answered."""

    def __init__(self, message: str, response: TestResponse) -> None:
        super().__init__(message)
        self.response = response


class TestResponse:
    """Status, headers and body of a response; gzip and deflate are undone."""

    __test__ = False

    def __init__(
        self, request: RequestMade, head: Head, pieces: Iterator[bytes], end: Callable[[], None]
    ) -> None:
        self.request = request
        """What was asked: `method`, `url`, `headers`, `body`."""
        self.status_code = head.status
        self.reason_phrase = head.reason
        self.headers = Headers(head.headers)
        self.history: list[TestResponse] = []
        """The redirects that led here."""
        self.cookies = Cookies()
        """Those that this response sets."""
        self.cookies.take(request.url, self.headers.getlist("set-cookie"))
        self._pieces = pieces
        self._end = end
        self._content: bytes | None = None

    @property
    def url(self) -> str:
        """Where it comes from."""
        return self.request.url

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status_code < 300

    @property
    def is_redirect(self) -> bool:
        """Whether it leads elsewhere."""
        return self.status_code in (301, 302, 303, 307, 308) and "location" in self.headers

    @property
    def is_error(self) -> bool:
        """Whether the status is 4xx or 5xx."""
        return self.status_code >= 400

    @property
    def encoding(self) -> str:
        """The charset that the response names; UTF-8 if it names none."""
        message = Message()
        message["content-type"] = self.headers.get("content-type", "")
        return message.get_content_charset("utf-8")

    @property
    def content(self) -> bytes:
        """The whole body."""
        return self.read()

    @property
    def text(self) -> str:
        """The whole body as text."""
        return self.content.decode(self.encoding, "replace")

    def json(self) -> Any:
        """Read the body as JSON; raises ValueError where it is none."""
        return json.loads(self.content)

    def read(self) -> bytes:
        """Read the body to its end."""
        if self._content is None:
            self._content = b"".join(self.iter_bytes())
        return self._content

    def iter_raw(self) -> Iterator[bytes]:
        """Go through the body as it comes over the connection."""
        try:
            yield from self._pieces
        finally:
            self.close()

    def iter_bytes(self) -> Iterator[bytes]:
        """Go through the body as it comes, uncompressed."""
        if self._content is not None:
            yield self._content
            return
        coding = self.headers.get("content-encoding", "")
        if coding not in ("gzip", "deflate"):
            yield from self.iter_raw()
            return
        # 32 lets zlib tell the two apart.
        inflater = zlib.decompressobj(32 + zlib.MAX_WBITS)
        for piece in self.iter_raw():
            if inflated := inflater.decompress(piece):
                yield inflated
        yield inflater.flush()

    def iter_text(self) -> Iterator[str]:
        """Go through the body as text, as it comes."""
        import codecs

        decoder = codecs.getincrementaldecoder(self.encoding)("replace")
        for piece in self.iter_bytes():
            if text := decoder.decode(piece):
                yield text
        if rest := decoder.decode(b"", final=True):
            yield rest

    def iter_lines(self) -> Iterator[str]:
        """Go through the lines, as they come, without their ends."""
        rest = ""
        for text in self.iter_text():
            *lines, rest = (rest + text).replace("\r\n", "\n").split("\n")
            yield from lines
        if rest:
            yield rest

    def raise_for_status(self) -> TestResponse:
        """Return itself; raises StatusError for a status of 4xx or 5xx."""
        if self.is_error:
            raise StatusError(
                f"{self.status_code} {self.reason_phrase}: {self.request.method} {self.url}", self
            )
        return self

    def close(self) -> None:
        """Let go of the connection; the application hears of it if the body is not read."""
        self._end()

    def __repr__(self) -> str:
        phrase = self.reason_phrase or HTTPStatus(self.status_code).phrase
        return f"<TestResponse [{self.status_code} {phrase}]>"
