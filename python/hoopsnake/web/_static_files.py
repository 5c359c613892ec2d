"""`StaticFiles`: a folder as an application to mount, for any ASGI server."""

from __future__ import annotations

import os
import stat
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from hoopsnake._native import Folder, content_type_of, relative_path
from hoopsnake.web._errors import WebError
from hoopsnake.web._files import FileResponse
from hoopsnake.web._responses import JSONResponse, RedirectResponse, Response, Send
from hoopsnake.web._root_path import below_root

__all__ = ["StaticFiles"]

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]


class StaticFiles:
    """Serves the files of a folder, and nothing outside of it, where it is mounted.

    With `html` a folder is answered with its `index.html`, and what is not there with `404.html`,
    if there is one. `fallback` is a file of the folder that answers for every path that leads
    nowhere and whose last name has no dot in it, as applications of a single page want it. Names
    that begin with a dot are not there unless they are `hidden` no more. `headers` are added to
    every file. Raises WebError for a folder that is not there.

    Where nothing has to come before them, `hoop serve --static` answers without Python.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        html: bool = False,
        fallback: str | None = None,
        hidden: bool = False,
        headers: dict[str, str] | None = None,
    ) -> None:
        try:
            self._folder = Folder(os.fspath(directory))
        except OSError as error:
            raise WebError(
                f"the folder {os.fspath(directory)!r} cannot be served: {error}"
            ) from None
        self.directory = directory
        self._html = html
        self._fallback = None if fallback is None else fallback.strip("/").encode()
        self._hidden = hidden
        self._headers = dict(headers or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request (ASGI 3.0)."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
            return
        if scope["type"] != "http":
            raise RuntimeError(f"files are not for {scope['type']!r}")
        response = self._response(scope)
        response.for_scope(scope)
        await response(send)

    def _response(self, scope: Scope) -> Response:
        if scope["method"] not in ("GET", "HEAD"):
            detail = {"detail": "Method Not Allowed"}
            return JSONResponse(detail, 405, {"allow": "GET, HEAD"})
        path = _path_beneath(scope)
        name = relative_path(path, self._hidden)
        found = None if name is None else self._found(name, path, scope)
        if found is not None:
            return found
        return self._nothing(name)

    def _found(self, name: bytes, path: str, scope: Scope) -> Response | None:
        descriptor = self._folder.open(name)
        if descriptor is None:
            return None
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISREG(mode) and not path.endswith("/"):
            return self._file(descriptor, name)
        os.close(descriptor)
        if not stat.S_ISDIR(mode) or not self._html:
            return None
        index = name + b"/index.html" if name else b"index.html"
        if path and not path.endswith("/"):
            # Links in the index lead on from its folder. No host is named: proxies have others.
            return _redirect(scope, path) if self._is_file(index) else None
        return self._file_of(index)

    def _nothing(self, name: bytes | None) -> Response:
        last = b"." if name is None else name.rpartition(b"/")[2]
        if self._fallback is not None and b"." not in last:
            answer = self._file_of(self._fallback)
            if answer is not None:
                return answer
        answer = self._file_of(b"404.html", 404) if self._html else None
        return JSONResponse({"detail": "Not Found"}, 404) if answer is None else answer

    def _is_file(self, name: bytes) -> bool:
        descriptor = self._folder.open(name)
        if descriptor is None:
            return False
        try:
            return stat.S_ISREG(os.fstat(descriptor).st_mode)
        finally:
            os.close(descriptor)

    def _file_of(self, name: bytes, status: int = 200) -> Response | None:
        descriptor = self._folder.open(name)
        if descriptor is None:
            return None
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return self._file(descriptor, name, status)
        os.close(descriptor)
        return None

    def _file(self, descriptor: int, name: bytes, status: int = 200) -> FileResponse:
        text = os.fsdecode(name)
        response = FileResponse._opened(descriptor, text, content_type_of(text))
        response.status_code = status
        response.headers.setdefault("x-content-type-options", "nosniff")
        response.headers.update(self._headers)
        return response


def _path_beneath(scope: Scope) -> str:
    """Return the path below where it is mounted, percent-encoded, without the slash before it."""
    raw: bytes | None = scope.get("raw_path")
    # Without the bytes that came, what is decoded is encoded again.
    path = quote(scope["path"]) if raw is None else raw.decode("latin-1").partition("?")[0]
    below = below_root(path, scope.get("root_path", ""))
    return (path if below is None else below).removeprefix("/")


def _redirect(scope: Scope, path: str) -> RedirectResponse:
    query = scope.get("query_string", b"").decode("latin-1")
    location = f"{scope.get('root_path', '')}/{path}/" + (f"?{query}" if query else "")
    # Two slashes would be another host.
    return RedirectResponse("/" + location.lstrip("/"))
